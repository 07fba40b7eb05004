"""Size ladders, and the truth about an order: too small, fits or too large, and kept; knows no picture and no word.

A label comes from the ease between a body and what a garment is really made for. Both probabilities have a closed form,
so the score of an oracle that knows everything is known too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tryon_core.batch import DEPARTMENTS
from tryon_core.errors import ConfigError, InputError, expected_one_of

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

GIRTHS = ("chest_cm", "waist_cm", "hip_cm")
"""The girths that decide a fit, in the order of every array's last axis here."""

RELEVANCE: dict[str, tuple[float, float, float]] = {
    **dict.fromkeys(("t-shirt", "longsleeve", "shirt", "outwear"), (0.65, 0.35, 0.0)),
    **dict.fromkeys(("pants", "shorts", "skirt"), (0.0, 0.6, 0.4)),
    "dress": (0.4, 0.3, 0.3),
}
"""How much each of `GIRTHS` counts in a category; sums to 1."""

CUT_EASE = {"slim": -0.3, "regular": 0.0, "loose": 0.3}
"""Steps by which a cut is made for larger bodies than its label says."""

BIAS_STEPS = 0.35
"""SD of a brand's untold bias, in steps."""
OFFSET_STEPS = 0.5
"""SD of a garment's untold offset, in steps."""

STRETCH_STEPS = 0.8
"""How many steps more of being too small a cloth of full stretch forgives; it forgives nothing of being too large."""

LIKING = {"colour": 0.9, "cut": 0.6, "pattern": 0.6, "category": 0.6}
"""How much each kind of trait counts among those about which a shopper has an opinion."""
DISLIKING = 0.45
"""How much a trait that the shopper wants none of takes off, where all that is liked sums to 1."""

_TIGHTEST = 1.0
"""How much the tightest girth outweighs the others."""
_SMALL_FROM, _LARGE_FROM = 1.4, -1.55
"""Steps by which a body is too big where a cloth without stretch is as often too small as not, and for too large."""
_NOISE = 0.5
"""Scale of the logistic noise of a shopper's judgement, in steps; its SD is 0.91."""
_SLIPS, _SLIP_ODDS = (-2, -1, 0, 1, 2), (0.1, 0.2, 0.4, 0.2, 0.1)
"""By how many sizes orders miss the size that the label says is the shopper's: many try neighbouring sizes at home, or
think in the sizes of another brand."""
_KEPT_AT_MOST = np.array([0.25, 0.98, 0.4])
"""P(kept) of a garment that is too small, fits or is too large, however much it is liked."""
_LIKED_LOGIT, _TASTE_LOGIT = 3.0, 4.0
"""Of P(liked) at no agreement, and per agreement: so that, as in fashion, about half of all orders come back, more of them
for taste than for fit."""

_OTHER_DEPARTMENT = 0.8
"""How much a garment of the other department disagrees with taste; few order one, and most of those send it back."""

_MIDDLE = {"women": np.array([92.0, 83.5, 99.5]), "men": np.array([103.0, 91.0, 99.5])}
"""Girths of the body that a typical brand's M is made for, cm."""
_LADDERS: dict[tuple[str, str], tuple[tuple[str, ...], int, float]] = {
    ("women", "letter"): (("XXS", "XS", "S", "M", "L", "XL", "XXL", "3XL"), 3, 7.5),
    ("women", "eu"): (tuple(f"EU {n}" for n in range(32, 54, 2)), 4, 4.4),
    ("women", "us"): (tuple(f"US {n}" for n in range(0, 22, 2)), 4, 4.4),
    ("men", "letter"): (("XS", "S", "M", "L", "XL", "XXL", "3XL"), 2, 8.0),
    ("men", "eu"): (tuple(f"EU {n}" for n in range(42, 66, 2)), 5, 4.6),
    ("men", "us"): (tuple(f"US {n}" for n in range(34, 54, 2)), 3, 5.2),
}
SYSTEMS = ("letter", "eu", "us")


@dataclass(frozen=True)
class Ladder:
    """A brand's sizes in one department, smallest first."""

    labels: tuple[str, ...]
    centres: Array
    """float64[S, 3]: the `GIRTHS` of the body each size is said to be made for, cm."""
    steps: Array
    """float64[3]: from one size to the next, cm."""

    def chart(self, index: int, keys: tuple[str, ...] = GIRTHS) -> dict[str, tuple[float, float]]:
        """Return the published body ranges of one size, cm, in half centimetres; neighbours meet."""
        low, high = self.centres[index] - self.steps / 2, self.centres[index] + self.steps / 2
        rounded = np.round(2 * np.stack([low, high], axis=1)) / 2
        return {key: (float(a), float(b)) for key, (a, b) in zip(GIRTHS, rounded, strict=True) if key in keys}


def draw_ladder(department: str, system: str, rng: np.random.Generator | None = None) -> Ladder:
    """Return a brand's own ladder, or the typical one where no generator is given.

    Raises:
        ConfigError: the department or the system is unknown.
    """
    if department not in DEPARTMENTS:
        raise ConfigError(expected_one_of("department", department, DEPARTMENTS))
    if system not in SYSTEMS:
        raise ConfigError(expected_one_of("size system", system, SYSTEMS))
    labels, middle, step = _LADDERS[department, system]
    centre, steps = _MIDDLE[department].copy(), step * np.array([1.0, 1.1, 1.0])
    if rng is not None:
        centre += rng.normal(0, 2.0) + rng.normal(0, 1.5, 3)
        steps *= rng.uniform(0.92, 1.08)
    return Ladder(labels, centre + (np.arange(len(labels)) - middle)[:, None] * steps, steps)


def typical_girth(department: str, label: str) -> float:
    """Return the mean of `GIRTHS`, in cm, of the body that a typical brand makes a size for.

    Raises:
        ConfigError: no system of the department has such a label.
    """
    for ladder in (draw_ladder(department, system) for system in SYSTEMS):
        if label in ladder.labels:
            return float(ladder.centres[ladder.labels.index(label)].mean())
    raise ConfigError(f"expected a size label of {department}, got {label!r}")


@dataclass(frozen=True)
class Brand:
    """What a brand does to sizes."""

    bias: float
    """Steps by which it untoldly makes everything for larger bodies than it says."""
    ladders: Mapping[str, Ladder]
    """By department."""


def draw_brand(rng: np.random.Generator) -> Brand:
    """Return a brand, with a ladder of its own in each of `DEPARTMENTS` in one of `SYSTEMS`."""
    system = SYSTEMS[int(np.searchsorted((0.6, 0.85), rng.random()))]
    ladders = {department: draw_ladder(department, system, rng) for department in DEPARTMENTS}
    return Brand(rng.normal(0, BIAS_STEPS), ladders)


def relevant_girths(category: str) -> tuple[str, ...]:
    """Return which of `GIRTHS` decide the fit of a category.

    Raises:
        ConfigError: the category is unknown.
    """
    if category not in RELEVANCE:
        raise ConfigError(expected_one_of("category", category, RELEVANCE))
    return tuple(key for key, weight in zip(GIRTHS, RELEVANCE[category], strict=True) if weight)


def tightness(body: Array, centre: Array, step: Array, relevance: Array) -> Array:
    """Return how many steps a body is too big for what a size says, float64[...]; the tightest girth counts most.

    All arguments are float64[..., 3] over `GIRTHS`: cm, cm, cm, and shares that sum to 1.
    """
    each = (body - centre) / step
    return np.asarray(np.log(np.sum(relevance * np.exp(_TIGHTEST * each), axis=-1)) / _TIGHTEST)


def fit_probabilities(latent: Array, stretch: Array | float = 0.0) -> Array:
    """Return P(small), P(fit), P(large), float64[N, 3], from steps by which bodies are too big, float64[N].

    Cloth that gives by its `stretch`, float64[N] in [0, 1], is worn tighter before it is called small.

    The garment's untold offset, its brand's bias and its cut's ease are already taken off. The noise is logistic.
    """
    small = _logistic((latent - _SMALL_FROM - STRETCH_STEPS * stretch) / _NOISE)
    large = _logistic((_LARGE_FROM - latent) / _NOISE)
    return np.stack([small, 1 - small - large, large], axis=-1)


def kept_probability(fit: Array, agreement: Array) -> Array:
    """Return P(kept), float64[N], from P(small, fit, large), float64[N, 3], and taste's agreement, [N] up to 1."""
    return np.asarray(np.sum(fit * _kept_by_class(agreement), axis=-1))


def draw_outcomes(
    fit: Array, agreement: Array, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8]]:
    """Draw what happened: the class int64[N], an index into `FIT_CLASSES`, and kept int8[N], as the two above say."""
    chosen = (rng.random((len(fit), 1)) > np.cumsum(fit, axis=1)[:, :2]).sum(axis=1)
    kept = rng.random(len(fit)) < _kept_by_class(agreement)[np.arange(len(fit)), chosen]
    return chosen.astype(np.int64), kept.astype(np.int8)


def _kept_by_class(agreement: Array) -> Array:
    return np.asarray(_KEPT_AT_MOST * _logistic(_LIKED_LOGIT + _TASTE_LOGIT * agreement[..., None]))


def _logistic(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))


@dataclass(frozen=True)
class Orders:
    """N orders by time."""

    shopper: Ints
    garment: Ints
    size: Ints
    """int64[N], into the garment's sizes."""
    day: Array
    fit: Ints
    """int64[N], into `FIT_CLASSES`; −1 where the shopper told none."""
    kept: npt.NDArray[np.int8]
    oracle_fit: Array
    """float64[N, 3], P(small), P(fit), P(large) given everything but the shopper's whim."""
    oracle_kept: Array
    """float64[N], P(kept) given everything but the whim."""

    def __len__(self) -> int:
        return len(self.day)


@dataclass(frozen=True)
class Truth:
    """What decides about orders, over P shoppers and G garments of up to S sizes."""

    girths: Array
    """float64[P, 3], of the bodies, cm."""
    liked: Array
    """float64[P, T], each trait's share of a shopper's taste; those of the garment liked best sum to 1, and what the
    shopper wants none of is negative. See `LIKING` and `DISLIKING`."""
    traits: Array
    """float64[G, T], 1 where the garment has the trait."""
    centres: Array
    """float64[G, S, 3], cm, NaN beyond a garment's last size."""
    steps: Array
    """float64[G, 3], cm."""
    relevance: Array
    """float64[G, 3]"""
    hidden: Array
    """float64[G], steps by which a garment is untoldly made for larger bodies."""
    stretch: Array
    """float64[G], how far its cloth gives, in [0, 1]."""
    shops_in: Ints
    """int64[P], the department of each shopper, into `DEPARTMENTS`."""
    department: Ints
    """int64[G], of each garment."""


def agreement(truth: Truth, shopper: Ints, garment: Ints) -> Array:
    """Return how well garments are to shoppers' taste, float64[N], up to 1.

    It is below -1 only where a trait is disliked or the department is not the shopper's.
    """
    worth = np.einsum("nt,nt->n", truth.liked[shopper], truth.traits[garment])
    return np.asarray(2 * worth - 1 - _OTHER_DEPARTMENT * (truth.shops_in[shopper] != truth.department[garment]))


def steps_over(truth: Truth, shopper: Ints, garment: Ints, size: Ints) -> Array:
    """Return how many steps bodies are too big for what sizes say, float64[N], see `tightness`; arguments are int64[N].

    Raises:
        InputError: a garment has no such size.
    """
    if np.any((size < 0) | (size >= truth.centres.shape[1])) or np.isnan(truth.centres[garment, size]).any():
        raise InputError("expected a place among the garment's sizes, got one beyond its last")
    return tightness(truth.girths[shopper], truth.centres[garment, size], truth.steps[garment], truth.relevance[garment])


def oracle(truth: Truth, shopper: Ints, garment: Ints, size: Ints) -> tuple[Array, Array]:
    """Return P(small, fit, large), float64[N, 3], and P(kept), float64[N], given everything but the shopper's whim.

    Raises:
        InputError: a garment has no such size.
    """
    fit = fit_probabilities(steps_over(truth, shopper, garment, size) - truth.hidden[garment], truth.stretch[garment])
    return fit, kept_probability(fit, agreement(truth, shopper, garment))


def choose_sizes(truth: Truth, shopper: Ints, garment: Ints, rng: np.random.Generator) -> Ints:
    """Return the sizes ordered, int64[N]: near what the label says of the body as its owner believes it to be."""
    believed = truth.girths[shopper] + rng.normal(0, 2.0, (len(shopper), 3))
    relevance, steps = truth.relevance[garment][:, None], truth.steps[garment][:, None]
    misfit = np.abs(tightness(believed[:, None], truth.centres[garment], steps, relevance))
    slips = rng.choice(_SLIPS, len(shopper), p=_SLIP_ODDS)
    last = np.count_nonzero(~np.isnan(misfit), axis=1) - 1
    return np.asarray(np.clip(np.nanargmin(misfit, axis=1) + slips, 0, last))


def usual_sizes(department: str, girths: Array, rng: np.random.Generator) -> tuple[str, str]:
    """Return the labels that typical brands of two systems would give a body, float64[3] in cm, a little off as people are.

    The first is what its owner thinks in, a letter more often than a number.
    """
    order = rng.permutation(SYSTEMS)[:2] if rng.random() < 0.35 else ("letter", SYSTEMS[int(rng.integers(1, 3))])
    slip = rng.normal(0, 0.4)
    first, second = (_nearest(draw_ladder(department, str(system)), girths, slip) for system in order)
    return first, second


def _nearest(ladder: Ladder, girths: Array, slip: float) -> str:
    """Return the size that suits a body on average, `slip` letter steps off."""
    steps = slip * _LADDERS["women", "letter"][2] / ladder.steps[0]
    misfit = (girths - ladder.centres).mean(axis=1) / ladder.steps[0] + steps
    return ladder.labels[int(np.abs(misfit).argmin())]

"""Fits what garments add to the odds of small and large, from events whose shoppers told their bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tryon_core.record import NUM_SHAPES, Effects, Floats, body_terms, scaled, shapes, shares

_SPREADS = {"garment": 1.1, "garment_size": 0.6, "shopper": 0.7}
"""Standard deviations of effects, chosen on a part of the rental data's training rows."""
_ROUNDS = 8
_FIT = 1


@dataclass(frozen=True)
class Events:
    """N order lines with a verdict."""

    told: npt.NDArray[np.float32]
    """float32[N, len(TOLD_FIELDS)]."""
    size: Floats
    """float64[N], the label's value."""
    garments: npt.NDArray[np.int64]
    """int64[N], the number of the garment; of the garment in its size; of the shopper."""
    sized: npt.NDArray[np.int64]
    shopper: npt.NDArray[np.int64]
    fit: npt.NDArray[np.int64]
    """int64[N], index into `FIT_CLASSES`."""

    def take(self, rows: npt.NDArray[np.int64]) -> Events:
        """Return the chosen events."""
        return Events(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def fit_effects(events: Events, garment_names: Sequence[str], sized_names: Sequence[tuple[str, str]]) -> Effects:
    """Return the effects that are likeliest under normal priors, by block-wise Newton steps.

    Args:
        garment_names: the name behind each number of a garment.
        sized_names: (garment, size) behind each number of a garment in its size.
    """
    told = events.told.astype(np.float64)
    centre, spread = _told_of(told)
    terms, fitted = body_terms(events.told, centre, spread), events.fit == _FIT
    expected = np.linalg.lstsq(terms[fitted], scaled(events.size[fitted]), rcond=None)[0]
    plain = Effects(centre, spread, expected, np.zeros((NUM_SHAPES, 2)), _SPREADS["shopper"])
    odds, (garment, sized) = _solve(events, shapes(plain.spare(events.told, events.size)))
    found: dict[tuple[str, ...], tuple[float, float]] = {}
    for names, effects, numbers in (
        ([(name,) for name in garment_names], garment, events.garments),
        (sized_names, sized, events.sized),
    ):
        found |= {tuple(names[i]): (float(effects[i, 0]), float(effects[i, 1])) for i in np.unique(numbers)}
    return Effects(centre, spread, expected, odds, _SPREADS["shopper"], garments=found)


def _told_of(told: Floats) -> tuple[Floats, Floats]:
    """Return float64[T] means and spreads of float64[N, T]; 0 and 1 of a number that nobody tells, which is then no news."""
    known = ~np.isnan(told)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, told, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (told - centre) ** 2, 0.0).sum(axis=0) / count) + 1e-6
    return centre, np.where(known.any(axis=0), spread, 1.0)


def _solve(events: Events, terms: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    said = np.column_stack([events.fit == 0, events.fit == 2]).astype(np.float64)
    odds = np.zeros((NUM_SHAPES, 2))
    odds[0] = np.log((said.mean(axis=0) + 1e-3) / (1 - said.sum(axis=1).mean() + 1e-3))
    numbers = (events.garments, events.sized, events.shopper)
    effects = [np.zeros((int(own.max(initial=-1)) + 1, 2)) for own in numbers]
    for _ in range(_ROUNDS):
        for own, effect, spread in zip(numbers, effects, _SPREADS.values(), strict=True):
            expected = _expected(terms, odds, numbers, effects)
            for end in (0, 1):
                p, size = expected[:, end], len(effect)
                slope = np.bincount(own, said[:, end] - p, size) - effect[:, end] / spread**2
                effect[:, end] += slope / (np.bincount(own, p * (1 - p), size) + 1 / spread**2)
        expected = _expected(terms, odds, numbers, effects)
        for end in (0, 1):
            p = expected[:, end]
            curve = (terms * (p * (1 - p))[:, None]).T @ terms + 1e-3 * np.eye(NUM_SHAPES)
            odds[:, end] += np.linalg.solve(curve, terms.T @ (said[:, end] - p))
    return odds, (effects[0], effects[1])


def _expected(terms: Floats, odds: Floats, numbers: Sequence[npt.NDArray[np.int64]], effects: Sequence[Floats]) -> Floats:
    log_odds = terms @ odds
    for own, effect in zip(numbers, effects, strict=True):
        log_odds = log_odds + effect[own]
    return shares(log_odds)

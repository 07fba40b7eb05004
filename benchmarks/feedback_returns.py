"""Orders that come back for their size, by whoever chose it, and what logs of them tell of the advice, from the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.feedback_weeks import Shown
from serve.effect import effect, strata
from train.data import labels
from train.data.sim import Shop
from train.offered import first_of
from train.resample import Resamples, interval
from train.sim_rows import garment_of
from tryon_core.batch import FIT_CLASSES, Column
from tryon_core.garment import size_numbers

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_FIT = FIT_CLASSES.index("fit")
_MOST = 2000
"""Shoppers before garments that are asked about."""
_HELD_OUT = 0.3
_IN_LOG_RESAMPLES = 200
_TRIES = 12
"""Draws of a shopper's own choice, among which other sizes than the advised one are looked for."""


@dataclass(frozen=True)
class Choices:
    """N shoppers before a garment each, and K offers, every size of each, those of one shopper side by side."""

    shopper: Ints
    """int64[N], as `garment`."""
    garment: Ints
    row: Ints
    """int64[K], which of the shoppers asked about, as the rows of a model have them; below N."""
    place: Ints
    """int64[K], which of the garment's sizes."""
    first: Ints
    """int64[N], each one's first offer."""
    size: Column[npt.NDArray[np.float32]]
    """Part `size` of the offers."""
    returned: Array
    """float64[K], how likely the offer, if ordered, comes back for its size."""
    fits: Array
    """float64[K], how likely it fits."""

    @classmethod
    def of(cls, shop: Shop, orders: Ints) -> Choices:
        """Return the sizes that the shoppers of the first orders can choose from."""
        chosen = orders[:_MOST]
        shopper, garment = shop.orders.shopper[chosen], shop.orders.garment[chosen]
        nums = np.array([len(shop.garments[g].sizes) for g in garment])
        first = np.concatenate([[0], np.cumsum(nums)[:-1]])
        row = np.repeat(np.arange(len(chosen)), nums)
        place = np.arange(len(row)) - first[row]
        keys, index = np.unique(np.stack([garment[row], place], axis=1), axis=0, return_inverse=True)
        numbers = np.stack([size_numbers(garment_of(shop, g), s) for g, s in keys.tolist()])
        fit, _ = labels.oracle(shop.truth, shopper[row], garment[row], place)
        liking = labels.agreement(shop.truth, shopper[row], garment[row])
        ends = [end for end in range(len(FIT_CLASSES)) if end != _FIT]
        stays = [labels.kept_probability(np.tile(np.eye(len(FIT_CLASSES))[end], (len(row), 1)), liking) for end in ends]
        returned = sum(fit[:, end] * (1 - own) for end, own in zip(ends, stays, strict=True))
        column = Column(numbers, index.reshape(-1).astype(np.int64))
        return cls(shopper, garment, row, place, first, column, np.asarray(returned), fit[:, _FIT])

    @property
    def offers(self) -> Shown:
        """The offers' garments and sizes."""
        return Shown(self.garment[self.row], self.place)

    def best(self, fitness: Array) -> Ints:
        """Return int64[N], each shopper's offer likeliest to fit."""
        return first_of(self.row, fitness)

    def own(self, shop: Shop, rng: np.random.Generator) -> Ints:
        """Return int64[N], the offers that shoppers choose themselves."""
        return self.first + labels.choose_sizes(shop.truth, self.shopper, self.garment, rng)

    def by_chart(self, shop: Shop, own: Ints, rng: np.random.Generator) -> Ints:
        """Return int64[N], the offers whose chart is nearest to what shoppers take their bodies for; without one, `own`."""
        truth, garment = shop.truth, self.garment
        believed = truth.girths[self.shopper] + rng.normal(0, 2.0, (len(garment), 3))
        relevance, steps = truth.relevance[garment][:, None], truth.steps[garment][:, None]
        misfit = np.abs(labels.tightness(believed[:, None], truth.centres[garment], steps, relevance))
        charted = np.array([bool(shop.garments[g].sizes[0][1]) for g in garment])
        return np.where(charted, self.first + np.nanargmin(misfit, axis=1), own)


def returns(shop: Shop, choices: Choices, ways: Mapping[str, Ints], num_resamples: int) -> dict[str, Any]:
    """Return the rates, with intervals over shoppers, and each way's share of the oracle's reduction.

    Args:
        ways: name to int64[N], the offers that are chosen, beside shoppers' own choice, the chart's and the oracle's.
    """
    rng = np.random.default_rng([shop.config.seed, 3])
    own = choices.own(shop, rng)
    every = {"own": own, "chart": choices.by_chart(shop, own, rng), **ways, "oracle": choices.best(choices.fits)}
    rates = np.stack([choices.returned[chosen] for chosen in every.values()], axis=1)
    samples = [rates.mean(axis=0)[None]]
    samples += [Resamples(choices.shopper, num_resamples).means(rates)] if num_resamples else []
    drawn = dict(zip(every, np.concatenate(samples).T, strict=True))
    possible = drawn["own"] - drawn["oracle"]
    shares = {name: (drawn["own"] - drawn[name]) / possible for name in every if name not in ("own", "oracle")}
    return {
        "num": len(own),
        "rate": {name: _told(values) for name, values in drawn.items()},
        "share_of_oracles_reduction": {name: _told(values) for name, values in shares.items()},
    }


def _told(values: Array) -> dict[str, Any]:
    return {"value": float(values[0])} | ({"interval": interval(values[1:])} if len(values) > 1 else {})


def estimates(shop: Shop, choices: Choices, advised: Ints, sure: Array, logs: int) -> dict[str, Any]:
    """Return what the estimator finds in logs beside the true differences, averaged over logs.

    Args:
        advised: int64[N], the offers that are advised.
        sure: float64[N], the P(fit) that the advice gave.
    """
    rng = np.random.default_rng([shop.config.seed, 4])
    follows = np.clip((sure - 0.3) / 0.6, 0.1, 0.9)
    style = [shop.garments[g].style_id for g in choices.garment]
    stratum, names = strata(style, sure), [str(number) for number in choices.shopper]
    found: dict[str, list[tuple[float, float, bool]]] = {"holdout": [], "matched": [], "unmatched": []}
    for _ in range(logs):
        own, other = choices.own(shop, rng), _other(shop, choices, advised, rng)
        held = rng.random(len(shop.shoppers)) < _HELD_OUT
        shown = ~held[choices.shopper]
        ordered = np.where(shown & (rng.random(len(own)) < follows), advised, own)
        came = rng.random(len(own)) < choices.returned[ordered]
        with_advice = np.where(rng.random(len(own)) < follows, advised, own)
        gain = float((choices.returned[with_advice] - choices.returned[own]).mean())
        found["holdout"].append(_beside(gain, effect(names, came, shown, num_resamples=_IN_LOG_RESAMPLES)))
        took = (ordered == advised)[shown]
        gains = (choices.returned[advised] - choices.returned[other])[shown][took]
        gain = float(gains[other[shown][took] != advised[shown][took]].mean())
        who = [name for name, own in zip(names, shown, strict=True) if own]
        matched = effect(who, came[shown], took, stratum[shown], num_resamples=_IN_LOG_RESAMPLES)
        found["matched"].append(_beside(gain, matched))
        found["unmatched"].append(_beside(gain, effect(who, came[shown], took, num_resamples=_IN_LOG_RESAMPLES)))
    return {"logs": logs} | {name: _averaged(each) for name, each in found.items()}


def _other(shop: Shop, choices: Choices, advised: Ints, rng: np.random.Generator) -> Ints:
    """Return int64[N], what shoppers who do not take the advice choose; the advised where they would choose nothing else."""
    other = advised.copy()
    for _ in range(_TRIES):
        same = other == advised
        other[same] = choices.own(shop, rng)[same]
    return other


def _beside(true: float, found: Any) -> tuple[float, float, bool]:
    low, high = found.interval
    return true, found.difference, low <= true <= high


def _averaged(each: list[tuple[float, float, bool]]) -> dict[str, float]:
    true, found, held = (float(np.mean(column)) for column in zip(*each, strict=True))
    spread = float(np.std([own[1] for own in each]))
    return {"true": true, "estimate": found, "estimates_sd": spread, "intervals_that_hold_it": held}

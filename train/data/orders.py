"""Who orders what, when, in which size, and how it ends: drawn from the truth alone; knows no picture and no word."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tryon_core.batch import DEPARTMENTS

from . import labels

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]

_ASTRAY = 0.1
"""How likely a garment of the other department is looked at, as a share of one of the shopper's own."""


def draw_orders(
    truth: labels.Truth, num: int, rng: np.random.Generator, *, days: float, silent_share: float
) -> labels.Orders:
    """Return orders by time, spread evenly over [0, days); some order much, and some garments are popular.

    Args:
        silent_share: share of the orders whose shopper told no fit.
    """
    shopper = _weighted(rng.gamma(1.5, size=len(truth.girths)), num, rng)
    garment = _choose_garments(shopper, truth, rng)
    size = labels.choose_sizes(truth, shopper, garment, rng)
    fit, kept = labels.oracle(truth, shopper, garment, size)
    outcome, stayed = labels.draw_outcomes(fit, labels.agreement(truth, shopper, garment), rng)
    told = np.where(rng.random(num) < silent_share, -1, outcome)
    day = np.sort(rng.uniform(0, days, num))
    return labels.Orders(shopper, garment, size, day, told, stayed, fit, kept)


def _choose_garments(shopper: Ints, truth: labels.Truth, rng: np.random.Generator) -> Ints:
    """Return every order's garment, mostly of the shopper's department; of two candidates more often the better liked."""
    popularity = rng.gamma(0.8, size=len(truth.department)) + 0.05
    chosen = np.zeros(len(shopper), dtype=np.int64)
    for department in range(len(DEPARTMENTS)):
        rows = np.flatnonzero(truth.shops_in[shopper] == department)
        odds = popularity * np.where(truth.department == department, 1.0, _ASTRAY)
        first, second = (_weighted(odds, len(rows), rng) for _ in range(2))
        better = labels.agreement(truth, shopper[rows], second) > labels.agreement(truth, shopper[rows], first)
        chosen[rows] = np.where(better & (rng.random(len(rows)) < 0.6), second, first)
    return chosen


def _weighted(weights: Array, num: int, rng: np.random.Generator) -> Ints:
    total = np.cumsum(weights)
    found: Ints = np.searchsorted(total, rng.random(num) * total[-1], side="right")
    return np.minimum(found, len(weights) - 1)

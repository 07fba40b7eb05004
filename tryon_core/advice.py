"""What the chances of a garment's sizes amount to: one size, one of two, or none; it knows no garment and no shopper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .batch import FIT_CLASSES

Advice = Literal["recommended", "between_sizes", "no_size_fits"]
Chances = npt.NDArray[np.floating]
"""float[S, 3], P(small), P(fit), P(large) of every size."""
_SMALL, _FIT, _LARGE = (FIT_CLASSES.index(name) for name in ("small", "fit", "large"))


@dataclass(frozen=True)
class Bounds:
    """Where advice changes; `benchmarks.advice` measures how often it is right there."""

    none_fits: float = 0.6
    """P(no size fits) from which on none is advised. In the simulated shop that is right four times in five, and shops win
    by it whether a return costs half of what a sale wins or all of it; the dearer returns are, the lower it may be."""
    between: float = 0.03
    """By how much less likely than the best another size may be to fit and still be named beside it: in the simulated shop,
    which of two so near is the better one is a toss of a coin."""


BOUNDS = Bounds()


def none_fits(fit: Chances) -> float:
    """Return P(no size fits), in [0, 1].

    One judgement decides about all sizes of a garment: whom a size is too small finds every smaller one too small as well.
    So none fits where the smallest size is too large, the largest too small, or one is too small and the next too large;
    of these last two the least overlap is taken that their chances allow.
    """
    ladder = fit[np.argsort(fit[:, _LARGE] - fit[:, _SMALL], kind="stable")]
    gaps = np.maximum(ladder[:-1, _SMALL] + ladder[1:, _LARGE] - 1, 0).sum()
    return float(min(1.0, ladder[0, _LARGE] + ladder[-1, _SMALL] + gaps))


def advise(fit: Chances, best: int, bounds: Bounds = BOUNDS) -> tuple[Advice, int | None]:
    """Return what to advise, and the size beside the best one where there are two.

    Args:
        fit: of the sizes that may be recommended.
        best: the one that is, an index into them.
    """
    if none_fits(fit) >= bounds.none_fits:
        return "no_size_fits", None
    others = np.where(np.arange(len(fit)) == best, -np.inf, fit[:, _FIT])
    second = int(others.argmax())
    if others[second] >= fit[best, _FIT] - bounds.between:
        return "between_sizes", second
    return "recommended", None


def roomier(fit: Chances, one: int, other: int) -> bool:
    """Tell whether a size is likelier to be too large, or less likely to be too small, than another."""
    lean = fit[:, _LARGE] - fit[:, _SMALL]
    return bool(lean[one] > lean[other])

"""Whether the right size comes first among all that a garment is offered in, beside two ways to choose without a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.batch import FIT_CLASSES, Column
from tryon_core.offers import Offers, Scores, choose

from .resample import Resamples, interval
from .rows import Array, Rows

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_NONE = np.zeros(0, dtype=np.float32)


@dataclass(frozen=True)
class Offered:
    """Every size of the garments of some orders: K offers, those of one order side by side, in the ladder's order."""

    row: Ints
    """int64[K], the order's number among the rows of a split that are scored, see `rows.halves`."""
    size: Column[Any]
    """Part `size` of each offer."""
    history: Column[Any] | None
    """Part `history` of each offer, as of the order's moment; None where the source knows none."""
    right: npt.NDArray[np.bool_]
    """bool[K], the size that was ordered, kept and called a fit."""
    usual: Floats
    """float64[K], how near each size is to the shopper's usual one, the nearest highest."""
    kept: Floats
    """float64[K], how often each size of the garment had been kept before, a tie broken by the source."""
    oracle: Floats | None = None
    """float64[K], P(fit) of whoever knows how outcomes were drawn."""

    def rows(self, rows: Rows) -> Rows:
        """Return the offers as rows, of which only size and history differ from the orders' own."""
        parts = {name: Column(column.values, column.index[self.row]) for name, column in rows.parts.items()}
        parts["size"] = self.size
        if self.history is not None:
            parts["history"] = self.history
        return Rows(parts, {"row": self.row})


def size_scores(fitness: Array, offered: Offered, shoppers: Array, num_resamples: int = 0) -> dict[str, Any]:
    """Return how often the right size comes first, ``top1``, by the model and by each way without one.

    ``top1`` asks for the size that was ordered and fitted; a neighbour may have fitted as well. Where the truth is known,
    ``best`` asks for the size most likely to fit, and ``fits`` is how likely the size chosen fits, on average.

    Args:
        fitness: float[K], the model's P(fit) of each offer.
        shoppers: N labels of the rows' shoppers, who are resampled.
        num_resamples: where over 0, ``interval`` holds the 95 % intervals.
    """
    orders, order = np.unique(offered.row, return_inverse=True)
    ways = {"model": fitness, "usual": offered.usual, "most_kept": offered.kept}
    if offered.oracle is not None:
        ways["oracle"] = offered.oracle
    chosen = {way: first_of(order.astype(np.int64), own) for way, own in ways.items()}
    told: dict[str, dict[str, Array]] = {"top1": {way: offered.right[own] for way, own in chosen.items()}}
    if offered.oracle is not None:
        best = chosen["oracle"]
        told["best"] = {way: own == best for way, own in chosen.items() if way != "oracle"}
        told["fits"] = {way: offered.oracle[own] for way, own in chosen.items()}
    found: dict[str, Any] = {
        "num": len(orders),
        "num_sizes": len(order) / len(orders),
        **_each(told, lambda own: float(own.mean())),
    }
    if num_resamples:
        resamples = Resamples(shoppers[orders], num_resamples)
        found["interval"] = _each(told, lambda own: interval(resamples.means(own[:, None])[:, 0]))
    return found


def first_of(order: Ints, fitness: Array) -> Ints:
    """Return, per order, the number of the offer that the service would return, int64[orders].

    Args:
        order: int64[K], each offer's order, from 0.
        fitness: float[K], P(fit).
    """
    fit = np.zeros((len(order), len(FIT_CLASSES)), dtype=np.float32)
    fit[:, FIT_CLASSES.index("fit")] = fitness
    places = np.zeros(len(order), dtype=np.int64)
    choices = choose(Offers(order, places, _NONE), Scores(fit, _NONE, _NONE))
    found = np.zeros(len(choices), dtype=np.int64)
    for choice in choices:
        found[choice.garment] = choice.row
    return found


def _each(told: dict[str, dict[str, Array]], what: Callable[[Array], Any]) -> dict[str, dict[str, Any]]:
    return {question: {way: what(own) for way, own in ways.items()} for question, ways in told.items()}

"""Tells how a mask closes gaps between limbs, and how broad it makes the trunk, beside the true silhouette.

It knows runs of rows and no photos: a gap is what lies between two runs of the true silhouette in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]

PARTS = {"beside the trunk": (0.2, 0.53), "between the legs": (0.53, 0.93)}
"""Rows of gaps from the top of the head, as shares of the person's height."""
_WIDTHS = (0, 1, 2, 3, 4, 6, 10, np.inf)
"""Borders of the classes of gaps by their true width, pixels."""
_FEW = 40
"""Gaps of rows, of fewer of which nothing is told."""


def gaps_of(true: Bools, other: Bools, top: float, tall: float, fineness: int) -> Array:
    """Return the true gaps of a figure, float64[G, 3]: the row, the width, and what of it the other mask leaves free.

    Args:
        true, other: bool[H, W], in the same frame.
        top, tall: where the figure starts and how tall it is, rows of the frame.
        fineness: pixels of the frame in one in which widths are told; rows are told as shares of the height.
    """
    steps = np.diff(np.pad(true, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(steps == 1), np.argwhere(steps == -1)
    same = starts[1:, 0] == ends[:-1, 0]
    row, left, right = ends[:-1][same, 0], ends[:-1][same, 1], starts[1:][same, 1]
    free = np.pad(np.cumsum(~other, axis=1), ((0, 0), (1, 0)))
    return np.column_stack([(row - top) / tall, (right - left) / fineness, (free[row, right] - free[row, left]) / fineness])


def trunk_widened(true: Bools, other: Bools, rows: tuple[float, float], fineness: int) -> float:
    """Return by how much the other mask's run about the middle of the broadest true one is broader, mean over some rows.

    Args:
        true, other: bool[H, W], in the same frame.
        rows: the first and the end, rows of the frame.
        fineness: pixels of the frame in one in which the answer is told.
    """
    told = []
    for row in range(round(rows[0]), round(rows[1])):
        ours, theirs = _runs(true[row]), _runs(other[row])
        if len(ours) and len(theirs):
            broadest = ours[np.argmax(np.ptp(ours, axis=1))]
            nearest = theirs[np.argmin(np.abs(theirs.sum(axis=1) - broadest.sum()))]
            told.append(np.ptp(nearest) - np.ptp(broadest))
    return float(np.mean(told)) / fineness if told else 0.0


def closed_gaps(figures: Sequence[Array]) -> dict[str, Any]:
    """Return, by part of the body, which share of the gaps that `gaps_of` returned for each figure is closed.

    ``share`` is the mean over figures and ``sd`` their spread; ``of_width`` tells it by the true width, and
    ``narrowed`` by how much the gaps that stay open are narrower than the true ones, in pixels.
    """
    return {
        name: _told([gaps[(gaps[:, 0] >= low) & (gaps[:, 0] < end)] for gaps in figures])
        for name, (low, end) in PARTS.items()
    }


def _told(figures: list[Array]) -> dict[str, Any]:
    shares = np.array([(gaps[:, 2] == 0).mean() for gaps in figures if len(gaps) > _FEW])
    if not len(shares):
        return {"photos": 0}
    gaps, classes = np.concatenate(figures), {}
    narrowed = {}
    for low, end in pairwise(_WIDTHS):
        chosen = gaps[(gaps[:, 1] >= low) & (gaps[:, 1] < end)]
        if len(chosen) > _FEW:
            still = chosen[chosen[:, 2] > 0]
            classes[f"{low:g}-{end:g}"] = round(1 - len(still) / len(chosen), 3)
            narrowed[f"{low:g}-{end:g}"] = round(float((still[:, 1] - still[:, 2]).mean()), 2) if len(still) else None
    spread = {"share": round(float(shares.mean()), 3), "sd": round(float(shares.std()), 3)}
    return {"photos": len(shares), **spread, "of_width": classes, "narrowed": narrowed}


def _runs(row: Bools) -> npt.NDArray[np.int64]:
    """Return the start and end of each run of a row, int64[R, 2]."""
    return np.flatnonzero(np.diff(np.pad(row, 1).astype(np.int8))).reshape(-1, 2)

"""Fills polygons to a fraction of a pixel: PIL cuts corners to whole pixels and paints every pixel that an edge touches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def filled(outlines: Sequence[Array], height: int, width: int) -> Bools:
    """Return the pixels whose middles any of the polygons covers, bool[height, width].

    Where a polygon crosses itself it is filled between its first and second edge of a row, its third and fourth, and so on.

    Args:
        outlines: float64[P, 2] each, x and y in pixels from the upper left corner.
    """
    lengths = [len(outline) for outline in outlines]
    last = np.cumsum(lengths) - 1
    following = np.arange(1, last[-1] + 2)
    following[last] = last + 1 - lengths
    points = np.concatenate(outlines)
    x, y = points.T
    rows = np.ceil(y - 0.5).clip(0, height).astype(np.int64)  # the first row whose middle is not above a point
    first, end = np.minimum(rows, rows[following]), np.maximum(rows, rows[following])
    edges = np.repeat(np.arange(len(points)), end - first)
    row = np.arange(len(edges)) - np.repeat(np.cumsum(end - first) - end, end - first)
    slope = (x[following] - x) / np.where(y[following] == y, 1, y[following] - y)
    column = np.ceil(x[edges] + slope[edges] * (row + 0.5 - y[edges]) - 0.5).clip(0, width).astype(np.int64)
    owner = np.repeat(np.arange(len(outlines)), lengths)[edges]
    crossings = np.sort((owner * height + row) * (width + 1) + column) % (height * (width + 1))
    opened = np.zeros(height * (width + 1), dtype=np.int8)
    for side, change in ((0, 1), (1, -1)):
        np.add.at(opened, crossings[side::2], np.int8(change))
    return np.cumsum(opened.reshape(height, width + 1)[:, :-1], axis=1, dtype=np.int8) > 0

"""Connected regions of a mask; it knows not what a mask shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]


def main_regions(mask: Bools, least_share: float) -> Bools:
    """Return a mask, bool[H, W], without the 4-connected regions that are smaller than a share of the largest."""
    labels = components(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= max(1.0, least_share * float(sizes.max())))[labels])


def components(mask: Bools) -> npt.NDArray[np.int64]:
    """Return int64[H, W], 0 outside and a number from 1 per 4-connected region.

    Runs of a row are nodes, joined where runs of neighbouring rows overlap (Rosenfeld and Pfaltz, 1966).
    """
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    parent = list(range(len(rows)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    first = np.searchsorted(rows, np.arange(mask.shape[0] + 1))
    for row in range(1, mask.shape[0]):
        for node in range(first[row], first[row + 1]):
            for above in range(first[row - 1], first[row]):
                if starts[above] < ends[node] and starts[node] < ends[above]:
                    parent[root(node)] = root(above)
    labels = np.zeros(mask.shape, dtype=np.int64)
    for node in range(len(rows)):
        labels[rows[node], starts[node] : ends[node]] = root(node) + 1
    return labels

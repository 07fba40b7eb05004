"""From a photo to the shopper's silhouette, and the frame in which every silhouette is seen.

The person is what differs from the background as the photo's border shows it; that suits plain backgrounds only, and
anything that does not look like one whole upright person is refused with a reason rather than guessed at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from .photo import RGB, Mask

FRAME_MARGIN = 0.04
"""Free border of a framed mask, as a share of its height."""
_WORK_PX = 256
_REASONS = {
    "no_person": "no person stands out from the background",
    "not_full_body": "the whole body, head to feet, is not in the picture",
    "not_upright": "the person is not upright",
    "too_small": "the person is too small in the picture",
    "several": "more than one person or large object is in the picture",
}


@dataclass(frozen=True)
class Person:
    """What was found in a photo."""

    mask: Mask | None
    """uint8[H, W], 255 where the person is; None where the photo cannot be used."""
    reason: str = ""
    """Why not; empty when usable."""


def find_person(photo: RGB) -> Person:
    """Return the silhouette of the one whole person in a photo with a plain background.

    Args:
        photo: uint8[H, W, 3].
    """
    image = Image.fromarray(photo)
    image.thumbnail((_WORK_PX, _WORK_PX), Image.Resampling.BOX)
    pixels = np.asarray(image.filter(ImageFilter.MedianFilter(3)), dtype=np.float32)
    mask, share = _largest(_foreground(pixels))
    fault = _fault(mask, share)
    return Person(None, _REASONS[fault]) if fault else Person((mask * 255).astype(np.uint8))


def frame_mask(mask: Mask, height: int, width: int) -> Mask:
    """Return a mask moved and scaled so that the person fills height x width, proportions kept.

    Its values are the share of each pixel that the person covers, 0 to 255: at a border cut to whole pixels, a waist of
    a frame this small would be told to a few percent only.

    Args:
        mask: uint8[H, W], over half of its largest value where the person is; an empty one stays empty.
    """
    inside = mask > mask.max(initial=0) // 2
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    framed = np.zeros((height, width), dtype=np.uint8)
    if not len(rows):
        return framed
    crop = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = min(height * (1 - 2 * FRAME_MARGIN) / crop.shape[0], width / crop.shape[1])
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    person = Image.fromarray((crop * 255).astype(np.uint8)).resize(size, Image.Resampling.BOX)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    framed[top : top + size[1], left : left + size[0]] = person
    return framed


def _foreground(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return where a photo differs from a plane of colour fitted to its left, right and upper border."""
    height, width, _ = pixels.shape
    rows, columns = np.mgrid[0:height, 0:width]
    edge = max(2, width // 25)
    border = (columns < edge) | (columns >= width - edge) | (rows < edge)
    design = np.stack([np.ones_like(rows), rows / height, columns / width, (rows / height) ** 2], axis=-1).astype(float)
    plane, *_ = np.linalg.lstsq(design[border], pixels[border], rcond=None)
    distance = np.linalg.norm(pixels - design @ plane, axis=-1)
    noise = float(np.percentile(distance[border], 90))
    return np.asarray(distance > max(18.0, 2.5 * noise))


def _largest(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], float]:
    """Return the largest connected region with its holes filled, and its share of all foreground."""
    labels = _components(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    if sizes.max(initial=0) == 0:
        return np.zeros_like(mask), 0.0
    best = labels == int(sizes.argmax())
    outside = _components(~best)
    touching = np.unique(np.concatenate([outside[0], outside[-1], outside[:, 0], outside[:, -1]]))
    filled = best | ~np.isin(outside, touching[touching > 0])
    return filled, float(sizes.max() / sizes.sum())


def _components(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
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


def _fault(mask: npt.NDArray[np.bool_], share: float) -> str:
    """Return the key of the first reason to refuse a mask, or an empty string."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows) or mask.mean() > 0.7:
        return "no_person"
    tall, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    if tall < 0.4 * mask.shape[0]:
        return "too_small"
    if share < 0.7:
        return "several"
    if rows[0] == 0 or rows[-1] >= mask.shape[0] - 1:
        return "not_full_body"
    if tall < 1.2 * wide:
        return "not_upright"
    head = mask[rows[0] : rows[0] + max(1, tall // 20)].sum(axis=1).mean() / tall
    if tall < 1.6 * wide or head > 0.2:
        return "not_full_body"
    return ""

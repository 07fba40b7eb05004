"""From a photo to the shopper's silhouette, and the frame in which every silhouette is seen.

Whom it shows, and where, is told by `pose`; whether the picture can be used, by `usability`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .photo import RGB, Mask
from .pose import pose_model
from .refusals import REFUSALS
from .regions import main_regions
from .usability import fault_of, is_alone, main_person

FRAME_MARGIN = 0.04
"""Free border of a framed mask, as a share of its height."""
_LEAST_SHARE = 0.03
"""A region of the mask that is smaller, as a share of the largest, is no part of the person."""
_MOST_PX = 4096
"""Longer side of a frame in a mask's own pixels; masks of which it would be longer are averaged down first."""


@dataclass(frozen=True)
class Person:
    """What was found in a photo."""

    mask: Mask | None
    """uint8[H, W], 255 where the person is; None where the photo cannot be used."""
    reason: str = ""
    """Why not, a sentence of `REFUSALS`; empty when usable."""


def find_person(photo: RGB) -> Person:
    """Return the silhouette of the one whole person who stands in a photo.

    Args:
        photo: uint8[H, W, 3].

    Raises:
        CheckpointError: the installation's pose networks are damaged.
    """
    model = pose_model()
    people = model.detect(photo)
    if not people:
        return Person(None, REFUSALS["no_person"])
    chosen = main_person(people)
    pose = model.pose(photo, chosen)
    fault = fault_of(pose, *photo.shape[:2], alone=is_alone(chosen, people))
    if fault:
        return Person(None, REFUSALS[fault])
    whole = np.where(main_regions(pose.mask >= 128, _LEAST_SHARE), pose.mask, 0).astype(np.uint8)
    return Person(pose.laid_out(whole, *photo.shape[:2]))


def frame_mask(mask: Mask, height: int, width: int) -> Mask:
    """Return a mask moved and scaled so that the person fills height x width, proportions kept.

    Its values are the share of each pixel that the person covers, 0 to 255: at a border cut to whole pixels, a waist of
    a frame this small would be told to a few percent only.

    Args:
        mask: uint8[H, W], over half of its largest value where the person is; an empty one stays empty, and so does one of
            specks too far apart for any to be seen in a frame.
    """
    inside = mask > mask.max(initial=0) // 2
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return np.zeros((height, width), dtype=np.uint8)
    crop = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    tall, wide = crop.shape
    scale = min(height * (1 - 2 * FRAME_MARGIN) / tall, width / wide)
    crop = crop.astype(np.uint8) * np.uint8(255)
    shrink = int(np.ceil(max(height, width) / scale / _MOST_PX))
    if shrink > 1:
        crop, tall, wide, scale = _averaged(crop, shrink), tall / shrink, wide / shrink, scale * shrink
    beyond = (height / scale - tall) / 2, (width / scale - wide) / 2  # of the frame over the person, in the mask's pixels
    pad = [int(np.ceil(max(side, 0.0))) + 1 for side in beyond]
    padded = np.pad(crop, [(side, side) for side in pad])
    top, left = pad[0] - beyond[0], pad[1] - beyond[1]
    box = (left, top, left + width / scale, top + height / scale)
    framed = Image.fromarray(padded).resize((width, height), Image.Resampling.BILINEAR, box)
    return np.asarray(framed)


def _averaged(crop: Mask, shrink: int) -> Mask:
    """Return means of squares of `shrink` pixels, from the upper left on; empty beyond the border."""
    beyond = [(0, -side % shrink) for side in crop.shape]
    return np.asarray(Image.fromarray(np.pad(crop, beyond)).reduce(shrink))

"""The faults of the masks that `tryon_core.person` finds in photos, drawn on silhouettes that have none.

Their sizes are fitted to rendered photos, sent as phones send them, whose true silhouettes are known
(``python -m train.mask_study``); real photos, of which no truth is at hand, disagree with themselves about twice as much
when mirrored or seen from a little farther off, so that the restlessness of the edge is drawn from one to that.
Lengths are in shares of the person's height.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Pixels = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

_SOFTNESS = 0.0032
"""SD of the blur in whose slope the edge is moved; it closes gaps of up to about 0.0045 by itself."""
_RESTLESSNESS = (0.0010, 0.0018)
"""Range of the SD of the edge's place about its mean in one mask."""
_MEAN_SD = 0.0003
"""Of the edge's mean place over masks; the mean of those is on the true edge."""
_CELL = 0.024
"""Distance over which neighbouring places of the edge move together."""
_CROTCH = 0.53
"""From the top of the head."""
_GAP_ABOVE, _GAP_BELOW = (1.6, 0.0056), (1.0, 0.0040)
"""Shape and scale of the gamma distribution of the width under which gaps are closed, above and below the crotch.

Found masks tell legs apart better than arms from the trunk: of gaps between 0.0056 and 0.0113 of the height wide, they
close 62 % above the crotch and 25 % below it.
"""
_LOST_FEET, _LOST = 0.01, (0.005, 0.04)
"""Share of the masks that end above the feet, and range of what is lost."""
_STRAY, _STRAY_RADIUS = 0.03, (0.006, 0.02)
"""Share of the masks with a spot on the edge that is lost or wrongly there, and range of its radius."""
_ROOM = 0.04
"""About the person, within which all faults are."""
_HOLED, _HOLE_RADIUS = 0.02, (0.003, 0.008)
"""Share of the masks with a hole, and range of its radius."""


def blemish(mask: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a silhouette, uint8[H, W], 0 or 255, with a segmenter's faults; an empty one stays empty."""
    faulty = mask.copy()
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):
        tall = float(rows[-1] - rows[0] + 1)
        room = int(np.ceil(_ROOM * tall))
        near = tuple(slice(max(side[0] - room, 0), side[-1] + 1 + room) for side in (rows, columns))
        faulty[near] = _blemished(mask[near], tall, rng)
    return faulty


def _blemished(mask: Pixels, tall: float, rng: np.random.Generator) -> Pixels:
    reach = [rng.gamma(*gap) * tall for gap in (_GAP_ABOVE, _GAP_BELOW)]
    closed = Image.fromarray(_closed(mask > 0, *reach).astype(np.uint8) * np.uint8(255))
    soft = np.asarray(closed.filter(ImageFilter.GaussianBlur(_SOFTNESS * tall)), dtype=np.float32)
    slope = 255 / np.sqrt(2 * np.pi) / (_SOFTNESS * tall)
    threshold = (127.5 - slope * _moved(mask.shape, tall, rng)).clip(10, 245)  # beyond, nothing would be everywhere
    faulty = np.where(soft >= threshold, np.uint8(255), np.uint8(0))
    faulty = _spotted(faulty, mask, tall, rng)
    if rng.random() < _LOST_FEET:
        feet = int(np.flatnonzero(mask.any(axis=1))[-1])
        faulty[feet + 1 - int(np.ceil(rng.uniform(*_LOST) * tall)) :] = 0
    return faulty


def _closed(mask: Bools, above_px: float, below_px: float) -> Bools:
    """Return a mask in which gaps up to a width are closed, of another width above and below the crotch."""
    rows = np.flatnonzero(mask.any(axis=1))
    crotch = rows[0] + round(_CROTCH * len(rows))
    return np.concatenate([_bridged(mask, round(above_px))[:crotch], _bridged(mask, round(below_px))[crotch:]])


def _bridged(mask: Bools, gap_px: int) -> Bools:
    """Return a mask with all that its background has no square for that is a pixel broader than `gap_px`."""
    spread = _spread(np.pad(mask, gap_px), gap_px)
    return ~_spread(~spread[::-1, ::-1], gap_px)[::-1, ::-1][
        gap_px : gap_px + mask.shape[0], gap_px : gap_px + mask.shape[1]
    ]


def _spread(mask: Bools, reach: int) -> Bools:
    """Return where a mask is at most `reach` pixels above and to the left."""
    done, wider = 0, mask.copy()
    while done < reach:
        step = min(done + 1, reach - done)
        wider[step:] |= wider[:-step]
        wider[:, step:] |= wider[:, :-step]
        done += step
    return wider


def _moved(shape: tuple[int, ...], tall: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return by how many pixels the edge moves outwards at each place, float32[H, W]."""
    height, width = shape
    cell = max(2.0, _CELL * tall)
    coarse = rng.standard_normal((int(height / cell) + 2, int(width / cell) + 2)).astype(np.float32)
    field = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    spread = rng.uniform(*_RESTLESSNESS) / max(float(coarse.std()), 1e-6)
    return np.asarray(tall * (rng.normal(0, _MEAN_SD) + spread * field), dtype=np.float32)


def _spotted(faulty: Pixels, mask: Pixels, tall: float, rng: np.random.Generator) -> Pixels:
    """Return a mask with, now and then, a spot on its edge that is lost or wrongly there, and a hole."""
    image, rows = Image.fromarray(faulty), np.flatnonzero(mask.any(axis=1))
    for share, radii, at_edge in ((_STRAY, _STRAY_RADIUS, True), (_HOLED, _HOLE_RADIUS, False)):
        if rng.random() < share:
            y = int(rng.choice(rows))
            inside = np.flatnonzero(mask[y])
            x = int(inside[-int(rng.integers(2))] if at_edge else rng.choice(inside))
            r, fill = rng.uniform(*radii) * tall, 255 * int(at_edge and rng.random() < 0.5)
            ImageDraw.Draw(image).ellipse((x - r, y - r, x + r, y + r), fill=fill)
    return np.array(image)

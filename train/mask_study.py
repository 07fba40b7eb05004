"""Compares the masks that are found in rendered photos, and those that `train.data.faults` draws, with true silhouettes.

``python -m train.mask_study --photos 200 --out FILE`` is what the numbers of `train.data.faults` are fitted to. Photos
are of the simulated shop's people, of several sizes, a little soft, compressed as JPEG. Lengths are in pixels of a frame
of 192 rows, in which a person is about 177 pixels tall; an outline that is too large has positive offsets.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter

from tryon_core.person import FRAME_MARGIN, find_person, frame_mask
from tryon_core.photo import decode
from tryon_core.refusals import refusal_code
from tryon_core.regions import components

from .data.faults import blemish
from .data.figures import render_mask
from .data.sim import Shop, SimConfig, build_shop, photo_of
from .mask_gaps import closed_gaps, gaps_of, trunk_widened

log = logging.getLogger(__name__)
Pixels = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]
Frame = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], float, float]

REGIONS = {
    "head": (0.0, 0.13),
    "shoulders": (0.16, 0.26),
    "chest": (0.26, 0.36),
    "waist": (0.36, 0.43),
    "hips": (0.43, 0.53),
    "thighs": (0.53, 0.72),
    "shins": (0.72, 0.93),
    "feet": (0.94, 1.0),
}
"""Rows from the top of the head, as shares of the person's height."""
_TRUNK = ("shoulders", "chest", "waist", "hips")
_FRAME_ROWS, _FINENESS, _MARGIN = 192, 4, 0.05
_DRAWN_ROWS = 384
"""Height of the masks on which faults are drawn."""
_SOFTNESS = 1.5
"""SD of the blur from whose value at the true outline the offset of the other one is read."""
_ROUGH = 0.002
"""Most blur of a photo, as a share of its height."""
_DISTANCES = (0, 1, 2, 3, 5, 8, 12, 20)


def study(photos: int, seed: int) -> dict[str, Any]:
    """Return what is refused, and the faults of found and of drawn masks, of as many people of a shop."""
    shop = build_shop(SimConfig(seed=seed, shoppers=photos, garments=20, brands=5, orders=50))
    refused: Counter[str] = Counter()
    found, drawn = [], []
    for index in range(photos):
        rng = np.random.default_rng([seed, index])
        height = int(rng.integers(320, 1025))
        person = find_person(decode(_sent(photo_of(shop, index, height, height * 2 // 3), rng)))
        if person.mask is None:
            refused[refusal_code(person.reason) or ""] += 1
        else:
            found.append((_true(shop, index, height), person.mask))
        silhouette = _true(shop, index, _DRAWN_ROWS)
        drawn.append((silhouette, blemish(silhouette, rng)))
    shares = {code: count / photos for code, count in refused.items()}
    return {"photos": photos, "refused": shares, "found": faults(found), "drawn": faults(drawn)}


def faults(pairs: list[tuple[Pixels, Pixels]]) -> dict[str, Any]:
    """Return the statistics of (true, other) masks of one size, uint8[H, W]."""
    framed = [[frame_mask(mask, _FRAME_ROWS, 128) > 0 for mask in pair] for pair in pairs]
    outlines = [offsets(*pair) for pair in pairs]
    frames = [_in_frame(*pair) for pair in pairs]
    extents = np.array([_extents(*pair) for pair in pairs])
    return {
        "iou": _percentiles([_overlap(*pair) for pair in framed]),
        "outer": {name: _spread([o.of(name, outer=True) for o in outlines]) for name in REGIONS},
        "gaps": {name: _spread([o.of(name, outer=False) for o in outlines]) for name in REGIONS},
        "closed": closed_gaps([gaps_of(*frame, _FINENESS) for frame in frames]),
        "trunk": {name: _percentiles([_widened(frame, REGIONS[name]) for frame in frames]) for name in _TRUNK},
        "correlation": dict(zip(_DISTANCES[1:], _correlation(outlines), strict=True)),
        "top": _percentiles(extents[:, 0]),
        "bottom": _percentiles(extents[:, 1]),
        "lost_feet": round(float((extents[:, 1] < -2).mean()), 4),
        "lost_hands": round(float((extents[:, 2] < -2).mean()), 4),
        "holes": round(float(np.mean([_enclosed(other) > _enclosed(true) for true, other in framed])), 4),
    }


class Offsets:
    """How far a mask's outline is from the true one, at points of the true one.

    Args:
        places: int64[P, 2], row and column in a frame four times as fine.
        values: float64[P], pixels of the frame, outwards.
        rows: float64[P], from the top of the head, shares of the person's height.
        outer: bool[P], whether a point is the first or last of its row; the others are at gaps between limbs.
    """

    def __init__(
        self, places: npt.NDArray[np.int64], values: Array, rows: npt.NDArray[Any], outer: npt.NDArray[np.bool_]
    ) -> None:
        self.places, self.values, self.rows, self.outer = places, values, rows, outer

    def of(self, region: str, *, outer: bool) -> Array:
        """Return the offsets in one of `REGIONS`, of the figure's outer edges or of its gaps."""
        low, high = REGIONS[region]
        chosen: Array = self.values[(self.rows >= low) & (self.rows < high) & (self.outer == outer)]
        return chosen


def offsets(true: Pixels, other: Pixels) -> Offsets:
    """Return the offsets between two masks of a person, uint8[H, W], in the frame of the true one."""
    ours, theirs, top, tall = _in_frame(true, other)
    inner = np.pad(ours, 1, mode="edge")
    edge = ours & ~(inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:])
    places = np.argwhere(edge)
    y, x = places.T
    values = _SOFTNESS * (_probit(_soft(theirs)[y, x]) - _probit(_soft(ours)[y, x]))
    first, last = ours.argmax(axis=1)[y], ours.shape[1] - 1 - ours[:, ::-1].argmax(axis=1)[y]
    return Offsets(places, values, (y - top) / tall, np.minimum(np.abs(x - first), np.abs(x - last)) <= 2)


def _in_frame(true: Pixels, other: Pixels) -> Frame:
    """Return both masks in the true one's frame, bool[H, W], with the row of its top and its height there."""
    rows, columns = np.flatnonzero(true.any(axis=1)), np.flatnonzero(true.any(axis=0))
    tall, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    margin, scale = _MARGIN * tall, _FINENESS * _FRAME_ROWS * (1 - 2 * FRAME_MARGIN) / tall
    box = (columns[0] - margin, rows[0] - margin, columns[-1] + 1 + margin, rows[-1] + 1 + margin)
    size = (round((wide + 2 * margin) * scale), round((tall + 2 * margin) * scale))
    extent, smooth = Image.Transform.EXTENT, Image.Resampling.BILINEAR
    ours, theirs = (np.asarray(Image.fromarray(m).transform(size, extent, box, smooth)) >= 128 for m in (true, other))
    return ours, theirs, margin * scale, tall * scale


def _widened(frame: Frame, region: tuple[float, float]) -> float:
    ours, theirs, top, tall = frame
    return trunk_widened(ours, theirs, (top + region[0] * tall, top + region[1] * tall), _FINENESS)


def _soft(mask: npt.NDArray[np.bool_]) -> Array:
    image = Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).filter(ImageFilter.GaussianBlur(_SOFTNESS * _FINENESS))
    return np.asarray(image, dtype=np.float64) / 255


def _probit(shares: Array) -> Array:
    """Return how many SDs beyond a straight edge a blurred mask has these values."""
    return np.asarray(torch.special.ndtri(torch.from_numpy(shares.clip(1e-3, 1 - 1e-3))).numpy())


def _enclosed(mask: npt.NDArray[np.bool_]) -> int:
    """Return how many regions a mask encloses, of which there is one between an arm and the trunk that it touches."""
    return len(np.unique(components(np.pad(~mask, 1, constant_values=True)))) - 2


def _extents(true: Pixels, other: Pixels) -> tuple[float, float, float]:
    """Return by how much the other mask goes beyond the top, the bottom and, on the worse side, the side of the true one."""
    ours, theirs, _, _ = _in_frame(true, other)
    (top, bottom), (left, right) = ([np.flatnonzero(m.any(axis=axis))[[0, -1]] for m in (ours, theirs)] for axis in (1, 0))
    side = min(left[0] - right[0], right[1] - left[1])
    return (top[0] - bottom[0]) / _FINENESS, (bottom[1] - top[1]) / _FINENESS, float(side) / _FINENESS


def _correlation(outlines: list[Offsets]) -> list[float]:
    """Return the correlation of offsets on the outer edge by their distance, between neighbours of `_DISTANCES`."""
    sums = []
    for outline in outlines:
        chosen = np.random.default_rng(0).choice(np.flatnonzero(outline.outer), 300)
        values = outline.values[chosen].clip(-4, 4)
        values = values - values.mean()
        apart = np.hypot(*(outline.places[chosen][:, None] - outline.places[chosen]).T) / _FINENESS
        products = np.outer(values, values) / max(float(values.var()), 1e-9)
        spans = itertools.pairwise(_DISTANCES)
        sums.append([float(products[(apart > low) & (apart <= high)].mean()) for low, high in spans])
    return [round(float(value), 3) for value in np.mean(sums, axis=0)]


def _spread(groups: list[Array]) -> dict[str, float]:
    """Return the bias, the SD of the photos' means and the median SD within a photo, of photos with enough points."""
    told = [(group.mean(), group.std()) for group in groups if len(group) > 20]
    if not told:
        return {"photos": 0}
    means, within = np.array(told).T
    named = {"bias": means.mean(), "sd_of_means": means.std(), "sd_within": np.median(within)}
    return {"photos": len(told)} | {name: round(float(value), 3) for name, value in named.items()}


def _percentiles(values: list[float] | Array) -> dict[str, float]:
    return {f"p{p}": round(float(np.percentile(values, p)), 3) for p in (1, 5, 25, 50, 75, 95, 99)}


def _overlap(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


def _true(shop: Shop, index: int, height: int) -> Pixels:
    return render_mask(shop.bodies.row(index), shop.shoppers[index].view, height, height * 2 // 3)


def _sent(photo: Pixels, rng: np.random.Generator) -> bytes:
    """Return a photo as a phone might send it, JPEG."""
    file = io.BytesIO()
    blurred = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(rng.uniform(0, _ROUGH) * len(photo)))
    blurred.save(file, "JPEG", quality=int(rng.integers(50, 95)))
    return file.getvalue()


def main(arguments: list[str] | None = None) -> None:
    """Write the statistics as JSON, and log how gaps are closed in found and in drawn masks."""
    parser = argparse.ArgumentParser(prog="python -m train.mask_study", description=main.__doc__)
    parser.add_argument("--photos", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(arguments)
    told = study(options.photos, options.seed)
    for kind in ("found", "drawn"):
        for part, gaps in told[kind]["closed"].items():
            log.info("%s: of the gaps %s, closed %s; by their width %s", kind, part, gaps.get("share"), gaps.get("of_width"))
        log.info("%s: IoU %s; by how much the waist is broader %s", kind, told[kind]["iou"], told[kind]["trunk"]["waist"])
    options.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    log.info("wrote %s", options.out)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()

"""Whether a size chart can be meant as it is written: ranges in cm that bodies and garments have, rising with the size.

A chart in inches, or with two columns exchanged, gives wrong advice without looking wrong to anyone; so sizes whose lines
cannot be meant are named and nothing of the garment is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from tryon_core.folding import fold
from tryon_core.garment import Garment, Size
from tryon_core.words import parse_size

Bounds = Mapping[str, tuple[float, float]]
Problem = tuple[str, str]
"""JSON pointer below the garment, and what is wrong there."""

_ADULTS: Bounds = {
    "chest_cm": (65, 180),
    "waist_cm": (50, 180),
    "hip_cm": (68, 190),
    "thigh_cm": (36, 115),
    "inseam_cm": (5, 110),
    "sleeve_cm": (8, 105),
    "neck_cm": (27, 60),
    "height_cm": (130, 230),
}
"""Of bodies; inseam and sleeve also as garments have them, which may be short."""
_CHILDREN: Bounds = {
    "chest_cm": (35, 115),
    "waist_cm": (35, 110),
    "hip_cm": (35, 120),
    "thigh_cm": (18, 75),
    "inseam_cm": (5, 95),
    "sleeve_cm": (8, 85),
    "neck_cm": (17, 45),
    "height_cm": (44, 190),
}
_ROOM = (0.85, 1.5)
"""Of garments as against bodies: knitwear stretches, coats are wide."""
_YOUNG = re.compile(
    r"\b(?:kids?|child(?:ren)?|bab(?:y|ies|ys)|infants?|toddlers?|newborns?|boys?|girls?|juniors?|teens?)\b"
    r"|\b(?:kind(?:er)?|mädchen|jungen?|säuglinge?)|童|婴|宝宝|男孩|女孩"
)
_GIRTHS = ("chest_cm", "waist_cm", "hip_cm", "thigh_cm", "neck_cm")
_INCH_CM = 2.54
_SLACK_CM = 1.0
"""How much smaller a larger size may be: charts are rounded."""


def chart_problems(garment: Garment) -> list[Problem]:
    """Return what cannot be meant in a garment's chart, size by size."""
    limits = _CHILDREN if _is_young(garment) else _ADULTS
    found = [problem for at, size in enumerate(garment.sizes) for problem in _outliers(at, size, limits)]
    return found or [(pointer, detail) for pointer, detail in _falls(garment, _ladder(garment.sizes))]


def chart_warnings(garment: Garment) -> list[str]:
    """Return what looks wrong in a chart and may be meant: labels whose order is not known, with girths that fall."""
    if not garment.sizes or _ladder(garment.sizes) is not None:
        return []
    return [detail for _, detail in _falls(garment, list(range(len(garment.sizes))))]


def _outliers(at: int, size: Size, limits: Bounds) -> Iterator[Problem]:
    scale = _ROOM if size.chart_of == "garment" else (1.0, 1.0)
    for key, (low, high) in size.chart.items():
        least, most = limits[key][0] * scale[0], limits[key][1] * scale[1]
        if least <= low and high <= most:
            continue
        told = f"expected {key} of size {size.label!r} between {least:.0f} and {most:.0f} cm, got [{low:g}, {high:g}]"
        yield f"/sizes/{at}/chart/{key}", told + _hint(size, low, high, (least, most))


def _hint(size: Size, low: float, high: float, bounds: tuple[float, float]) -> str:
    least, most = bounds
    if size.chart_of == "garment" and least <= 2 * low and 2 * high <= most:
        inches = f"[{low * _INCH_CM:.1f}, {high * _INCH_CM:.1f}]"
        return f"; a garment laid flat shows half of its girth, and as inches it would be {inches}"
    for factor, meant in ((_INCH_CM, "inches"), (0.1, "mm")):
        if least <= low * factor and high * factor <= most:
            return f"; as {meant} it would be [{low * factor:.1f}, {high * factor:.1f}]"
    return ""


def _falls(garment: Garment, order: Sequence[int] | None) -> Iterator[Problem]:
    """Yield where a girth is smaller than that of a size before, by the middles of their ranges."""
    last: dict[tuple[str, str], tuple[float, str]] = {}
    for at in order or ():
        size = garment.sizes[at]
        for key in _GIRTHS:
            if key not in size.chart:
                continue
            middle = sum(size.chart[key]) / 2
            before, label = last.get((size.chart_of, key), (0.0, ""))
            if middle < before - _SLACK_CM:
                told = (
                    f"expected {key} to rise with the size, got {middle:g} for {size.label!r} after {before:g} for {label!r}"
                )
                yield f"/sizes/{at}/chart/{key}", f"expected {key} to rise with the size, {told}"
            last[size.chart_of, key] = max((middle, size.label), (before, label))


def _ladder(sizes: Sequence[Size]) -> list[int] | None:
    """Return the sizes' places from the smallest on; None where their labels don't tell, as with several lengths of one."""
    parsed = [parse_size(size.label) for size in sizes]
    systems = {found[0] for found in parsed if found}
    values = [found[1] for found in parsed if found]
    if len(systems) != 1 or len(values) < len(sizes) or len(set(values)) < len(sizes):
        return None
    return sorted(range(len(sizes)), key=values.__getitem__)


def in_order(sizes: Sequence[Size]) -> list[int]:
    """Return the sizes' places from the smallest on, as far as their labels tell; else as they came."""
    return _ladder(sizes) or list(range(len(sizes)))


def _is_young(garment: Garment) -> bool:
    return _YOUNG.search(fold(f"{garment.department} {garment.category}")) is not None

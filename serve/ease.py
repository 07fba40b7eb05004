"""How much room a size leaves, in cm by place of the body: its chart beside the shopper's predicted measurements."""

from __future__ import annotations

from collections.abc import Mapping

from tryon_core.garment import Garment, body_ranges

GIRTHS = ("chest_cm", "waist_cm", "hip_cm", "thigh_cm", "neck_cm")
"""Where a garment is tight or loose."""
LENGTHS = ("inseam_cm", "sleeve_cm")
"""Where it is short or long."""
_AT_LEAST_CM = 1.0
"""Less is within how people measure, and how sizes are sewn."""
_OF_HALF_WIDTH = 0.5
"""Share of the half-width of a measurement's interval by which its middle must be out of range for that to be said."""


def ease_of(garment: Garment, position: int, body: Mapping[str, float]) -> dict[str, float]:
    """Return, in tenths of a cm, by how much the shopper's measurements lie outside the ranges of one of the sizes.

    Below 0 the size is tight or short there, over 0 loose or long, and 0 is within its range. Of a chart of the garment laid
    out, over 0 is the room that it has; how much of that is meant nobody says.

    Args:
        body: the shopper's measurements, cm; empty where nothing is known of the shopper.
    """
    size = garment.sizes[position]
    ranges = size.chart if size.chart_of == "garment" else body_ranges(garment, position)
    return {key: _outside(body[key], *ranges[key]) for key in (*GIRTHS, *LENGTHS) if key in ranges and key in body}


def telling(ease: Mapping[str, float], of: str, widths: Mapping[str, float]) -> tuple[str, str] | None:
    """Return how a size is out of range, "tight", "loose", "short" or "long", and at which place; None where it is not.

    It is the place that is furthest too small, else the one that is furthest too large. Of measurements that are known with
    an interval those alone count that are out of range by half of its half-width: `benchmarks.advice` measures how often
    that is right of the true body, and it is said as what may be.

    Args:
        ease: as `ease_of` gives it.
        of: what the chart is of, body or garment.
        widths: half of the interval around each measurement, cm, where it is told.
    """
    told = {key: cm for key, cm in ease.items() if abs(cm) >= max(_AT_LEAST_CM, _OF_HALF_WIDTH * widths.get(key, 0.0))}
    if not told:
        return None
    least, most = min(told, key=lambda key: told[key]), max(told, key=lambda key: told[key])
    if told[least] < 0:
        return ("tight" if least in GIRTHS else "short"), least
    return (("loose" if most in GIRTHS else "long"), most) if of == "body" else None


def _outside(cm: float, low: float, high: float) -> float:
    return round(min(high - cm, 0.0) + max(low - cm, 0.0), 1) + 0.0  # never −0

"""What a shop says of a garment, and how that becomes the words and numbers that the model reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .batch import CHART, SIZE_FIELDS
from .errors import InputError, expected_one_of
from .sizes import SIZE_SYSTEMS
from .words import parse_body, parse_size

LETTERS = ("XS", "S", "M", "L", "XL")
"""Sizes that are assumed where a garment comes without any."""

_GB_HALF_STEP_CM = 2.0
"""Girths of GB/T 1335 labels are 4 cm apart."""
_LEGS = ("pants", "trouser", "jeans", "shorts", "skirt", "legging", "裤", "半身裙")
_WHOLE = ("dress", "jumpsuit", "连衣", "连体")
"""Garments whose label names the waist, and, among words that hold one of these, those whose label names the chest."""


@dataclass(frozen=True)
class Size:
    """One size of a garment."""

    label: str
    in_stock: bool | None = None
    chart: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Chart measurement (see `batch.CHART`) to its range (low, high) in cm."""
    chart_of: str = "body"
    """Whether the ranges are of the body that the size is made for, or of the garment: body or garment."""

    def __post_init__(self) -> None:
        if self.chart_of not in ("body", "garment"):
            raise InputError(expected_one_of("chart of", self.chart_of, ("body", "garment")), "/chart/of")
        for key, (low, high) in self.chart.items():
            if key not in CHART:
                raise InputError(expected_one_of("a chart measurement", key, CHART), f"/chart/{key}")
            if not 0 < low <= high < 300:
                raise InputError(f"expected 0 < low <= high < 300 cm, got [{low}, {high}]", f"/chart/{key}")


@dataclass(frozen=True)
class Garment:
    """A garment as a shop describes it; every text may be empty."""

    id: str
    title: str = ""
    brand: str = ""
    department: str = ""
    category: str = ""
    description: str = ""
    style_id: str = ""
    """Colour variants of one style share fit history under it."""
    size_system: str = ""
    """Of labels that are bare numbers, one of `words.SIZE_SYSTEMS`; others are not looked at."""
    sizes: tuple[Size, ...] = ()

    @property
    def history_id(self) -> str:
        """The name under which fit events of this garment are counted."""
        return self.style_id or self.id


def garment_words(garment: Garment) -> str | None:
    """Return the garment's words as one text; None where the shop said nothing."""
    told = (garment.title, garment.brand, garment.department, garment.category, garment.description)
    return ". ".join(text for text in told if text) or None


def size_numbers(garment: Garment, position: int) -> npt.NDArray[np.float32]:
    """Return part `size` of one of the garment's sizes, float32[len(batch.SIZE_FIELDS)], NaN where unknown.

    A label of GB/T 1335, as 170/92A, stands for the range of chest, or below it of waist, where there is no chart. Ranges of
    the garment laid out are left out: how much wider than the body a garment is meant to be is not known.
    """
    size = garment.sizes[position]
    numbers: dict[str, float] = {}
    labelled = parse_size(size.label)
    if labelled:
        system, value = labelled
        bare = system == "number" and garment.size_system.lower() in SIZE_SYSTEMS
        numbers[garment.size_system.lower() if bare else system] = value
    if len(garment.sizes) > 1:
        numbers["rank"] = position / (len(garment.sizes) - 1)
    ranges = body_ranges(garment, position)
    if size.chart or ranges:
        numbers["of_garment"] = float(not ranges)
    for key, (low, high) in ranges.items():
        numbers[f"{key}_low"], numbers[f"{key}_high"] = low, high
    return np.array([numbers.get(name, np.nan) for name in SIZE_FIELDS], dtype=np.float32)


def body_ranges(garment: Garment, position: int) -> Mapping[str, tuple[float, float]]:
    """Return the ranges of the body that one of the garment's sizes is made for, cm: its chart's, else its label's."""
    size = garment.sizes[position]
    if size.chart:
        return size.chart if size.chart_of == "body" else {}
    labelled = parse_body(size.label)
    if labelled is None:
        return {}
    key = "waist_cm" if _is_of_legs(garment) else "chest_cm"
    return {key: (labelled[1] - _GB_HALF_STEP_CM, labelled[1] + _GB_HALF_STEP_CM)}


def _is_of_legs(garment: Garment) -> bool:
    said = f"{garment.category} {garment.title}".casefold()
    return any(word in said for word in _LEGS) and not any(word in said for word in _WHOLE)


def garment_from_json(data: Mapping[str, Any]) -> Garment:
    """Return a garment from the JSON form of the HTTP API, whose fields have been checked."""
    names = ("title", "brand", "department", "category", "description", "style_id", "size_system")
    texts = {key: data.get(key) or "" for key in names}
    return Garment(id=data["id"], **texts, sizes=tuple(_size(size) for size in data.get("sizes") or ()))


def _size(data: Mapping[str, Any]) -> Size:
    chart = {key: value for key, value in (data.get("chart") or {}).items() if value is not None}
    of = chart.pop("of", "body")
    return Size(data["label"], data.get("in_stock"), {key: (low, high) for key, (low, high) in chart.items()}, of)

"""The contract of an example: its parts, their dtype, shape and unit, and which belong to whom.

Every part may be missing. A batch holds each distinct value once and an index per row, so a photo that meets a
thousand garments, or a garment that meets a thousand shoppers, is encoded once. No torch here: the ingress imports this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import ConfigError, expected_one_of
from .sizes import SIZE_SYSTEMS

MEASUREMENTS = (
    "height_cm",
    "weight_kg",
    "chest_cm",
    "waist_cm",
    "hip_cm",
    "thigh_cm",
    "inseam_cm",
    "sleeve_cm",
    "neck_cm",
)
"""What the `body` task predicts: girths and lengths of the shopper's body in cm, weight in kg."""

CHART = ("chest_cm", "waist_cm", "hip_cm", "thigh_cm", "inseam_cm", "sleeve_cm", "neck_cm", "height_cm")
"""What a size chart may state, as a range in cm, of the body it is made for or of the garment laid out."""

SIZE_FIELDS = (
    *SIZE_SYSTEMS,
    *("rank", "of_garment"),
    *(f"{key}_{end}" for key in CHART for end in ("low", "high")),
)
"""Part `size`: the label's value in its system, its place on the garment's ladder in [0, 1], the chart; NaN unknown."""

HISTORY_FIELDS = tuple(
    f"{source}_{what}"
    for source in ("garment", "garment_size", "shopper")
    for what in ("small", "fit", "large", "log_count")
)
"""Part `history`: per source the smoothed shares of small, fit and large and log(1 + decayed count)."""

TOLD_FIELDS = ("told_height_cm", "told_weight_kg", "told_age", "told_band", "told_cup")
"""What a shopper's words tell of the body in numbers: cm, kg, years, inches of the band, steps of the cup."""

RECORD_FIELDS = (
    *TOLD_FIELDS,
    "spare_size",
    *(f"{source}_effect_{end}" for source in ("garment", "garment_size", "own") for end in ("small", "large")),
    *("log_odds_small", "log_odds_large"),
    *("surprise_small", "surprise_fit", "surprise_large", "own_log_count"),
    *(f"{end}_{what}" for end in ("small", "fit", "large") for what in ("above", "near")),
    "above",
)
"""Part `record`: what body, size, and the verdicts on this garment and on the shopper's own say together; see `record`."""

EASE_FIELDS = tuple(f"{key}_{end}" for key in CHART for end in ("low", "high"))
"""Part `ease`, derived in the model: the chart's bounds less the predicted body, cm; NaN where the chart is silent."""

FIT_CLASSES = ("small", "fit", "large")
"""The garment is too small on this shopper, fits, or is too large."""

CATEGORIES = (
    "t-shirt",
    "longsleeve",
    "shirt",
    "dress",
    "outwear",
    "pants",
    "shorts",
    "skirt",
    "hat",
    "shoes",
)
"""Garment categories, in the order of the `category` task's classes."""

COLOURS = (
    "black",
    "white",
    "grey",
    "navy",
    "blue",
    "green",
    "red",
    "pink",
    "yellow",
    "orange",
    "purple",
    "brown",
)
PATTERNS = ("plain", "striped", "checked", "dotted", "floral")
CUTS = ("slim", "regular", "loose")
DEPARTMENTS = ("women", "men")

LOOKS: dict[str, tuple[str, ...]] = {
    "category": CATEGORIES,
    "colour": COLOURS,
    "pattern": PATTERNS,
    "cut": CUTS,
    "department": DEPARTMENTS,
}
"""What a garment is at a glance: tasks of the garment by these names, and `taste_…` of the shopper, with their classes."""
LOOK_TASKS = (*LOOKS, *(f"taste_{look}" for look in LOOKS))

VERDICT_FIELDS = (*(f"log_{name}" for name in FIT_CLASSES), *(f"taste_{look}" for look in LOOKS))
"""Part `verdict`, derived in the model: log P(small), log P(fit), log P(large), and for each look the log-odds that the
shopper would keep a garment that looks so."""


@dataclass(frozen=True)
class Part:
    """One part of an example."""

    name: str
    kind: Literal["image", "text", "numbers"]
    """image: uint8[H, W] masks (how much of a pixel the person covers) or uint8[H, W, 3] RGB; text: str; numbers:
    float32[width], NaN unknown."""
    owner: Literal["shopper", "garment", "pair", "derived"]
    """Whose it is: one asset of the shopper or the garment, a fact of the pair, or computed by the model itself."""
    width: int = 0
    """Length of a numbers part."""
    spread: float = 1.0
    """Typical size of a numbers part's entries, in their own units, until training data tells."""


PARTS: dict[str, Part] = {}


def register_part(part: Part) -> Part:
    """Add a part to the contract; a model uses it once its config names it.

    Raises:
        ConfigError: another part has that name.
    """
    if PARTS.setdefault(part.name, part) != part:
        raise ConfigError(f"expected a new part name, got {part.name!r}, which is taken")
    return part


register_part(Part("person_mask", "image", "shopper"))
register_part(Part("photo", "image", "shopper"))
register_part(Part("shopper_words", "text", "shopper"))
register_part(Part("garment_image", "image", "garment"))
register_part(Part("garment_words", "text", "garment"))
register_part(Part("size", "numbers", "pair", len(SIZE_FIELDS)))
register_part(Part("history", "numbers", "pair", len(HISTORY_FIELDS)))
register_part(Part("record", "numbers", "pair", len(RECORD_FIELDS)))
register_part(Part("ease", "numbers", "derived", len(EASE_FIELDS), spread=5.0))
register_part(Part("verdict", "numbers", "derived", len(VERDICT_FIELDS)))


def part_named(name: str) -> Part:
    """Return the registered part.

    Raises:
        ConfigError: no part has that name.
    """
    if name not in PARTS:
        raise ConfigError(expected_one_of("part", name, PARTS))
    return PARTS[name]


V = TypeVar("V")


@dataclass(frozen=True)
class Column(Generic[V]):
    """One part of a batch: U distinct values, and for each of B rows which one it has."""

    values: V
    """Whatever the part's encoder takes, its first axis of length U."""
    index: npt.NDArray[np.int64]
    """int64[B], in [0, U); −1 where the row lacks the part."""

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """bool[B], whether each row has the part."""
        return self.index >= 0


def distinct(values: Sequence[Any]) -> tuple[list[Any], npt.NDArray[np.int64]]:
    """Return the distinct values, by identity or equal text, and int64[B] that indexes them; None becomes −1."""
    found: dict[Any, int] = {}
    kept: list[Any] = []
    index = np.full(len(values), -1, dtype=np.int64)
    for row, value in enumerate(values):
        if value is None:
            continue
        key = value if isinstance(value, str) else id(value)
        if key not in found:
            found[key] = len(kept)
            kept.append(value)
        index[row] = found[key]
    return kept, index

"""The names that a shop's tables may have columns by, and which of a table's own were perhaps meant to be one."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from tryon_core.batch import CHART, LOOKS, MEASUREMENTS

from .tables import Table

_ORDERS = ("ordered_at", "outcome", "fit", "reason", "occurred_at", "order_id", "order_line_id", "customer_key")
_SHOPPER = ("usual_size", "sex", "preferences", "shopper_words", *MEASUREMENTS, "photo", "mask")
_GARMENT = (
    "garment_id",
    "style_id",
    "title",
    "brand",
    "description",
    "size_system",
    "garment_words",
    "garment_image",
    *LOOKS,
)
_SIZE = ("size", "chart_of", *(f"{key}_{end}" for key in CHART for end in ("low", "high")))
NAMES = frozenset((*_ORDERS, *_SHOPPER, *_GARMENT, *_SIZE))
"""What `order_lines` documents."""
_ALIKE = 0.82
"""How alike, see `difflib`, a name must be to one that is read to be told; ``chest_cm`` and ``waist_cm`` are not."""


def misspelt(table: Table, own: Collection[str]) -> list[str]:
    """Return a sentence for each column that is not read and has nearly the name of one that the table lacks.

    Args:
        own: columns that are read under names of their own.
    """
    missing = NAMES - set(table.columns)
    found = []
    for name in table.columns:
        close = difflib.get_close_matches(name.casefold(), missing, n=1, cutoff=_ALIKE)
        if close and name not in NAMES and name not in own:
            found.append(f"column {name!r} of {table.file} is not read; did you mean {close[0]!r}?")
    return found

"""What of an answer is kept, with the shopper's consent, so that their orders can be compared with it."""

from __future__ import annotations

import math

from tryon_core.batch import TOLD_FIELDS
from tryon_core.told import told

from .records import Advice, AdvisedItem
from .schema import RecommendationsOut
from .shopper_parts import Kept

_ITEMS = 200
"""The best of an answer that are kept."""
_ROUNDED = 5.0
"""cm and kg: nobody is told apart by them."""


def advice_of(kept: Kept, answer: RecommendationsOut, *, now: float, ttl_s: float) -> Advice:
    """Return the record of an answer: no name, no photo, no embedding, no words; height and weight rounded to 5."""
    body = dict(zip(TOLD_FIELDS, map(float, told([kept.words or ""])[0]), strict=True))
    items = tuple(
        AdvisedItem(one.garment_id, one.size, one.match, (one.fit["small"], one.fit["fit"], one.fit["large"]))
        for one in answer.recommendations[:_ITEMS]
    )
    return Advice(
        recommendation_id=answer.recommendation_id,
        items=items,
        model=answer.model,
        created_at=now,
        expires_at=now + ttl_s,
        shopper_id=kept.told.id,
        height_cm=_rounded(body["told_height_cm"]),
        weight_kg=_rounded(body["told_weight_kg"]),
    )


def _rounded(value: float) -> int | None:
    return None if math.isnan(value) else int(_ROUNDED * round(value / _ROUNDED))

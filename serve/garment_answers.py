"""What is answered of a garment that is kept."""

from __future__ import annotations

from datetime import UTC, datetime

from .categories import category_of
from .charts import chart_warnings
from .records import GarmentRecord
from .schema_garments import CategoryOut, GarmentOut


def answered(record: GarmentRecord) -> GarmentOut:
    """Return a garment as it was told, and what its category and its chart are taken for."""
    given = record.data.get("category")
    category = category_of(given)
    return GarmentOut(
        **record.data,
        id=record.id,
        image=record.image is not None,
        category_mapped=CategoryOut(
            given=given, mapped=category.mapped, advice=category.without is None, reason=category.reason
        ),
        warnings=chart_warnings(record.garment()),
        etag=record.etag,
        updated_at=datetime.fromtimestamp(record.updated_at, UTC).isoformat(timespec="milliseconds"),
    )

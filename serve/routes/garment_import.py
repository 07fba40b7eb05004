"""`POST /v1/garments/import`: a catalogue, streamed, as lines of JSON or as a product feed."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request

from ..body import paced
from ..feeds.source import Source
from ..garment_import import HELD_BYTES, GarmentImport
from ..problems import PROBLEMS
from ..schema_garments import EXAMPLE, GarmentImportOut

router = APIRouter()
_COLUMNS = ("id", "title", "item_group_id", "color", "gender", "google_product_category", "size", "price", "availability")
_ROWS = (
    ("7-S", "Loose dress", "7", "navy", "female", "2271", "S", "49.90 EUR", "in_stock"),
    ("7-M", "Loose dress", "7", "navy", "female", "2271", "M", "49.90 EUR", "out_of_stock"),
)
_ITEM = "".join(f"<g:{name}>{value}</g:{name}>" for name, value in zip(_COLUMNS, _ROWS[0], strict=True))


def _table(delimiter: str) -> str:
    return "\n".join(delimiter.join(row) for row in (_COLUMNS, *_ROWS)) + "\n"


def _content(example: str) -> dict[str, Any]:
    return {"schema": {"type": "string"}, "example": example}


_BODY = {
    "required": True,
    "description": "Each line of application/x-ndjson is a GarmentLine; a product feed is taken as Google specifies it.",
    "content": {
        "application/x-ndjson": _content(
            "".join(json.dumps({"id": f"g{n}", **EXAMPLE}, ensure_ascii=False) + "\n" for n in (1, 2))
        ),
        "text/csv": _content(_table(",")),
        "text/tab-separated-values": _content(_table("\t")),
        "application/xml": _content(
            '<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><item>' + _ITEM + "</item></channel></rss>"
        ),
    },
}


@router.post("/v1/garments/import", responses=PROBLEMS, openapi_extra={"requestBody": _BODY})
async def import_garments(request: Request) -> GarmentImportOut:
    """Keep garments line by line; wrong lines are told by number and the others are kept. Pictures are encoded later.

    Of a product feed, rows with the same `item_group_id`, colour, pattern and material become the sizes of one garment,
    whose id is the group's with these behind it (`7:navy`) and whose `style_id` is the group's; a row without a group is a
    garment of its own id. Each size has its row's id as `sku`. A garment is made up of the rows of the import at hand:
    sizes that the feed no longer has are gone. A picture that cannot be had leaves the garment without one.
    """
    service = request.app.state.service
    request.state.held.add(HELD_BYTES)
    source = Source(request.headers.get("content-type", ""), service.settings.max_line_bytes)
    own = GarmentImport(source, service.store.garments, service.blobs, service.links)
    try:
        return await own.run(paced(request.stream(), service.settings.body_gap_s))
    finally:
        request.app.state.encoding.wake()

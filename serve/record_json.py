"""How records are written as JSON, the same in every store; embeddings stay beside it, as bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .records import Advice, AdvisedItem, Consent, GarmentRecord, OrderLine, PhotoOutcome, ShopperRecord, dumps


def write(record: GarmentRecord | ShopperRecord | Advice) -> str:
    """Return a record's JSON; a shopper's without embeddings."""
    return dumps({name: value for name, value in vars(record).items() if name != "embeddings"})


def read_garment(text: str | bytes) -> GarmentRecord:
    """Return the garment that `write` wrote."""
    return GarmentRecord(**json.loads(text))


def read_shopper(text: str | bytes, embeddings: Mapping[tuple[str, str], bytes]) -> ShopperRecord:
    """Return the shopper that `write` wrote, with their embeddings."""
    data: dict[str, Any] = json.loads(text)
    photo, consent = data.pop("photo"), data.pop("consent")
    return ShopperRecord(
        **data,
        photo=photo and PhotoOutcome(**photo),
        consent=consent and Consent(**consent),
        embeddings=embeddings,
    )


def read_advice(text: str | bytes) -> Advice:
    """Return the advice that `write` wrote."""
    data: dict[str, Any] = json.loads(text)
    items = tuple(AdvisedItem(**{**item, "fit": tuple(item["fit"])}) for item in data.pop("items"))
    return Advice(**data, items=items)


def write_line(line: OrderLine) -> str:
    """Return an order line's JSON, an array without names: there may be millions."""
    return dumps(line.to_row())


def read_line(text: str | bytes) -> OrderLine:
    """Return the order line that `write_line` wrote."""
    return OrderLine(*json.loads(text))

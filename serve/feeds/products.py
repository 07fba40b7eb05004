"""A product of Google's feed to a size of a garment: which rows are one garment, and what their columns mean here.

Rows that share `item_group_id`, colour, pattern and material are the sizes of one garment; garments that share
`item_group_id` share the history of orders, as colours of a style do. A garment's id is the group's, with what tells it from
others of the group behind it (`G7:navy`); a row without a group is a garment of its own id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tryon_core.errors import InputError
from tryon_core.folding import fold
from tryon_core.garment import Garment, Size
from tryon_core.sizes import LETTER

from ..categories import category_of
from ..charts import in_order

_VARIANTS = ("color", "pattern", "material")
_SYSTEMS = {"us": "us", "uk": "uk", "eu": "eu", "de": "eu", "fr": "fr", "it": "it"}
"""Google's size systems to those that the models know; labels of others are read as they are."""
_ADULTS = {"male": "men", "female": "women", "unisex": "unisex"}
_CHILDREN = {"male": "boys", "female": "girls"}
_AVAILABLE = {"in_stock": True, "preorder": True, "backorder": True, "limited_availability": True, "out_of_stock": False}
_LETTERS = re.compile(rf"\s*(?:{LETTER})\s*(?:[,;|]\s*(?:{LETTER})\s*)+", re.IGNORECASE)
"""Several sizes in one row, which the specification does not foresee and shops write."""
_PRICE = re.compile(r"(?:([A-Za-z]{3})\s*)?(\d[\d.,\s]*?)\s*([A-Za-z]{3})?")
_MOST = {"title": 1000, "description": 5000, "brand": 100, "category": 100}


def garment_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return a row as the HTTP API's JSON of a garment with its id, in the size that the row is of.

    Raises:
        InputError: it has no id, or a price that is none.
    """
    if "id" not in fields:
        raise InputError("expected an id, got a product without one")
    group = fields.get("item_group_id", "")
    told = {
        "id": _id(group, fields) if group else fields["id"],
        "title": fields.get("title"),
        "brand": fields.get("brand"),
        "style_id": group,
        "department": _department(fields),
        "category": _category(fields),
        "description": _described(fields),
        "size_system": _SYSTEMS.get(fields.get("size_system", "").casefold()),
        "sizes": _sizes(fields),
        "image_link": fields.get("image_link"),
        **_price(fields.get("price", "")),
    }
    return {key: value[: _MOST[key]] if key in _MOST else value for key, value in told.items() if value not in (None, "")}


def merged(garments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one garment of several rows: its fields from the first row that has them, each size's from the last."""
    whole: dict[str, Any] = {}
    sizes: dict[str, Mapping[str, Any]] = {}
    for garment in garments:
        whole = {**garment, **whole}
        for size in garment.get("sizes", ()):
            sizes[size["label"]] = {**sizes.get(size["label"], {}), **size}
    own = list(sizes.values())
    order = in_order(Garment("", sizes=tuple(Size(size["label"]) for size in own)).sizes)
    return {**whole, "sizes": [own[at] for at in order]}


def _id(group: str, fields: Mapping[str, str]) -> str:
    told = (re.sub(r"\W+", "-", fold(fields.get(name, ""))).strip("-") for name in _VARIANTS)
    return ":".join([group, *(text for text in told if text)])


def _department(fields: Mapping[str, str]) -> str:
    gender, age = fields.get("gender", "").casefold(), fields.get("age_group", "adult").casefold()
    if age in ("newborn", "infant", "toddler"):
        return f"baby {_CHILDREN.get(gender, '')}".strip()
    return _CHILDREN.get(gender, "kids") if age == "kids" else _ADULTS.get(gender, "")


def _category(fields: Mapping[str, str]) -> str:
    """Return that of the two categories which is known here, its step that says it; else the last step of the shop's own."""
    given = [fields[name] for name in ("product_type", "google_product_category") if name in fields]
    found = [category_of(text) for text in given]
    known = next((category for category in found if category.mapped or category.without), None)
    return known.told if known else (found[0].told if found else "")


def _described(fields: Mapping[str, str]) -> str:
    """Return the description, with colour, pattern and material in front where it does not name them."""
    text = fields.get("description", "")
    said = fold(f"{fields.get('title', '')} {text}")
    named = [fields[name] for name in _VARIANTS if name in fields and fold(fields[name]) not in said]
    return ". ".join([part for part in (", ".join(named), text) if part])


def _sizes(fields: Mapping[str, str]) -> list[dict[str, Any]]:
    label = fields.get("size", "")
    if not label:
        return []
    labels = [own.strip() for own in re.split("[,;|]", label)] if _LETTERS.fullmatch(label) else [label]
    available = _AVAILABLE.get(re.sub(r"[\s_-]+", "_", fields.get("availability", "").casefold()))
    told = {} if available is None else {"in_stock": available}
    sku = {"sku": fields["id"]} if len(labels) == 1 else {}
    return [{"label": own, **told, **sku} for own in dict.fromkeys(labels)]


def _price(text: str) -> dict[str, Any]:
    if not text:
        return {}
    match = _PRICE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"expected a price as 15.00 USD, got {text[:40]!a}")
    before, number, behind = match.groups()
    digits = re.sub(r"\s", "", number)
    whole, cents = re.fullmatch(r"(.*?)(?:[.,](\d{1,2}))?", digits).groups()  # type: ignore[union-attr]
    price = float(re.sub(r"[.,]", "", whole) + "." + (cents or "0"))
    currency = (behind or before or "").upper()
    return {"price": price} | ({"currency": currency} if currency else {})

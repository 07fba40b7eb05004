"""What is sent and answered about garments, as types that check it."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, FailFast, Field, StringConstraints, model_validator

from tryon_core.batch import CHART
from tryon_core.errors import InputError
from tryon_core.garment import Garment, garment_from_json

from .categories import worded
from .identifiers import Identifier
from .schema_types import Described, ImportOut, Label, RejectedOut, Strict, Text

Range = tuple[Annotated[float, Field(gt=0, lt=300)], Annotated[float, Field(gt=0, lt=300)]]
Price = Annotated[float, Field(ge=0, lt=1e9)]
Link = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
_PICTURES = {"id", "image_base64"}
EXAMPLE: dict[str, Any] = {
    "title": "Loose blue dress",
    "brand": "Norrland",
    "style_id": "style-7",
    "department": "women",
    "category": "Sommerkleid",
    "description": "Cotton, above the knee",
    "price": 49.9,
    "sizes": [
        {"label": "S", "in_stock": True, "chart": {"of": "body", "chest_cm": [82, 88], "waist_cm": [64, 70]}},
        {"label": "M", "in_stock": False, "chart": {"of": "body", "chest_cm": [88, 94], "waist_cm": [70, 76]}},
    ],
}


class ChartIn(Strict):
    """One size's line of a size chart: ranges [low, high] in cm."""

    of: Literal["body", "garment"] = "body"
    chest_cm: Range | None = None
    waist_cm: Range | None = None
    hip_cm: Range | None = None
    thigh_cm: Range | None = None
    inseam_cm: Range | None = None
    sleeve_cm: Range | None = None
    neck_cm: Range | None = None
    height_cm: Range | None = None

    @model_validator(mode="after")
    def _ordered(self) -> ChartIn:
        for key in CHART:
            bounds = getattr(self, key)
            if bounds is not None and bounds[0] > bounds[1]:
                raise ValueError(f"expected {key} as [low, high] with low <= high, got {list(bounds)}")
        return self


class SizeIn(Strict):
    """A size that the garment is made in."""

    label: Label
    in_stock: bool | None = None
    chart: ChartIn | None = None
    sku: Identifier | None = None
    """The shop's own name of the garment in this size."""


class GarmentBody(Strict):
    """A garment as a shop tells it; sizes from the smallest on."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    title: Text | None = None
    brand: Label | None = None
    style_id: Identifier | None = None
    """Colour variants of one style share the history of orders under it."""
    department: Label | None = None
    category: Label | None = None
    """In English, German or Chinese, or a path or number of Google's taxonomy; the answer tells what it is taken for."""
    description: Text | None = None
    price: Price | None = None
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")] | None = None
    size_system: Label | None = None
    sizes: Annotated[list[SizeIn], FailFast()] = Field([], max_length=60)
    image_base64: str | None = None
    """A JPEG, PNG or WebP file."""

    @model_validator(mode="after")
    def _labelled_once(self) -> GarmentBody:
        labels = [size.label for size in self.sizes]
        twice = next((label for at, label in enumerate(labels) if label in labels[:at]), None)
        if twice is not None:
            raise ValueError(f"expected each size once, got {twice!r} twice")
        return self

    def data(self) -> dict[str, Any]:
        """Return the garment's JSON as the store keeps it: without its id, pictures, and what is not told."""
        return self.model_dump(mode="json", exclude_none=True, exclude=_PICTURES)


class GarmentIn(GarmentBody):
    """A garment given with the request."""

    id: Identifier

    def to_garment(self) -> Garment:
        """Return the core's form."""
        return garment_from_json({**self.data(), "id": self.id, "category": worded(self.category)})


class GarmentPut(GarmentBody):
    """A garment to keep under the id of the path."""

    id: Identifier | None = None
    """Where it is told, the path's."""
    image_link: Link | None = None
    """In place of `image_base64`: an image on a host that the service may fetch from."""


class GarmentLine(GarmentIn):
    """A garment as one line of an import."""

    image_link: Link | None = None


class GarmentPatch(Strict):
    """A change of stock and price; nothing is encoded anew."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"price": 39.9, "in_stock": {"S": False, "M": True}}]})

    price: Price | None = None
    in_stock: dict[Label, bool | None] = Field({}, max_length=60)
    """By size label; sizes that are not named stay as they are. null is: not known."""

    @model_validator(mode="after")
    def _any(self) -> GarmentPatch:
        if self.price is None and not self.in_stock:
            raise ValueError("expected price or in_stock, got neither")
        return self


class CategoryOut(Described):
    """What a garment's category is taken for."""

    given: str | None
    mapped: str | None
    """One of the ten categories that the models know; null where it is none of them."""
    advice: bool
    """Whether sizes of such garments are recommended."""
    reason: str | None = None
    """Why not, or why there is no mapped one; a sentence for people."""


class GarmentOut(Described):
    """A garment as it is kept."""

    id: str
    title: str | None = None
    brand: str | None = None
    style_id: str | None = None
    department: str | None = None
    category: str | None = None
    description: str | None = None
    price: float | None = None
    currency: str | None = None
    size_system: str | None = None
    sizes: list[dict[str, Any]] = Field([])
    """As they were told."""
    image: bool
    """Whether there is a picture."""
    image_link: str | None = None
    """Where it came from, if by a link."""
    category_mapped: CategoryOut
    warnings: list[str] = Field([])
    """What looks wrong in the chart and may be meant."""
    etag: str
    updated_at: str
    """RFC 3339, UTC."""


class GarmentPageOut(Described):
    """Some garments by ascending id."""

    garments: list[GarmentOut]
    next: str | None
    """The cursor of the next page; null on the last."""


class GarmentImportOut(ImportOut):
    """What became of a catalogue's import; each garment's last line counts."""

    without_picture: list[RejectedOut] = Field([])
    """Of a feed: garments that were taken without the picture that they name, and why; the first thousand."""


def from_base64(text: str | None, pointer: str) -> bytes | None:
    """Return decoded bytes; None for None.

    Raises:
        InputError: the text is not base64.
    """
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as err:
        raise InputError(f"expected base64, got {len(text)} characters that are not: {err}", pointer) from err


assert set(ChartIn.model_fields) == {"of", *CHART}

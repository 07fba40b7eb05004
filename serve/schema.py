"""What a request may hold, as types that check it; the OpenAPI page is made from them."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, StringConstraints, model_validator

from tryon_core.batch import CHART, FIT_CLASSES
from tryon_core.errors import InputError
from tryon_core.garment import Garment, Size
from tryon_core.shopper import Owned, Profile
from tryon_core.words import MAX_CHARACTERS

from .config import MAX_GARMENTS
from .schema_advice import Fit, RecommendationOut

Text = Annotated[str, StringConstraints(max_length=MAX_CHARACTERS)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Range = tuple[Annotated[float, Field(gt=0, lt=300)], Annotated[float, Field(gt=0, lt=300)]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class OwnedIn(_Strict):
    """A garment that the shopper has, and how it fits."""

    garment_id: Identifier | None = None
    brand: Label | None = None
    category: Label | None = None
    size: Label
    fit: Fit = "fit"
    days_ago: Annotated[float, Field(ge=0, le=36500)] | None = None
    """How long ago this was found, in days; the older, the less it counts. Not told, it counts in full."""

    def to_owned(self) -> Owned:
        """Return the core's form."""
        texts = (self.garment_id or "", self.brand or "", self.category or "")
        return Owned(self.size, *texts, self.fit, self.days_ago or 0.0)


class ProfileIn(_Strict):
    """What a form asks of a shopper; every field may be left out."""

    height_cm: Annotated[float, Field(ge=50, le=250)] | None = None
    weight_kg: Annotated[float, Field(ge=20, le=400)] | None = None
    usual_size: Label | None = None
    age: Annotated[int, Field(ge=1, le=120)] | None = None
    sex: Label | None = None
    preferences: Text | None = None
    owned: Annotated[list[OwnedIn], Field(max_length=50), FailFast()] = []

    def to_profile(self) -> Profile:
        """Return the core's form."""
        owned = tuple(line.to_owned() for line in self.owned)
        texts = (self.usual_size or "", self.age, self.sex or "", self.preferences or "")
        return Profile(self.height_cm, self.weight_kg, *texts, owned)


class ShopperIn(_Strict):
    """A shopper given with the request and forgotten after it."""

    text: Text | None = None
    profile: ProfileIn | None = None
    photo_base64: str | None = None


class ChartIn(_Strict):
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


class SizeIn(_Strict):
    """A size that the garment is made in."""

    label: Label
    in_stock: bool | None = None
    chart: ChartIn | None = None

    def to_size(self) -> Size:
        """Return the core's form."""
        chart = {key: bounds for key in CHART if self.chart and (bounds := getattr(self.chart, key)) is not None}
        return Size(self.label, self.in_stock, chart, self.chart.of if self.chart else "body")


class GarmentIn(_Strict):
    """A garment given with the request."""

    id: Identifier
    title: Text | None = None
    brand: Label | None = None
    style_id: Identifier | None = None
    department: Label | None = None
    category: Label | None = None
    description: Text | None = None
    price: Annotated[float, Field(ge=0)] | None = None
    size_system: Label | None = None
    sizes: Annotated[list[SizeIn], Field(max_length=60), FailFast()] = []
    image_base64: str | None = None

    def to_garment(self) -> Garment:
        """Return the core's form."""
        return Garment(
            id=self.id,
            title=self.title or "",
            brand=self.brand or "",
            department=self.department or "",
            category=self.category or "",
            description=self.description or "",
            style_id=self.style_id or "",
            size_system=self.size_system or "",
            sizes=tuple(size.to_size() for size in self.sizes),
        )


class RecommendationsIn(_Strict):
    """Which garments suit this shopper, in which size?"""

    shopper: ShopperIn = ShopperIn()
    garments: Annotated[list[GarmentIn], Field(min_length=1, max_length=MAX_GARMENTS), FailFast()]
    customer_key: Identifier | None = None
    """Whose earlier order lines count as the shopper's own, as feedback names them."""
    top_k: Annotated[int, Field(ge=1, le=1000)] | None = None
    explain: bool | Literal["parts"] = False
    """Whether the answer tells how much each part and each word moved the best 20 recommendations, and all measurements that
    the shopper's body is taken for; true and "parts" mean the same."""


class PhotoOut(BaseModel):
    """Whether the photo helped, and if not, why."""

    used: bool
    reason: str | None = None
    """A sentence for people."""
    code: str | None = None
    """The same for programs, one of `tryon_core.refusals.REFUSALS`; None where the photo was used, or not looked at."""


class MeasurementOut(BaseModel):
    """One of the shopper's measurements, cm or kg, and the interval in which 80 % of people lie of whom as much is known."""

    value: float
    low: float
    high: float


class RecommendationsOut(BaseModel):
    """The garments, best first."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    recommendations: list[RecommendationOut]
    unknown: list[str] = []
    recommendation_id: str
    history_as_of: str | None
    degraded: bool
    degraded_reasons: list[str]
    degraded_codes: list[str] = []
    """The same for programs, one for one."""
    photo: PhotoOut
    measurements: dict[str, MeasurementOut] | None = None
    """What the shopper's body is taken for; weight only where an explanation was asked for."""
    holdout: bool = False
    """Whether this customer is one of those who are to be shown no advice, see the setting `holdout_share`."""
    model: str


class FieldProblemOut(BaseModel):
    """A wrong field."""

    pointer: str
    detail: str


class ProblemOut(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldProblemOut] | None = None


class ChoiceOut(BaseModel):
    """The recommended garment and size."""

    garment_id: str | None
    size: str | None


class PredictOut(BaseModel):
    """One number, and what stands behind it."""

    prediction: float
    fit: dict[Fit, float]
    recommendation: ChoiceOut
    photo: PhotoOut
    degraded: bool
    degraded_reasons: list[str]
    degraded_codes: list[str]
    model: str


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


assert FIT_CLASSES == ("small", "fit", "large")
assert set(ChartIn.model_fields) == {"of", *CHART}

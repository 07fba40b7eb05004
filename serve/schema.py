"""What a request may hold, as types that check it; the OpenAPI page is made from them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, FailFast, Field, ValidationInfo, field_validator, model_validator

from tryon_core.shopper import Owned, Profile

from .config import MAX_GARMENT_IDS, MAX_GARMENTS
from .identifiers import Identifier
from .schema_advice import RecommendationOut
from .schema_garments import GarmentIn
from .schema_types import Described, Fit, Label, Strict, Text


class OwnedIn(Strict):
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


class ProfileIn(Strict):
    """What a form asks of a shopper; every field may be left out."""

    height_cm: Annotated[float, Field(ge=50, le=250)] | None = None
    weight_kg: Annotated[float, Field(ge=20, le=400)] | None = None
    usual_size: Label | None = None
    age: Annotated[int, Field(ge=1, le=120)] | None = None
    sex: Label | None = None
    preferences: Text | None = None
    owned: Annotated[list[OwnedIn], FailFast()] = Field([], max_length=50)

    def to_profile(self) -> Profile:
        """Return the core's form."""
        owned = tuple(line.to_owned() for line in self.owned)
        texts = (self.usual_size or "", self.age, self.sex or "", self.preferences or "")
        return Profile(self.height_cm, self.weight_kg, *texts, owned)


class ShopperIn(Strict):
    """A shopper given with the request and forgotten after it."""

    text: Text | None = None
    profile: ProfileIn | None = None
    photo_base64: str | None = None


class RecommendationsIn(Strict):
    """Which garments suit this shopper, in which size?"""

    shopper_id: Identifier | None = None
    """Of a shopper who is kept, in place of `shopper`."""
    shopper: ShopperIn = ShopperIn()
    garment_ids: Annotated[list[Identifier], FailFast()] = Field([], max_length=MAX_GARMENT_IDS)
    """Garments of the catalogue, each once; unknown ones stand beside the answer."""
    garments: Annotated[list[GarmentIn], FailFast()] = Field([], max_length=MAX_GARMENTS, validate_default=True)
    """Garments given with the request, whether or not the catalogue knows them; with the ids of others."""
    customer_key: Identifier | None = None
    """Whose earlier order lines count as the shopper's own, as feedback names them."""
    top_k: Annotated[int, Field(ge=1, le=MAX_GARMENT_IDS)] | None = None
    explain: bool | Literal["parts"] = False
    """Whether the answer tells how much each part and each word moved the best 20 recommendations, and all measurements that
    the shopper's body is taken for; true and "parts" mean the same."""

    @field_validator("garments")
    @classmethod
    def _any(cls, garments: list[GarmentIn], told: ValidationInfo) -> list[GarmentIn]:
        if not garments and told.data.get("garment_ids") == []:
            raise ValueError("expected garment_ids or garments, got neither")
        return garments

    @model_validator(mode="after")
    def _one_shopper(self) -> RecommendationsIn:
        if self.shopper_id is not None and "shopper" in self.model_fields_set:
            raise ValueError("expected shopper_id or shopper, got both")
        return self


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


class WithoutAdviceOut(Described):
    """A garment that is known and of which no size is recommended."""

    garment_id: str
    code: Literal["category", "out_of_stock"]
    reason: str
    """A sentence for people."""


class RecommendationsOut(Described):
    """The garments, best first."""

    recommendations: list[RecommendationOut]
    unknown: list[str] = Field(default=[])
    without_advice: list[WithoutAdviceOut] = Field(default=[])
    recommendation_id: str
    history_as_of: str | None
    degraded: bool
    degraded_reasons: list[str]
    degraded_codes: list[str] = Field(default=[])
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

"""What a request may hold, as types that check it; the OpenAPI page is made from them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, FailFast, Field, model_validator

from tryon_core.shopper import Owned, Profile

from .config import MAX_GARMENT_IDS, MAX_GARMENTS
from .schema_garments import GarmentIn
from .schema_types import Described, Fit, Identifier, Label, Strict, Text


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

    shopper: ShopperIn = ShopperIn()
    garment_ids: Annotated[list[Identifier], FailFast()] = Field([], max_length=MAX_GARMENT_IDS)
    """Garments of the catalogue, each once; unknown ones stand beside the answer."""
    garments: Annotated[list[GarmentIn], FailFast()] = Field([], max_length=MAX_GARMENTS)
    """Garments given with the request, whether or not the catalogue knows them; with the ids of others."""
    top_k: Annotated[int, Field(ge=1, le=MAX_GARMENT_IDS)] | None = None
    explain: bool | Literal["parts"] = False
    """Whether the answer tells the measurements that the shopper's body is taken for, and how much each part and each word
    moved the best 20 recommendations; true and "parts" mean the same."""

    @model_validator(mode="after")
    def _any(self) -> RecommendationsIn:
        if not self.garment_ids and not self.garments:
            raise ValueError("expected garment_ids or garments, got neither")
        return self


class SizeOut(BaseModel):
    """One size of a garment, scored."""

    label: str
    match: float
    fit: dict[Fit, float]


class WordOut(Described):
    """A word, a number with its unit, or one or two Chinese characters."""

    text: str
    start: int
    """Code points from the beginning of the text in `read`."""
    end: int
    contribution: float


class SharesOut(Described):
    """What moved a probability, in log-odds: `base` and all of `parts` sum to the log-odds of the probability."""

    base: float
    """Of the answer with nothing known of shopper and garment."""
    parts: dict[str, float]
    """Part name to its share (its exact Shapley value); only parts that the answer had."""
    words: dict[str, list[WordOut]]
    """Part name of a text, `shopper_words` or `garment_words`, to its words, those that moved most first. A word's
    contribution is what the answer loses without it; they do not sum to their part's."""


class ExplanationOut(Described):
    """What moved an answer's numbers."""

    match: SharesOut
    confidence: SharesOut
    read: dict[str, str]
    """Part name to the text as it was read, in which words have their places."""


class RecommendationOut(BaseModel):
    """One garment with the size that fits best."""

    garment_id: str
    size: str | None
    match: float
    confidence: float
    fit: dict[Fit, float]
    sizes: list[SizeOut]
    reasons: list[str]
    explanation: ExplanationOut | None = None


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


class RecommendationsOut(BaseModel):
    """The garments, best first."""

    recommendations: list[RecommendationOut]
    unknown: list[str] = []
    without_advice: list[WithoutAdviceOut] = []
    recommendation_id: str
    history_as_of: str | None
    degraded: bool
    degraded_reasons: list[str]
    photo: PhotoOut
    measurements: dict[str, MeasurementOut] | None = None
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
    model: str

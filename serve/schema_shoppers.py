"""What a shop tells of a shopper who is kept for a while, and what it is told of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from .schema import MeasurementOut, PhotoOut

SHOPPER_ID = r"^[0-9a-f]{32}$"


class ConsentIn(BaseModel):
    """To what the shopper agreed, and when: the texts are in PRIVACY.md."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    version: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    """Of the text that they saw, as the shop numbers it."""
    at: AwareDatetime
    """When, with the offset from UTC."""
    advice: bool = False
    """Whether they also agreed that what is recommended to them is kept, so that their orders can be compared with it."""


class ConsentOut(BaseModel):
    """What was told of the shopper's consent."""

    version: str
    at: datetime
    advice: bool


class ShopperPhotoOut(PhotoOut):
    """What became of the photo or mask, and how long what it told is kept."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    expires_at: datetime | None = None
    """From then on the shopper is answered from words; None where nothing of a photo is kept."""


class ShopperOut(BaseModel):
    """A shopper who is kept."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "example": {
                "shopper_id": "8f14e45fceea167a5a36dedd4bea2543",
                "expires_at": "2027-03-08T09:30:00Z",
                "text": "likes loose blue dresses",
                "profile": {"height_cm": 165, "weight_kg": 55, "usual_size": "M"},
                "consent": {"version": "2027-01", "at": "2027-03-01T09:29:41Z", "advice": False},
                "measurements": {"waist_cm": {"value": 70.5, "low": 66.0, "high": 75.0}},
                "photo": {"used": True, "reason": None, "code": None, "expires_at": "2027-03-02T09:30:00Z"},
                "model": "0123456789abcdef",
            }
        },
    )

    shopper_id: str
    """128 bits as 32 hex digits; whoever knows it may read and delete the shopper."""
    expires_at: datetime
    text: str | None = None
    profile: dict[str, Any]
    """As it was told."""
    consent: ConsentOut | None = None
    measurements: dict[str, MeasurementOut]
    """What the shopper's body is taken for, in cm; empty where nothing tells of it. Computed for each answer, not kept."""
    photo: ShopperPhotoOut
    model: str


def moment(seconds: float) -> datetime:
    """Return seconds since 1970 as a moment in UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC)

"""What is told of orders, as types that check it: order lines, their outcomes, and what became of an import."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, StringConstraints, WithJsonSchema, model_validator

from .identifiers import Identifier
from .schema_types import Fit, Label

_EARLIEST, _LATEST = 946684800.0, 4102444800.0
"""2000-01-01 and 2100-01-01."""
_EARLY_S = 86_400.0
"""How much earlier than its order an outcome may seem to be known: dates and time zones are mixed. Fitting takes as much."""
_MOMENT = {
    "type": "string",
    "maxLength": 40,
    "description": "ISO date or time, UTC unless it says otherwise, from 2000 to 2100.",
    "examples": ["2026-03-31T10:15:00Z", "2026-03-31"],
}
EXAMPLE: dict[str, JsonValue] = {
    "order_line_id": "2026-000123-1",
    "garment_id": "d1",
    "size": "M",
    "outcome": "returned",
    "reason": "too small",
    "ordered_at": "2026-03-31T10:15:00Z",
    "occurred_at": "2026-04-07",
    "customer_key": "c-4711",
}
"""A line as the OpenAPI page shows it."""


def _moment(text: str) -> str:
    try:
        at = seconds_of(text)
    except (ValueError, OverflowError):
        raise ValueError(f"expected an ISO date or time such as 2026-03-31T10:15:00Z, got {text[:40]!r}") from None
    if not _EARLIEST <= at < _LATEST:
        raise ValueError(f"expected a moment from 2000 to 2100, got {text[:40]!r}")
    return text


def seconds_of(text: str) -> float:
    """Return an ISO date or time, UTC unless it says otherwise, as seconds since 1970-01-01 UTC.

    Raises:
        ValueError: it is none.
        OverflowError: it is beyond what a clock can tell.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


Moment = Annotated[str, StringConstraints(max_length=40), AfterValidator(_moment), WithJsonSchema(_MOMENT)]
Reason = Annotated[str, StringConstraints(max_length=500)]


class FeedbackIn(BaseModel):
    """One order line and what became of it, as far as it is known."""

    model_config = ConfigDict(
        extra="forbid", strict=True, use_attribute_docstrings=True, json_schema_extra={"example": EXAMPLE}
    )

    order_line_id: Identifier
    """The line's own name; of several reports with the same, the one with the latest `occurred_at` counts."""
    garment_id: Identifier
    size: Label
    """The label that was ordered, as the garment has it."""
    outcome: Literal["kept", "returned", "exchanged"]
    fit: Fit | None = None
    """What the customer said of it; `small` is a garment that is too small."""
    reason: Reason | None = None
    """Why it came back, in the shop's words; where `fit` is not told, it is what the reason means, see the setting
    `reasons`."""
    ordered_at: Moment
    occurred_at: Moment
    """When the outcome was."""
    customer_key: Identifier | None = None
    """Any text that is the same for the same customer; only a keyed hash of it is kept."""
    recommendation_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """Of the advice that the customer saw."""

    @model_validator(mode="after")
    def _in_time(self) -> FeedbackIn:
        if seconds_of(self.occurred_at) < seconds_of(self.ordered_at) - _EARLY_S:
            raise ValueError(f"expected occurred_at behind ordered_at, {self.ordered_at}, got {self.occurred_at}")
        return self


class FeedbackOut(BaseModel):
    """What became of the report of a line."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    order_line_id: str
    status: Literal["new", "same", "superseded", "older"]
    """Not known before; as it is kept; later than what was kept, whose place it takes; earlier than what is kept, so that it
    changes nothing."""

"""What an answer says of one garment: which size, how sure, and why."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tryon_core.advice import Advice

from .schema_explain import ExplanationOut
from .schema_types import Described, Fit

Advised = Literal[Advice, "style_only"]


class SizeOut(Described):
    """One size of a garment, scored."""

    label: str
    match: float
    fit: dict[Fit, float]
    ease: dict[str, float] = Field(default={})
    """Where chart and predicted measurements meet, as waist_cm, by how many cm the shopper lies outside the size's range:
    below 0 it is tight or short there, over 0 loose or long, 0 within. Of a chart of the garment, over 0 is its room."""


class ReasonOut(Described):
    """A reason for programs, for shops that write their own sentences."""

    code: str
    """One of the messages' names, as `likeliest`, `tight` or `runs_small`."""
    values: dict[str, str | int | float | list[str]]
    """What stands in the sentence: sizes by label, shares in [0, 1], cm, counts, places and traits by name."""


class RecommendationOut(Described):
    """One garment with the size that fits best."""

    garment_id: str
    size: str | None
    match: float
    confidence: float
    fit: dict[Fit, float]
    sizes: list[SizeOut]
    advice: Advised
    """Whether to take `size`: it is recommended; another size is about as likely to fit; it is the least bad of those that
    may be had, of which probably none fits; or there are no sizes, and only the style was compared."""
    reasons: list[str]
    """Sentences in the answer's language, the advice first, then what decides most."""
    reason_codes: list[ReasonOut]
    """The same as `reasons`, one for one."""
    explanation: ExplanationOut | None = None

"""Types that the schemas of all nouns are made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from tryon_core.batch import FIT_CLASSES
from tryon_core.words import MAX_CHARACTERS

Text = Annotated[str, StringConstraints(max_length=MAX_CHARACTERS)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Fit = Literal["small", "fit", "large"]


class Strict(BaseModel):
    """Something that a caller sends: no field but those named, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Described(BaseModel):
    """Something that is answered, whose fields say what they are."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class RejectedOut(Described):
    """A line that was not taken."""

    line: int
    """From 1 on; of a feed's product, the line on which it begins."""
    detail: str


class ImportOut(Described):
    """What became of an import; whatever was accepted is kept."""

    accepted: int
    """Lines."""
    num_rejected: int
    rejected: list[RejectedOut]
    """The first thousand."""


assert FIT_CLASSES == ("small", "fit", "large")

"""What an explanation of an answer's numbers holds."""

from __future__ import annotations

from .schema_types import Described


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

"""The numbers of a body that a shopper's words tell, read from their tokens; it needs no model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from .batch import TOLD_FIELDS
from .words import Token, parse

_CUPS = {"aa": 0.0, "a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0, "f": 6.0, "g": 7.0, "h": 8.0, "i": 9.0, "j": 10.0}
_CUPS |= {"dd": 5.0, "ddd": 6.0}
HEIGHT_CM, WEIGHT_KG = (120.0, 230.0), (30.0, 220.0)
"""What is taken for a height and for a weight; other numbers are something else, or slips."""
_AGE = (14.0, 90.0)
_YEARS = {"years", "year", "yrs", "yo"}


def told(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return float32[U, len(batch.TOLD_FIELDS)], what each text tells of its writer's body, NaN where it is silent.

    Raises:
        TooLargeError: a text has too many characters.
    """
    rows = [[numbers.get(name, np.nan) for name in TOLD_FIELDS] for numbers in (_numbers(parse(text)) for text in texts)]
    return np.array(rows, dtype=np.float32).reshape(-1, len(TOLD_FIELDS))


def _numbers(tokens: Sequence[Token]) -> dict[str, float]:
    found: dict[str, float] = {}
    for token, behind in zip_longest(tokens, tokens[1:], fillvalue=Token("")):
        if token.word.startswith("<cup:"):
            found.setdefault("told_cup", _CUPS.get(token.word[5:-1], np.nan))
        elif token.value is not None:
            name = _name(token.word, token.value, behind.word)
            if name:
                found.setdefault(name, token.value)
    return found


def _name(word: str, value: float, behind: str) -> str | None:
    """Return the field that a number is, None for another number."""
    if word == "<cm>" and HEIGHT_CM[0] <= value <= HEIGHT_CM[1]:
        return "told_height_cm"
    if word == "<kg>" and WEIGHT_KG[0] <= value <= WEIGHT_KG[1]:
        return "told_weight_kg"
    if word == "<number>" and behind in _YEARS and _AGE[0] <= value <= _AGE[1]:
        return "told_age"
    return "told_band" if word == "<band>" else None

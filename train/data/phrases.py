"""What shoppers write of themselves: messy words in English and Chinese; knows nothing of pictures or fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .amounts import HEIGHTS, WEIGHTS
from .lexicon import CHINESE, PLURALS

T = TypeVar("T")

_BELIEVED_CM = {"female": 1.2, "male": 2.3}
_BELIEVED_SHARE = {"female": -0.006, "male": 0.011}
_BELIEVED_PER_BMI, _BMI = -0.0037, 24.0
"""By how much people call themselves taller, and by what share heavier at a BMI of 24 and per point of it: what they said
against what was measured in ANSUR II (`heightin`, `weightlbs`; 1,616 women and 3,270 men)."""
_HEIGHT_SD_CM, _WEIGHT_SD = 1.5, 0.025
"""Of what people say about what they would say on average; the survey's, less its rounding."""
_MISTYPED = 0.015
"""Share of heights that are ten centimetres off."""
_TYPOS = 0.06
"""Share of texts with two letters in the wrong order."""


@dataclass(frozen=True)
class Facts:
    """What a shopper knows of themselves."""

    sex: str
    """female or male"""
    height_cm: float
    weight_kg: float
    usual_size: str
    """A letter or a system and a number: M, EU 38."""
    colours: tuple[str, ...]
    """Liked best first; may be empty, as may the three below."""
    cut: str
    pattern: str
    category: str
    avoids: tuple[str, ...] = ()
    """Colours, cuts and patterns that the shopper wants none of."""
    other_size: str = ""
    """The usual size in another system; may be empty."""


def shopper_words(facts: Facts, rng: np.random.Generator) -> str:
    """Return a shopper's words: one in four writes Chinese, everything is rounded, any part may be left out or wrong."""
    chinese = rng.random() < 0.25
    parts = _amounts(facts, chinese, rng)
    if rng.random() < 0.6:
        parts.append(_usual(facts, chinese, rng))
    if rng.random() < 0.45:
        sexes = {"female": ("女", "woman"), "male": ("男", "man")}
        parts.insert(int(rng.integers(2)), sexes[facts.sex][0 if chinese else 1])
    if rng.random() < 0.85:
        parts += [_taste(facts, chinese, rng), _dislikes(facts, chinese, rng)]
    if rng.random() < 0.15:
        parts.insert(int(rng.integers(len(parts) + 1)), _one(rng, _ZH_ASIDES if chinese else _ASIDES))
    text = _one(rng, ("，", " ") if chinese else (", ", " ", "; ")).join(part for part in parts if part)
    return _mistyped(text, rng) if rng.random() < _TYPOS else text


_ASIDES = ("need it for work", "it's a gift to myself", "first order here", "between sizes sometimes", "please advise")
_ZH_ASIDES = ("上班穿", "第一次买", "求推荐尺码", "有时候在两个码之间")


def _amounts(facts: Facts, chinese: bool, rng: np.random.Generator) -> list[str]:
    """Return height and weight as they are said; most write both in the units of one world."""
    imperial = not chinese and rng.random() < 0.35
    other = (not imperial if rng.random() < 0.1 else imperial) and not chinese
    height_in, weight_in = ("chinese" if chinese else "imperial" if inches else "metric" for inches in (imperial, other))
    height_cm, weight_kg = _believed(facts, rng)
    height = _one(rng, HEIGHTS[height_in])(height_cm) if rng.random() < 0.88 else ""
    weight = _one(rng, WEIGHTS[weight_in])(weight_kg) if rng.random() < 0.78 else ""
    if chinese or height_in != "metric" or weight_in != "metric" or not (height and weight):
        return [height, weight]
    return [f"{height_cm:.0f}/{weight_kg:.0f}kg", ""] if rng.random() < 0.06 else [height, weight]


def _believed(facts: Facts, rng: np.random.Generator) -> tuple[float, float]:
    """Return height and weight as a person has them in mind, cm and kg."""
    bmi = facts.weight_kg / (facts.height_cm / 100) ** 2
    share = _BELIEVED_SHARE[facts.sex] + _BELIEVED_PER_BMI * (bmi - _BMI) + rng.normal(0, _WEIGHT_SD)
    height = facts.height_cm + _BELIEVED_CM[facts.sex] + rng.normal(0, _HEIGHT_SD_CM)
    if rng.random() < _MISTYPED:
        height += 10 if rng.random() < 0.5 else -10
    return float(height), float(facts.weight_kg * (1 + share))


def _one(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]


def _usual(facts: Facts, chinese: bool, rng: np.random.Generator) -> str:
    size = facts.usual_size
    number = size.split()[-1]
    if chinese:
        return _one(rng, ("平时穿{}码", "一般穿{}码", "常穿{}码")).format(number)
    if facts.other_size and rng.random() < 0.5:
        return _one(rng, ("usually {} or {}", "size {} / {}", "{} in most shops, {} in others")).format(
            size, facts.other_size
        )
    if " " in size and rng.random() < 0.5:
        return f"usually {size}"
    return _one(rng, ("usually {}", "size {}", "normally wear {}", "usual size {}")).format(number)


def _taste(facts: Facts, chinese: bool, rng: np.random.Generator) -> str:
    colours = facts.colours[: int(rng.integers(1, 4))]
    cut, pattern = (word if rng.random() < 0.85 else "" for word in (facts.cut, facts.pattern))
    if chinese:
        words = [CHINESE[word] for word in (cut, *colours, pattern) if word]
        return "喜欢" + "".join(words) + (CHINESE[facts.category] if facts.category else "衣服")
    noun = PLURALS.get(facts.category, "clothes")
    phrase = " ".join(word for word in (cut, _listed(colours), pattern, noun) if word)
    return _one(rng, ("likes {}", "love {}", "prefers {}", "looking for {}", "{} please")).format(phrase)


def _dislikes(facts: Facts, chinese: bool, rng: np.random.Generator) -> str:
    told = [word for word in facts.avoids if rng.random() < 0.85]
    if not told:
        return ""
    if chinese:
        return _one(rng, ("不要", "不喜欢")) + "、".join(CHINESE[word] for word in told)
    said = " or ".join(told)
    return _one(rng, ("no {}", "nothing {}", "not {}", "hates {}", "never {}", "don't like {}")).format(said)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)


def _mistyped(text: str, rng: np.random.Generator) -> str:
    """Return a text with two neighbouring letters swapped inside a longer word, where it has one."""
    inside = [at for at in range(1, len(text) - 2) if text[at - 1 : at + 3].isascii() and text[at - 1 : at + 3].isalpha()]
    if not inside:
        return text
    at = _one(rng, inside)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]

"""What shoppers and shops write: messy words in English and Chinese; knows nothing of pictures or fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_KG_PER_LB = 0.45359237
_DIGITS = "零一二三四五六七八九"

CHINESE = {
    "black": "黑色",
    "white": "白色",
    "grey": "灰色",
    "navy": "藏青色",
    "blue": "蓝色",
    "green": "绿色",
    "red": "红色",
}
CHINESE |= {"pink": "粉色", "yellow": "黄色", "orange": "橙色", "purple": "紫色", "brown": "棕色"}
CHINESE |= {"plain": "纯色", "striped": "条纹", "checked": "格子", "dotted": "波点", "floral": "碎花"}
CHINESE |= {"slim": "修身", "regular": "合身", "loose": "宽松", "women": "女", "men": "男"}
CHINESE |= {"t-shirt": "T恤", "longsleeve": "长袖", "shirt": "衬衫", "dress": "连衣裙", "outwear": "外套"}
CHINESE |= {"pants": "裤子", "shorts": "短裤", "skirt": "半身裙"}
"""The Chinese word of every colour, pattern, cut, category and department."""

_PLURALS = {"t-shirt": "t-shirts", "longsleeve": "long sleeve tops", "shirt": "shirts", "dress": "dresses"}
_PLURALS |= {"outwear": "jackets", "pants": "pants", "shorts": "shorts", "skirt": "skirts"}
_NOUNS: dict[str, tuple[str, ...]] = {
    "t-shirt": ("T-Shirt", "Tee", "Crew Neck Tee"),
    "longsleeve": ("Long Sleeve Top", "Longsleeve", "Jersey Top"),
    "shirt": ("Shirt", "Button-Up Shirt", "Oxford Shirt"),
    "dress": ("Dress", "A-Line Dress", "Summer Dress"),
    "outwear": ("Jacket", "Coat", "Blazer"),
    "pants": ("Pants", "Trousers", "Chinos"),
    "shorts": ("Shorts", "Bermuda Shorts"),
    "skirt": ("Skirt", "Midi Skirt"),
}
_CUT_WORDS = {
    "slim": ("slim fit", "fitted"),
    "regular": ("regular fit", "classic cut"),
    "loose": ("loose fit", "relaxed"),
}
_SYLLABLES = (
    "nor",
    "vel",
    "mar",
    "lin",
    "tas",
    "ko",
    "bri",
    "sol",
    "fen",
    "da",
    "lu",
    "che",
    "ari",
    "wen",
    "ost",
    "pim",
)
_CLOTHS = ("cotton", "linen blend", "viscose", "organic cotton", "soft jersey", "wool blend", "stretch twill")
_LINES = (
    "Machine wash cold.",
    "Made to last.",
    "Our everyday favourite.",
    "Goes with everything.",
    "Designed in-house.",
)


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


def shopper_words(facts: Facts, rng: np.random.Generator) -> str:
    """Return a shopper's words: one in four writes Chinese, everything is rounded, any part may be left out."""
    chinese = rng.random() < 0.25
    heights, weights = (_ZH_HEIGHTS, _ZH_WEIGHTS) if chinese else (_HEIGHTS, _WEIGHTS)
    imperial = int(not chinese and rng.random() < 0.35)
    height_cm, weight_kg = facts.height_cm + rng.normal(0.4, 1.0), facts.weight_kg * (1 + rng.normal(-0.01, 0.02))
    parts = [
        _one(rng, heights[imperial])(height_cm) if rng.random() < 0.88 else "",
        _one(rng, weights[imperial])(weight_kg) if rng.random() < 0.78 else "",
    ]
    if rng.random() < 0.6:
        parts.append(_usual(facts.usual_size, chinese, rng))
    if rng.random() < 0.45:
        sexes = {"female": ("女", "woman"), "male": ("男", "man")}
        parts.insert(int(rng.integers(2)), sexes[facts.sex][0 if chinese else 1])
    if rng.random() < 0.8:
        parts.append(_taste(facts, chinese, rng))
    return _one(rng, ("，", " ") if chinese else (", ", " ", "; ")).join(part for part in parts if part)


def brand_name(rng: np.random.Generator) -> str:
    """Return an invented brand's name; two brands may share one."""
    return "".join(_one(rng, _SYLLABLES) for _ in range(3)).title()


def garment_title(brand: str, category: str, colour: str, pattern: str, cut: str, rng: np.random.Generator) -> str:
    """Return a title; any of the colour, the pattern and the cut may be left out, to be seen only in the picture."""
    words = [brand] if rng.random() < 0.4 else []
    words += [_one(rng, _CUT_WORDS[cut]).title()] if cut != "regular" and rng.random() < 0.45 else []
    words += [colour.title()] if rng.random() < 0.5 else []
    words += [pattern.title()] if pattern != "plain" and rng.random() < 0.5 else []
    return " ".join([*words, _one(rng, _NOUNS[category])])


def garment_description(category: str, colour: str, pattern: str, cut: str, rng: np.random.Generator) -> str:
    """Return a description of a sentence or two, sometimes empty, sometimes Chinese, it may leave out what is seen."""
    if rng.random() < 0.15:
        return ""
    named = [word for word, odds in ((cut, 0.3), (colour, 0.35), (pattern, 0.35)) if rng.random() < odds]
    if rng.random() < 0.15:
        return "".join(CHINESE[word] for word in named) + CHINESE[category] + "，舒适百搭。"
    told = [_one(rng, _CUT_WORDS[word]) if word in _CUT_WORDS else word for word in named]
    first = " ".join([*told, _one(rng, _CLOTHS), _one(rng, _NOUNS[category]).lower()])
    return f"{first.capitalize()}. {_one(rng, _LINES)}"


def _one(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]


def _usual(size: str, chinese: bool, rng: np.random.Generator) -> str:
    number = size.split()[-1]
    if chinese:
        return _one(rng, ("平时穿{}码", "一般穿{}码", "常穿{}码")).format(number)
    if " " in size and rng.random() < 0.5:
        return f"usually {size}"
    return _one(rng, ("usually {}", "size {}", "normally wear {}", "usual size {}")).format(number)


def _taste(facts: Facts, chinese: bool, rng: np.random.Generator) -> str:
    colours = facts.colours[: int(rng.integers(1, 4))]
    cut, pattern = (word if rng.random() < 0.8 else "" for word in (facts.cut, facts.pattern))
    if chinese:
        words = [CHINESE[word] for word in (cut, *colours, pattern) if word]
        return "喜欢" + "".join(words) + (CHINESE[facts.category] if facts.category else "衣服")
    noun = _PLURALS.get(facts.category, "clothes")
    phrase = " ".join(word for word in (cut, _listed(colours), pattern, noun) if word)
    return _one(rng, ("likes {}", "love {}", "prefers {}", "looking for {}")).format(phrase)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)


def _feet_inches(height_cm: float) -> tuple[int, int]:
    return divmod(round(height_cm / 2.54), 12)


def _spoken(height_cm: float) -> str:
    metres, rest = divmod(round(height_cm), 100)
    return _DIGITS[metres] + "米" + "".join(_DIGITS[int(digit)] for digit in f"{rest:02d}")


def _to_five(value: float) -> int:
    return 5 * round(value / 5)


Form = Callable[[float], str]
_HEIGHTS: tuple[tuple[Form, ...], ...] = (
    (
        lambda cm: f"{cm:.0f} cm",
        lambda cm: f"{cm:.0f}cm",
        lambda cm: f"{cm / 100:.2f} m",
        lambda cm: f"{round(cm) // 100}m{round(cm) % 100:02d}",
        lambda cm: f"height {cm:.0f} cm",
        lambda cm: f"about {_to_five(cm)} cm",
    ),
    (
        lambda cm: "{}'{}\"".format(*_feet_inches(cm)),
        lambda cm: "{} ft {}".format(*_feet_inches(cm)),
        lambda cm: "{}’{}”".format(*_feet_inches(cm)),
    ),
)
"""Forms of a height: metric, imperial."""
_WEIGHTS: tuple[tuple[Form, ...], ...] = (
    (
        lambda kg: f"{kg:.0f} kg",
        lambda kg: f"{kg:.0f}kg",
        lambda kg: f"weight {kg:.0f} kilos",
        lambda kg: f"around {_to_five(kg)} kg",
    ),
    (
        lambda kg: f"{kg / _KG_PER_LB:.0f} lb",
        lambda kg: f"{kg / _KG_PER_LB:.0f}lbs",
        lambda kg: f"{_to_five(kg / _KG_PER_LB)} pounds",
        lambda kg: "{} st {} lb".format(*divmod(round(kg / _KG_PER_LB), 14)),
    ),
)
_ZH_HEIGHTS: tuple[tuple[Form, ...], ...] = (
    (
        _spoken,
        lambda cm: f"身高{cm:.0f}",
        lambda cm: f"身高{cm:.0f}厘米",
        lambda cm: f"{cm:.0f}cm",
        lambda cm: f"{cm:.0f}公分",
    ),
)
_ZH_WEIGHTS: tuple[tuple[Form, ...], ...] = (
    (
        lambda kg: f"{2 * kg:.0f}斤",
        lambda kg: f"体重{kg:.0f}公斤",
        lambda kg: f"{kg:.0f}kg",
        lambda kg: f"体重{2 * kg:.0f}斤",
    ),
)

"""What shops write of garments, in English and Chinese; knows nothing of pictures, people or fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .fabrics import Fabric
from .lexicon import CHINESE, CUT_WORDS, NOUNS

_SYLLABLES = ("nor", "vel", "mar", "lin", "tas", "ko", "bri", "sol", "fen", "da", "lu", "che", "ari", "wen", "ost", "pim")
_LINES = (
    "Machine wash cold.",
    "Made to last.",
    "Our everyday favourite.",
    "Goes with everything.",
    "Designed in-house.",
)
_GIVES = (
    (0.05, "no stretch", "无弹"),
    (0.35, "a touch of stretch", "微弹"),
    (0.7, "comfortable stretch", "弹力"),
    (1.01, "very stretchy", "高弹"),
)
"""Up to which stretch a cloth is praised so."""
_WEAVE_TITLES = {"denim": "Denim", "jersey": "Jersey", "knit": "Knit", "rib": "Ribbed"}


@dataclass(frozen=True)
class Looks:
    """What is seen of a garment."""

    category: str
    colour: str
    pattern: str
    cut: str


def brand_name(rng: np.random.Generator) -> str:
    """Return an invented brand's name; two draws may give one."""
    return "".join(_one(rng, _SYLLABLES) for _ in range(3)).title()


def garment_title(brand: str, looks: Looks, fabric: Fabric, rng: np.random.Generator) -> str:
    """Return a title; any of the colour, the pattern and the cut may be left out, to be seen only in the picture."""
    words = [brand] if rng.random() < 0.4 else []
    words += [_one(rng, CUT_WORDS[looks.cut]).title()] if looks.cut != "regular" and rng.random() < 0.45 else []
    words += [looks.colour.title()] if rng.random() < 0.5 else []
    words += [looks.pattern.title()] if looks.pattern != "plain" and rng.random() < 0.5 else []
    words += [_WEAVE_TITLES[fabric.weave]] if fabric.weave in _WEAVE_TITLES and rng.random() < 0.3 else []
    words += ["Stretch"] if fabric.elastane >= 3 and rng.random() < 0.3 else []
    return " ".join([*words, _one(rng, NOUNS[looks.category])])


def garment_description(looks: Looks, fabric: Fabric, rng: np.random.Generator) -> str:
    """Return a description of some sentences, sometimes empty, sometimes Chinese; it may leave out what is seen.

    What the cloth is made of is told in two of three, and how it gives in one of three.
    """
    if rng.random() < 0.15:
        return ""
    told = ((looks.cut, 0.3), (looks.colour, 0.35), (looks.pattern, 0.35))
    named = [word for word, odds in told if rng.random() < odds]
    composed, praised = rng.random() < 0.65, rng.random() < 0.35
    if rng.random() < 0.15:
        parts = ["".join(CHINESE[word] for word in named) + CHINESE[looks.category], "舒适百搭"]
        parts += [_chinese_composition(fabric)] if composed else []
        return "，".join([*parts, _gives(fabric)[1]] if praised else parts) + "。"
    words = [_one(rng, CUT_WORDS[word]) if word in CUT_WORDS else word for word in named]
    first = " ".join([*words, *_cloth(fabric, rng), _one(rng, NOUNS[looks.category]).lower()])
    sentences = [first.capitalize() + (f" with {_gives(fabric)[0]}" if praised else "") + "."]
    sentences += [_composition(fabric, rng)] if composed else []
    return " ".join([*sentences, _one(rng, _LINES)])


def _cloth(fabric: Fabric, rng: np.random.Generator) -> list[str]:
    """Return how a cloth is called; plain weaves go by their fibre."""
    if rng.random() < 0.3:
        return []
    return [fabric.fibre] if fabric.weave == "woven" else [fabric.fibre, fabric.weave]


def _composition(fabric: Fabric, rng: np.random.Generator) -> str:
    rest, elastane = f"{100 - fabric.elastane}% {fabric.fibre}", _one(rng, ("elastane", "spandex"))
    return f"{rest}, {fabric.elastane}% {elastane}." if fabric.elastane else f"{rest}."


def _chinese_composition(fabric: Fabric) -> str:
    rest = f"{CHINESE[fabric.fibre]}{100 - fabric.elastane}%"
    return f"{CHINESE[fabric.weave]}面料 {rest}" + (f" 氨纶{fabric.elastane}%" if fabric.elastane else "")


def _gives(fabric: Fabric) -> tuple[str, str]:
    return next((english, chinese) for most, english, chinese in _GIVES if fabric.stretch < most)


def _one(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]

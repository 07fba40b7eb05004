"""What words say of a garment's looks and cloth, in English, German and Chinese: enough to find what two texts agree on."""

from __future__ import annotations

import re
from functools import lru_cache

_TRAITS = {
    "black": r"black|schwarz(?:e[mnrs]?)?|黑",
    "white": r"white|(?<!ich )weiße?[mnrs]?|白",
    "grey": r"gr[ea]y|graue?[mnrs]?|灰",
    "navy": r"navy(?:[ -]blue)?|marineblaue?[mnrs]?|dunkelblaue?[mnrs]?|藏青|藏蓝",
    "blue": r"(?<!navy )(?<!navy-)blue|blaue?[mnrs]?|(?<!藏)蓝",
    "green": r"green|grüne?[mnrs]?|绿",
    "red": r"red|rote?[mnrs]?|红",
    "pink": r"pink|rosa(?:farbene?[mnrs]?)?|粉色|粉红",
    "yellow": r"yellow|gelbe?[mnrs]?|黄色",
    "orange": r"orange(?:farbene?[mnrs]?)?|橙",
    "purple": r"purple|lila|violette?[mnrs]?|紫",
    "brown": r"brown|braune?[mnrs]?|棕|褐",
    "striped": r"strip(?:es|ed|y)|gestreifte?[mnrs]?|streifen|条纹",
    "checked": r"checked|checkered|plaid|karierte?[mnrs]?|格子|格纹",
    "dotted": r"dotted|polka[ -]dots?|gepunktete?[mnrs]?|波点|圆点",
    "floral": r"floral|geblümte?[mnrs]?|碎花|花卉",
    "slim": r"slim[ -](?:fit|cut|leg)|fitted|close-cut|tailliert(?:e[mnrs]?)?|(?:eng|schmal) geschnitten(?:e[mnrs]?)?|修身",
    "loose": r"loose|relaxed|oversized?|baggy|(?:weit|locker) geschnitten(?:e[mnrs]?)?|宽松",
}
"""Trait to the words that name it."""
_STRETCH = r"stretch(?:y|able|es)?|elastane|spandex|lycra|elasth?an|dehnbare?[mnrs]?|微弹|弹力|高弹|弹性|氨纶"
_NOT = r"no|not|non|never|without|hates?|dislikes?|avoids?|don['’]?t|doesn['’]?t|isn['’]?t|nothing|zero|0 ?%"
_NOT += r"|keine?[mnrs]?|nicht|nie|ohne|ungern|hasse|不|没|无|别|讨厌|避免"
_CLAUSE = re.compile(r"[,.;:!?，。；：！？、\n]+|\b(?:but|aber|sondern|except)\b|但")
"""What ends a clause, and with it what a negation in it denies."""


def _pattern(words: str) -> re.Pattern[str]:
    """Return what finds whole words; Chinese ones stand within others."""
    return re.compile(rf"(?<![a-zäöüß])(?:{words})(?![a-zäöüß])", re.IGNORECASE)


_TRAIT_PATTERNS = {trait: _pattern(words) for trait, words in _TRAITS.items()}
_STRETCH_PATTERN, _NOT_PATTERN = _pattern(_STRETCH), _pattern(_NOT)


def traits_of(text: str) -> frozenset[str]:
    """Return the traits that a text names in clauses that deny nothing; of what is both named and denied it is silent."""
    named, denied = set[str](), set[str]()
    for clause in _CLAUSE.split(text):
        found = {trait for trait, pattern in _TRAIT_PATTERNS.items() if pattern.search(clause)}
        (denied if _NOT_PATTERN.search(clause) else named).update(found)
    return frozenset(named - denied)


@lru_cache(maxsize=4096)
def garment_traits(text: str) -> frozenset[str]:
    """Return `traits_of` a garment's words, which many shoppers' requests have in common."""
    return traits_of(text)


@lru_cache(maxsize=4096)
def stretches(text: str) -> bool:
    """Tell whether a garment's words say that its cloth stretches, and nowhere that it does not."""
    found = [bool(_NOT_PATTERN.search(clause)) for clause in _CLAUSE.split(text) if _STRETCH_PATTERN.search(clause)]
    return bool(found) and not any(found)


def agreed(shopper_traits: frozenset[str], garment: str) -> list[str]:
    """Return the traits that a shopper's and a garment's words both name, in a fixed order."""
    common = shopper_traits & garment_traits(garment)
    return [trait for trait in _TRAITS if trait in common]

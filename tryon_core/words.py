"""Words with numbers: parses a text in any language into tokens, and numbers with units into a unit and a value.

"5'6\"", "168cm", "一米六八" and "1.68 m" all become the token ``<cm>`` with its value, so that 165 and 166 are
neighbours. There is no vocabulary: a word is hashed into rows of a table (see `text`). The parser's rules are part
of every encoder's fingerprint through `PARSER_VERSION`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from .errors import TooLargeError
from .numerals import CJK_NUMERALS, chinese_number

PARSER_VERSION = 2
MAX_CHARACTERS = 10_000
_LARGEST = 1e9

LETTER_SIZES = {
    "xxxs": -4.0,
    "xxs": -3.0,
    "xs": -2.0,
    "s": -1.0,
    "m": 0.0,
    "l": 1.0,
    "xl": 2.0,
    "xxl": 3.0,
    "xxxl": 4.0,
}
LETTER_SIZES |= {f"{n}xl": float(n + 1) for n in range(1, 8)} | {f"{n}xs": -float(n + 1) for n in range(1, 4)}
"""Letter sizes as steps from M."""

SIZE_SYSTEMS = ("letter", "us", "eu", "uk", "fr", "it", "inch", "number")

_CM = {"mm": 0.1, "cm": 1.0, "m": 100.0, "in": 2.54, "inch": 2.54, "inches": 2.54, "ft": 30.48, "feet": 30.48}
_CM |= {
    "foot": 30.48,
    "毫米": 0.1,
    "厘米": 1.0,
    "公分": 1.0,
    "米": 100.0,
    "尺": 100 / 3,
    "寸": 10 / 3,
    "英寸": 2.54,
    '"': 2.54,
}
_KG = {"kg": 1.0, "kgs": 1.0, "kilo": 1.0, "kilos": 1.0, "lb": 0.45359237, "lbs": 0.45359237, "pounds": 0.45359237}
_KG |= {
    "pound": 0.45359237,
    "st": 6.35029318,
    "stone": 6.35029318,
    "公斤": 1.0,
    "千克": 1.0,
    "斤": 0.5,
    "磅": 0.45359237,
}
_CM |= dict.fromkeys(("centimeter", "centimeters", "centimetre", "centimetres"), 1.0)
_CM |= dict.fromkeys(("meter", "meters", "metre", "metres"), 100.0)
_KG |= dict.fromkeys(("kilogram", "kilograms", "kilogramme", "kilogrammes"), 1.0)
_UNITS = sorted([*_CM, *_KG], key=len, reverse=True)

_NUM = r"\d+(?:\.\d+|(?<!\d{3}),\d{1,2}(?!\d))?"
"""A decimal comma stands behind one or two digits; behind three, as in "165,55kg", it parts two numbers."""
_NAMED = r"medium|(?:(?:x{1,3}|extra)[\s-]?)?(?:small|large)"
_CJK = "\u3400-\u4dbf\u4e00-\u9fff\u3040-\u30ff\uac00-\ud7af"
_ZH = f"[{CJK_NUMERALS}]"
_ZH_UNITS = "毫米|厘米|公分|英寸|公斤|千克|米|尺(?!码)|寸|斤|磅"
_NO_WEIGHT = r"(?!\s*(?:kg|kilo|lb|pound|st|公斤|千克|斤|磅))"
_NO_COUNT = r"(?!\s*(?:%|times|years?|yrs?|months?|weeks?|days?|pairs?|ans(?![a-z])))"
_INCHES_OF = "waist|inseam|chest|bust|hips?|tall|high|height|long|neck|sleeve"
_PATTERN = re.compile(
    "|".join(
        (
            r"(?P<ft>[4-7])\s*(?:'|ft\.?|feet|foot)\s*(?P<inch>(?:1[01]|\d)(?:\.5)?)?"
            r"\s*(?:''|\"|in(?:ch(?:es)?)?(?![a-z]))?(?!\d)",
            r"(?P<st>\d{1,2})\s*(?:st|stone)\s*(?P<st_lb>\d{1,2})\s*(?:lbs?|pounds)?(?![a-z0-9])",
            rf"(?P<m>[12]|{_ZH})\s*(?:m|met(?:er|re)s?|米)\s*(?P<m_rest>\d{{1,2}}|{_ZH}{{1,3}})(?![\d.]){_NO_WEIGHT}",
            rf"(?P<chi>{_NUM}|{_ZH}+)\s*尺\s*(?P<cun>\d|{_ZH})(?:寸)?",
            rf"(?<![a-z])(?P<system>eu|us|uk|fr|it|de|w|jeans)\s*(?:-\s*)?(?![12](?:[.,]\d+)?\s*m(?![a-z]))(?P<sized>{_NUM})"
            rf"(?!\d|[.,]\d|\s*(?:cm|mm|kg|kilo|lb|pound|stone|ft|feet|foot|')){_NO_COUNT}",
            rf"(?P<sized_before>{_NUM})\s*(?P<system_behind>eu|us|uk)(?![a-z]|\s*\d)",
            rf"(?P<zhsize>{_NUM}|{_ZH}+)\s*码",
            r"(?P<band>(?:2[68]|3[02468]|4[024]|[6-9][05]))(?P<cup>aa|a|b|c|d{1,4}|e|f|g|h)(?![a-z0-9])",
            r"(?<![a-z0-9'&.])(?P<letter>(?:[1-7]|x{1,3})?x[sl]|xs|xl|s|m|l)(?![a-z0-9'&]|\.[a-z0-9])\s*码?",
            rf"(?<![a-z])(?P<said>size|wears?|usually|normally)\s+(?P<named>{_NAMED})(?![a-z])",
            rf"(?P<value>{_NUM})(?:\s*|-)(?P<unit>{'|'.join(_UNITS)})(?![a-z])"
            rf"(?!(?<=\din)\s+(?!{_INCHES_OF})[a-z]|(?<=\d\sin)\s+(?!{_INCHES_OF})[a-z])",
            rf"(?P<zhvalue>{_ZH}+)\s*(?P<zhunit>{_ZH_UNITS})半?",
            rf"(?P<number>{_NUM})",
            rf"(?P<cjk>(?:(?!{_ZH}{{1,8}}\s*(?:{_ZH_UNITS}|码))[{_CJK}])+)",
            rf"(?P<word>(?:(?![{_CJK}])[^\W\d_])+)",
        )
    )
)
_SYSTEMS = {"w": "inch", "jeans": "inch", "de": "eu"}
_SAME = (("’", "'"), ("”", '"'), ("′", "'"), ("″", '"'), ("u.s.", "us"), ("u.k.", "uk"))


@dataclass(frozen=True)
class Token:
    """A word, or a unit with its value."""

    word: str
    """A folded word, a CJK character or pair, or a unit in angle brackets: ``<cm>``, ``<kg>``, ``<size:eu>``."""
    value: float | None = None
    """In the unit's own measure: cm, kg, steps from M, the number of a size; None for a plain word."""


def parse(text: str) -> list[Token]:
    """Return a text's tokens in order.

    Raises:
        TooLargeError: the text is longer than `MAX_CHARACTERS`.
    """
    if len(text) > MAX_CHARACTERS:
        raise TooLargeError(f"expected a text of at most {MAX_CHARACTERS} characters, got {len(text)}")
    folded = unicodedata.normalize("NFKC", text.replace("，", ", ")).casefold()
    for old, new in _SAME:
        folded = folded.replace(old, new)
    return [token for match in _PATTERN.finditer(folded) for token in _tokens_of(match)]


def parse_size(label: str) -> tuple[str, float] | None:
    """Return a size label as (system, value), system one of `SIZE_SYSTEMS`; None for other labels."""
    if re.fullmatch(_NAMED, label.strip().casefold()):
        return "letter", _named_size(label.strip().casefold())
    for token in parse(label):
        if token.word.startswith("<size:") and token.value is not None:
            return token.word[6:-1], token.value
        if token.word == "<number>" and token.value is not None:
            return "number", token.value
    return None


def _tokens_of(match: re.Match[str]) -> list[Token]:
    kind = next(name for name in _FIRST_GROUPS if match[name] is not None)
    return _READERS[kind](match)


def _number(text: str) -> float:
    return min(float(text.replace(",", ".")) if text[0].isdigit() else chinese_number(text), _LARGEST)


def _feet(match: re.Match[str]) -> list[Token]:
    return [Token("<cm>", round(30.48 * _number(match["ft"]) + 2.54 * float(match["inch"] or 0), 1))]


def _stone(match: re.Match[str]) -> list[Token]:
    return [Token("<kg>", round(6.35029318 * float(match["st"]) + 0.45359237 * float(match["st_lb"]), 1))]


def _metres(match: re.Match[str]) -> list[Token]:
    rest = match["m_rest"]
    digits = rest if rest.isdigit() else "".join(str(int(chinese_number(c))) for c in rest if c not in "十百")
    return [Token("<cm>", 100 * _number(match["m"]) + float((digits + "0")[:2]))]


def _chi(match: re.Match[str]) -> list[Token]:
    return [Token("<cm>", round((10 * _number(match["chi"]) + _number(match["cun"])) * 10 / 3, 1))]


def _sized(match: re.Match[str]) -> list[Token]:
    system, number = (
        (match["system"], match["sized"]) if match["system"] else (match["system_behind"], match["sized_before"])
    )
    return [Token(f"<size:{_SYSTEMS.get(system, system)}>", _number(number))]


def _named_size(name: str) -> float:
    steps = float(name.count("x"))  # which "extra" has, too
    if name == "medium":
        return 0.0
    return (-1.0 if name.endswith("small") else 1.0) * (1 + steps)


def _named(match: re.Match[str]) -> list[Token]:
    return [Token(match["said"]), Token("<size:letter>", _named_size(match["named"]))]


def _band(match: re.Match[str]) -> list[Token]:
    band = float(match["band"])
    inches = 30 + (band - 65) / 2.5 if band >= 60 else band  # EU 75 is US 34
    return [Token("<band>", inches), Token(f"<cup:{match['cup']}>")]


def _united(match: re.Match[str]) -> list[Token]:
    text, unit = (match["value"], match["unit"]) if match["value"] else (match["zhvalue"], match["zhunit"])
    if unit == "st" and text.endswith("1") and text != "11":  # 1st, 21st
        return [Token("<number>", _number(text))]
    value = _number(text) + (0.5 if match[0].endswith("半") else 0.0)
    if unit in _CM:
        return [Token("<cm>", round(value * _CM[unit], 1))]
    return [Token("<kg>", round(value * _KG[unit], 1))]


def _characters(match: re.Match[str]) -> list[Token]:
    run = match["cjk"]
    return [Token(c) for c in run] + [Token(run[i : i + 2]) for i in range(len(run) - 1)]


_READERS: dict[str, Callable[[re.Match[str]], list[Token]]] = {
    "ft": _feet,
    "st": _stone,
    "m": _metres,
    "chi": _chi,
    "system": _sized,
    "system_behind": _sized,
    "zhsize": lambda match: [Token("<size:eu>", _number(match["zhsize"]))],
    "band": _band,
    "letter": lambda match: [Token("<size:letter>", LETTER_SIZES[match["letter"]])],
    "named": _named,
    "value": _united,
    "zhvalue": _united,
    "number": lambda match: [Token("<number>", _number(match["number"]))],
    "cjk": _characters,
    "word": lambda match: [Token(match["word"])],
}
_FIRST_GROUPS = tuple(_READERS)

"""Words with numbers: parses a text in any language into tokens, and numbers with units into a unit and a value.

"5'6\"", "168cm", "一米六八" and "1.68 m" all become the token ``<cm>`` with its value, so that 165 and 166 are
neighbours. There is no vocabulary: a word is hashed into rows of a table (see `text`). The parser's rules are part
of every encoder's fingerprint through `PARSER_VERSION`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .errors import TooLargeError
from .folding import fold
from .numerals import CJK_NUMERALS, chinese_number
from .sizes import LETTER, NAME, PLUS, letter_steps, name_steps, plus_steps

PARSER_VERSION = 3
"""Raise it when a text gives other tokens; `tests/test_core_text.py` pins what some texts give."""
MAX_CHARACTERS = 10_000
_LARGEST = 1e9

_CM = {"mm": 0.1, "cm": 1.0, "m": 100.0, "in": 2.54, "inch": 2.54, "inches": 2.54, "ft": 30.48, "feet": 30.48}
_CM |= {"foot": 30.48, "毫米": 0.1, "厘米": 1.0, "公分": 1.0, "米": 100.0, "尺": 100 / 3, "寸": 10 / 3, "市寸": 10 / 3}
_CM |= {"英尺": 30.48, "呎": 30.48, "英寸": 2.54, "吋": 2.54, '"': 2.54, "''": 2.54}
_CM |= dict.fromkeys(("centimeter", "centimeters", "centimetre", "centimetres"), 1.0)
_CM |= dict.fromkeys(("meter", "meters", "metre", "metres"), 100.0)
_KG = {"kg": 1.0, "kgs": 1.0, "kilo": 1.0, "kilos": 1.0, "lb": 0.45359237, "lbs": 0.45359237, "pounds": 0.45359237}
_KG |= {"pound": 0.45359237, "st": 6.35029318, "stone": 6.35029318, "公斤": 1.0, "千克": 1.0}
_KG |= {"市斤": 0.5, "斤": 0.5, "磅": 0.45359237}
_KG |= dict.fromkeys(("kilogram", "kilograms", "kilogramme", "kilogrammes"), 1.0)
_UNITS = "|".join(sorted([*_CM, *_KG], key=len, reverse=True))

_NUM = r"\d+(?:\.\d+|(?<!\d{3}),\d{1,2}(?!\d)|,\d(?=\s*(?:cm|kg|lb)))?"
"""A decimal comma stands behind one or two digits; behind three, as in "165,55kg", it parts two numbers, unless one digit
and a unit follow."""
_CJK = "\u3400-\u4dbf\u4e00-\u9fff\u3040-\u30ff\uac00-\ud7af"
_ZH = f"[{CJK_NUMERALS}]"
_ZH_UNITS = "毫米|厘米|公分|英寸|英尺|公斤|千克|市斤|市寸|米(?![色白黄])|尺(?!码)|寸|斤|磅|呎|吋"
_NO_WEIGHT = r"(?!\s*(?:kg|kilo|lb|pound|st|公斤|千克|斤|磅))"
_NO_COUNT = (
    r"(?!\s*(?:%|times|years?|yrs?|months?|weeks?|days?|pairs?|stars?|girls?|boys?|people|of(?![a-z])|sizes?\s+(?:up|down)"
    r"|ans(?![a-z])))(?!\s*/\s*\d)"
)
_INCHES_OF = "waist|inseam|chest|bust|hips?|tall|high|height|long|neck|sleeve"
_END = rf"(?=\s*(?:$|[^\w\s]|[\d{_CJK}]|(?:size|and|or|in|but|with|for|usually|so|though)(?![a-z])))"
_PROSE = "".join(f"(?<!{word} )" for word in ("for", "of", "with", "to", "at", "let", "give", "gave", "tell", "told"))
_PATTERN = re.compile(
    "|".join(
        (
            rf"(?P<ft>[4-7]|{_ZH})\s*(?:'(?!s(?![a-z]))|ft\.?|feet|foot|英尺|呎)\s*"
            rf"(?P<inch>(?:1[01]|\d)(?:\.\d+)?|{_ZH}{{1,2}}(?=\s*(?:英寸|吋|寸)))?"
            r"\s*(?:''|\"|in(?:ch(?:es)?)?(?![a-z])|英寸|吋|寸)?(?!\d)",
            r"(?P<st>\d{1,2})\s*(?:st|stone)\s*(?P<st_lb>\d{1,2})\s*(?:lbs?|pounds)?(?![a-z0-9])",
            rf"(?P<m>[12]|{_ZH})\s*(?:m|met(?:er|re)s?|米)\s*(?P<m_rest>\d{{1,2}}|{_ZH}{{1,3}})(?![\d.]){_NO_WEIGHT}",
            rf"(?P<chi>{_NUM}|{_ZH}+)\s*尺\s*(?P<cun>\d|{_ZH})(?:寸)?",
            r"(?<![\d.])(?P<gb_height>1[0-9]\d|20\d)\s*/\s*(?P<gb_girth>\d{2,3}(?:\.\d)?)\s*[abcy](?![a-z0-9])",
            r"(?<![\d.])(?P<jeans_waist>\d{2})\s*w(?![a-z])(?:\s*[x/]?\s*(?P<jeans_leg>\d{2})\s*l(?![a-z0-9]))?",
            rf"(?<![a-z]){_PROSE}(?P<system>eur?|us|uk|fr|it|de|w|jeans)\s*(?:-|:|size)?\s*"
            rf"(?![12](?:[.,]\d+)?\s*m(?![a-z]))(?P<sized>{_NUM})"
            rf"(?!\d|[.,]\d|\s*(?:cm|mm|kg|kilo|lb|pound|stone|ft|feet|foot|')){_NO_COUNT}",
            rf"(?P<sized_before>{_NUM})\s*(?P<system_behind>eur?|us|uk)(?![a-z]|\s*\d)",
            rf"(?<![大小])(?P<zhsize>{_NUM}|{_ZH}+)\s*码",
            r"(?<![\d/])(?<!wash )(?<!at )(?P<band>(?:2[68]|3[02468]|4[024]|[6-9][05]))(?P<cup>aa|a|b|c|d{1,4}|e|f|g|h)"
            r"(?![a-z0-9])(?!\s*(?:tights|denier|wash))",
            rf"(?<![a-z0-9'&.])(?P<letter>{LETTER})(?![a-z0-9'&]|\.[a-z0-9])\s*码?",
            rf"(?<![a-z])(?P<said>size|wear(?:s|ing)?|usually|normally)\s*:?\s+(?P<named>{NAME})(?![a-z])",
            rf"(?<![a-z])(?P<of>wear(?:s|ing)?|usually|normally|i'm|am|take|buy|need|a)\s+(?:an?\s+)?"
            rf"(?P<named_so>{NAME})(?![a-z]){_END}",
            rf"(?<![a-z])(?P<plus_of>size|wears?|usually|normally)\s+(?P<plus>{PLUS})(?![a-z0-9])",
            rf"(?P<value>{_NUM})(?:\s*|-)(?P<unit>{_UNITS})(?![a-z])(?!(?<=米)[色白黄])(?!(?<=in)[\s-]+1(?!\d))"
            rf"(?!(?<=\din)\s+(?!{_INCHES_OF})[a-z]|(?<=\d\sin)\s+(?!{_INCHES_OF})[a-z])",
            rf"(?P<zhvalue>{_ZH}+)\s*(?P<zhunit>{_ZH_UNITS})半?",
            rf"(?P<number>{_NUM})",
            rf"(?P<cjk>(?:(?!{_ZH}{{1,8}}\s*(?:{_ZH_UNITS}|码))[{_CJK}])+)",
            rf"(?P<word>(?:(?![{_CJK}])[^\W\d_])+)",
        )
    )
)
_SYSTEMS = {"w": "inch", "jeans": "inch", "de": "eu", "eur": "eu"}
_SIZES_OF = {"it": (34, 64), "us": (0, 64), "uk": (2, 64), "eu": (16, 70), "fr": (16, 70), "inch": (20, 60)}
"""Values that a size of a system may have; "gave it 5" and "jeans 2" are none."""
_INCHES_FROM = 20
"""寸 of so many are inches, as trousers have them; fewer are the Chinese inch."""


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
    return [token for match in _PATTERN.finditer(fold(text)) for token in _tokens_of(match)]


def placed_tokens(folded: str) -> list[tuple[Token, int, int]]:
    """Return the tokens of a text that is folded already, as `parse` does, each with where it starts and ends in it."""
    found = []
    for match in _PATTERN.finditer(folded):
        start, tokens = match.start(), _tokens_of(match)
        ends = len(match[0].rstrip())
        run = match["cjk"]
        within = [(i, i + n) for n in (1, 2) for i in range(len(run) + 1 - n)] if run else [(0, ends)] * len(tokens)
        found += [(token, start + a, start + b) for token, (a, b) in zip(tokens, within, strict=True)]
    return found


def parse_size(label: str) -> tuple[str, float] | None:
    """Return a size label as (system, value), system one of `sizes.SIZE_SYSTEMS`; None for other labels.

    Of a label for two letter sizes, as "S/M", the value is between them.
    """
    folded = label.strip().casefold()
    if re.fullmatch(PLUS, folded):
        return "letter", plus_steps(folded)
    names = re.findall(rf"(?<![a-z])(?:{NAME})(?![a-z])", folded)
    letters = [name_steps(name) for name in names]
    for token in () if names else parse(label):
        if token.word == "<size:letter>" and token.value is not None:
            letters.append(token.value)
        elif token.word.startswith("<size:") and token.value is not None:
            return token.word[6:-1], token.value
        elif token.word == "<number>" and token.value is not None and not letters:
            return "number", token.value
    return ("letter", sum(letters[:2]) / len(letters[:2]) if "/" in label else letters[0]) if letters else None


def _tokens_of(match: re.Match[str]) -> list[Token]:
    kind = next(name for name in _FIRST_GROUPS if match[name] is not None)
    return _READERS[kind](match)


def _number(text: str) -> float:
    return min(float(text.replace(",", ".")) if text[0].isdigit() else chinese_number(text), _LARGEST)


def _feet(match: re.Match[str]) -> list[Token]:
    return [Token("<cm>", round(30.48 * _number(match["ft"]) + 2.54 * _number(match["inch"] or "0"), 1))]


def _stone(match: re.Match[str]) -> list[Token]:
    return [Token("<kg>", round(6.35029318 * float(match["st"]) + 0.45359237 * float(match["st_lb"]), 1))]


def _metres(match: re.Match[str]) -> list[Token]:
    rest = match["m_rest"]
    digits = rest if rest.isdigit() else "".join(str(int(chinese_number(c))) for c in rest if c not in "十百")
    return [Token("<cm>", 100 * _number(match["m"]) + float((digits + "0")[:2]))]


def _chi(match: re.Match[str]) -> list[Token]:
    return [Token("<cm>", round((10 * _number(match["chi"]) + _number(match["cun"])) * 10 / 3, 1))]


def _gb(match: re.Match[str]) -> list[Token]:
    """A label of GB/T 1335: the height and the girth that a garment is made for, cm, as in 165/88A."""
    return [Token("<cm>", _number(match["gb_height"])), Token("<cm>", _number(match["gb_girth"]))]


def _jeans(match: re.Match[str]) -> list[Token]:
    leg = [Token("<cm>", round(2.54 * _number(match["jeans_leg"]), 1))] if match["jeans_leg"] else []
    return [Token("<size:inch>", _number(match["jeans_waist"])), *leg]


def _sized(match: re.Match[str]) -> list[Token]:
    said, number = (match["system"], match["sized"]) if match["system"] else (match["system_behind"], match["sized_before"])
    return _size_of(_SYSTEMS.get(said, said), _number(number), said)


def _size_of(system: str, value: float, said: str) -> list[Token]:
    low, high = _SIZES_OF[system]
    return [Token(f"<size:{system}>", value)] if low <= value <= high else [Token(said), Token("<number>", value)]


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
        per = 2.54 if unit == "寸" and value >= _INCHES_FROM else _CM[unit]
        return [Token("<cm>", round(value * per, 1))]
    return [Token("<kg>", round(value * _KG[unit], 1))]


def _characters(match: re.Match[str]) -> list[Token]:
    run = match["cjk"]
    return [Token(c) for c in run] + [Token(run[i : i + 2]) for i in range(len(run) - 1)]


_READERS: dict[str, Callable[[re.Match[str]], list[Token]]] = {
    "ft": _feet,
    "st": _stone,
    "m": _metres,
    "chi": _chi,
    "gb_height": _gb,
    "jeans_waist": _jeans,
    "system": _sized,
    "system_behind": _sized,
    "zhsize": lambda match: _size_of("eu", _number(match["zhsize"]), "码"),
    "band": _band,
    "letter": lambda match: [Token("<size:letter>", letter_steps(match["letter"]))],
    "named": lambda match: [Token(match["said"]), Token("<size:letter>", name_steps(match["named"]))],
    "named_so": lambda match: [Token(match["of"]), Token("<size:letter>", name_steps(match["named_so"]))],
    "plus": lambda match: [Token(match["plus_of"]), Token("<size:letter>", plus_steps(match["plus"]))],
    "value": _united,
    "zhvalue": _united,
    "number": lambda match: [Token("<number>", _number(match["number"]))],
    "cjk": _characters,
    "word": lambda match: [Token(match["word"])],
}
_FIRST_GROUPS = tuple(_READERS)

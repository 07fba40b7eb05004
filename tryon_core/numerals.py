"""Chinese numerals as numbers: digits (六五), places (一百二十) and mixtures (一百二); knows nothing of units."""

from __future__ import annotations

_DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_PLACES = {"十": 10, "百": 100}
CJK_NUMERALS = "".join((*_DIGITS, *_PLACES))


def chinese_number(text: str) -> float:
    """Return the value of a run of Chinese numerals: 一百二十 is 120, 一百二 is 120, 一六五 is 165, 十 is 10."""
    if not any(c in _PLACES for c in text):
        return float("".join(str(_DIGITS[c]) for c in text))
    total, digit, last_place = 0, None, 1
    for character in text:
        if character in _PLACES:
            last_place = _PLACES[character]
            total += (1 if digit is None else digit) * last_place
            digit = None
        else:
            last_place, digit = (1, _DIGITS[character]) if character in "零〇" else (last_place, _DIGITS[character])
    return float(total + (digit or 0) * (max(last_place // 10, 1) if last_place > 1 else 1))

"""Which of the languages that answers are written in a caller wants: Accept-Language (RFC 9110, section 12.5.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, get_args

from starlette.datastructures import Headers, MutableHeaders

Language = Literal["en", "zh", "de"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
"""Primary subtags, the default first; Chinese is written in simplified characters."""
DEFAULT = LANGUAGES[0]
_RANGE = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*[Qq]\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")
_MOST = 50
"""Ranges that are looked at; browsers send a handful."""


def language_of(accepted: Sequence[str]) -> Language:
    """Return the language to answer in: the one wanted most, of equals the one named first; English where none is.

    A range names all regions and scripts of its language. What is not a range with a weight in [0, 1] is passed over: a
    header that is wrong is no reason to refuse an answer.

    Args:
        accepted: the values of the headers Accept-Language.
    """
    weights: dict[str, float] = {}
    for told in ",".join(accepted).split(",", _MOST)[:_MOST]:
        found = _RANGE.fullmatch(told)
        if found:
            weight = float(found[2] or 1)
            if weight <= 1:
                name = found[1].lower()
                weights[name] = max(weight, weights.get(name, 0.0))
    rest = weights.pop("*", 0.0)
    wanted: dict[Language, float] = {name: weights[name] for name in LANGUAGES if name in weights}
    wanted |= {name: rest for name in LANGUAGES if name not in wanted}
    best = max(wanted, key=lambda name: wanted[name])
    return best if wanted[best] > 0 else DEFAULT


def read_language(headers: Headers) -> Language:
    """Return the language that a request wants its answer in."""
    return language_of(headers.getlist("accept-language"))


def mark_language(headers: MutableHeaders, language: Language) -> None:
    """Tell callers and the caches between in which language an answer is, and that it depends on what was asked for."""
    headers["Content-Language"] = language
    headers.add_vary_header("Accept-Language")

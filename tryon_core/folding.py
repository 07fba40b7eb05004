"""One spelling for what people write in several: width, case, quotes, fractions, gaps; and where each character stood."""

from __future__ import annotations

import itertools
import re
import unicodedata

Places = list[tuple[int, int]]
"""For each character of a folded text where what became of it starts and ends in the original, in code points."""

_SAME = {"’": "'", "‘": "'", "′": "'", "”": '"', "“": '"', "″": '"', "，": ", "}
_SAME |= {"½": ".5", "¼": ".25", "¾": ".75", "⅓": ".33", "⅔": ".67", "⅛": ".125", "⅜": ".375", "⅝": ".625", "⅞": ".875"}
_FOLD = str.maketrans(_SAME)
_WRITTEN = (
    (re.compile(r"(?<!\d)\.(?=\d)"), "0."),
    (re.compile(r"(?<=\d)\s+1/2(?![\d/])"), ".5"),
    (re.compile(r"u\.s\."), "us"),
    (re.compile(r"u\.k\."), "uk"),
)


def fold(text: str) -> str:
    """Return a text in one spelling: NFKC, case folded, one space for every gap and none at the ends."""
    # One space for every gap, so that no pattern can try a long one in many ways.
    folded = " ".join(_spelt(text).split())
    for written, meant in _WRITTEN:
        folded = written.sub(meant, folded)
    return folded


def fold_with_places(text: str) -> tuple[str, Places | None]:
    """Return `fold` of a text with the places of its characters; None where scripts join characters in ways of their own."""
    characters: list[str] = []
    places: Places = []
    for start, end in _clusters(text):
        spelt = _spelt(text[start:end])
        characters += spelt
        places += [(start, end)] * len(spelt)
    characters, places = _gaps_closed(characters, places)
    for written, meant in _WRITTEN:
        characters, places = _replaced(written, meant, characters, places)
    folded = fold(text)
    return folded, places if "".join(characters) == folded else None


def _spelt(text: str) -> str:
    return unicodedata.normalize("NFKC", text.translate(_FOLD)).casefold()


def _clusters(text: str) -> Places:
    """Return where each character with its accents starts and ends."""
    starts = [at for at, character in enumerate(text) if at == 0 or not unicodedata.combining(character)]
    return list(itertools.pairwise([*starts, len(text)]))


def _gaps_closed(characters: list[str], places: Places) -> tuple[list[str], Places]:
    kept: list[str] = []
    where: Places = []
    for character, place in zip(characters, places, strict=True):
        if not character.isspace():
            kept.append(character)
            where.append(place)
        elif kept and kept[-1] != " ":
            kept.append(" ")
            where.append(place)
    return (kept[:-1], where[:-1]) if kept and kept[-1] == " " else (kept, where)


def _replaced(written: re.Pattern[str], meant: str, characters: list[str], places: Places) -> tuple[list[str], Places]:
    folded, kept, where, done = "".join(characters), [], [], 0
    for match in written.finditer(folded):
        kept += [*characters[done : match.start()], *meant]
        where += [*places[done : match.start()], *[(places[match.start()][0], places[match.end() - 1][1])] * len(meant)]
        done = match.end()
    return kept + characters[done:], where + places[done:]

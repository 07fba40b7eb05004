"""The words of a text as a reader would point at them: where each stands, and which tokens go if it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .folding import fold_with_places
from .words import Token, parse, placed_tokens


@dataclass(frozen=True)
class Word:
    """A stretch of a text: a word, a number with its unit, a Chinese character or a pair of them."""

    start: int
    """Code points from the text's beginning."""
    end: int
    tokens: frozenset[int]
    """Which of the text's tokens overlap it."""


def words_of(text: str, max_tokens: int) -> tuple[list[Token], list[Word]]:
    """Return a text's tokens, as `text.text_arrays` takes them, and its words in the order of their places.

    What one rule of the parser reads, as "5 ft 4", is one word. Chinese isn't parted into words: every character and every
    pair is offered, so words may overlap, and whoever shows them chooses. Where a script joins characters in ways that leave
    no place to point at, the whole text is one word.

    Raises:
        TooLargeError: the text has too many characters.
    """
    tokens = parse(text)[:max_tokens]
    folded, places = fold_with_places(text)
    if places is None:
        return tokens, [Word(0, len(text), frozenset(range(len(tokens))))] if tokens else []
    stretches = [(start, end) for _, start, end in placed_tokens(folded)[:max_tokens]]
    return tokens, [_word(stretch, stretches, places) for stretch in sorted(set(stretches))]


def _word(stretch: tuple[int, int], all_stretches: Sequence[tuple[int, int]], places: Sequence[tuple[int, int]]) -> Word:
    start, end = stretch
    overlapping = frozenset(at for at, (one, other) in enumerate(all_stretches) if one < end and other > start)
    return Word(places[start][0], places[end - 1][1], overlapping)

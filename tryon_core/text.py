"""Texts as padded arrays of hashed tokens, the same in every process and on every machine; it knows no encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from .words import Token, parse


@dataclass(frozen=True)
class TextArrays:
    """U texts of at most L tokens; a text has at least one token, the empty text the token ``<empty>``."""

    ids: npt.NDArray[np.int64]
    """int64[U, L, 2], two rows of the hashed word table for each token; 0 behind a text's end."""
    values: npt.NDArray[np.float32]
    """float32[U, L], a number's value in its own unit; NaN for plain words and behind a text's end."""
    lengths: npt.NDArray[np.int64]
    """int64[U], tokens per text, 1 to L."""

    def __len__(self) -> int:
        return len(self.lengths)


def text_arrays(texts: Sequence[str], rows: int, max_tokens: int) -> TextArrays:
    """Return texts as arrays for a table of `rows` rows; tokens past `max_tokens` are dropped.

    Raises:
        TooLargeError: a text has too many characters.
    """
    return token_arrays([parse(text)[:max_tokens] for text in texts], rows)


def token_arrays(texts: Sequence[Sequence[Token]], rows: int) -> TextArrays:
    """Return parsed texts as arrays for a table of `rows` rows."""
    tokens = [text or [Token("<empty>")] for text in texts]
    lengths = np.array([len(t) for t in tokens], dtype=np.int64)
    longest = int(lengths.max(initial=1))
    ids = np.zeros((len(tokens), longest, 2), dtype=np.int64)
    values = np.full((len(tokens), longest), np.nan, dtype=np.float32)
    for row, line in enumerate(tokens):
        ids[row, : len(line)] = [hash_word(token.word, rows) for token in line]
        values[row, : len(line)] = [np.nan if token.value is None else token.value for token in line]
    return TextArrays(ids, values, lengths)


@lru_cache(maxsize=200_000)
def hash_word(word: str, rows: int) -> tuple[int, int]:
    """Return a word's two rows, in [0, rows), from one blake2b digest.

    Two rows a word make a full collision rare (Svenstrup et al., Hash Embeddings for Efficient Word
    Representations, 2017).
    """
    digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little") % rows, int.from_bytes(digest[8:], "little") % rows

"""What a shop's reasons for a return mean, in any language: small, large, style, or nothing that a model should learn."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import fsspec

from tryon_core.errors import ConfigError, expected_one_of

from .tables import read_table

MEANINGS = ("small", "large", "style", "ignore")
"""Too small; too large; not liked, whatever the size; nothing that tells how it fits or pleases, such as damage."""
_PLAIN = {
    **{name: name for name in MEANINGS},
    "too small": "small",
    "too big": "large",
    "too large": "large",
    "damaged": "ignore",
}


@dataclass
class Reasons:
    """A map of values to meanings, which counts the values that are not in it."""

    meanings: Mapping[str, str] = field(default_factory=lambda: dict(_PLAIN))
    """Value in lower case to one of `MEANINGS`."""
    unknown: Counter[str] = field(default_factory=Counter)

    def meaning(self, value: str) -> str:
        """Return what a value means; empty where nothing was said, or it is not known, which is counted."""
        found = self.meanings.get(_folded(value), "")
        if value and not found:
            self.unknown[value] += 1
        return found

    def report(self) -> list[str]:
        """Return a sentence for each value that was not known, the most frequent first."""
        return [
            f"reason {value!r} in {num} lines has no meaning{self._hint(value)}" for value, num in self.unknown.most_common()
        ]

    def _hint(self, value: str) -> str:
        close = difflib.get_close_matches(_folded(value), self.meanings, n=1)
        return f"; did you mean {close[0]!r}, which is {self.meanings[close[0]]}?" if close else ""


def read_reasons(url: str) -> Reasons:
    """Read ``{"zu klein": "small", …}`` from JSON, or columns ``reason,meaning`` from CSV; case does not count.

    Raises:
        ConfigError: the file does not read, or a meaning is none of `MEANINGS`.
    """
    told = _json(url) if url.lower().endswith(".json") else _csv(url)
    for value, meaning in told.items():
        if meaning not in MEANINGS:
            raise ConfigError(expected_one_of(f"the meaning of reason {value!r} in {url}", meaning, MEANINGS))
    return Reasons({**_PLAIN, **{_folded(value): meaning for value, meaning in told.items()}})


def _json(url: str) -> dict[str, str]:
    try:
        with fsspec.open(url, "rb") as file:
            told = json.load(file)
    except (OSError, ValueError) as err:
        raise ConfigError(f"expected a JSON file of reasons at {url}, got one that does not read: {err}") from err
    if not isinstance(told, dict):
        raise ConfigError(f"expected an object of reasons in {url}, got {type(told).__name__}")
    return told


def _csv(url: str) -> dict[str, str]:
    table = read_table(url)
    for name in ("reason", "meaning"):
        if name not in table.columns:
            raise ConfigError(expected_one_of(f"a column of {url}", name, table.columns))
    return dict(zip(table.columns["reason"], table.columns["meaning"], strict=True))


def _folded(value: str) -> str:
    return " ".join(value.casefold().split())

"""What a shop's reasons for a return mean, in any language: small, large, style, or nothing that a model should learn.

One rule for fitting, which reads reasons from tables, and for serving, which reads them from feedback.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import fsspec

from .errors import ConfigError, expected_one_of
from .folding import fold

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
    """Value as `folding.fold` spells it to one of `MEANINGS`."""
    unknown: Counter[str] = field(default_factory=Counter)

    def meaning(self, value: str) -> str:
        """Return what a value means; empty where nothing was said, or it is not known, which is counted."""
        found = self.find(value)
        if value and not found:
            self.unknown[value] += 1
        return found

    def find(self, value: str) -> str:
        """Return what a value means, empty where it is not known, and count nothing."""
        return self.meanings.get(fold(value), "")

    def report(self) -> list[str]:
        """Return a sentence for each value that was not known, the most frequent first."""
        return [
            f"reason {value!r} in {num} lines has no meaning{self._hint(value)}" for value, num in self.unknown.most_common()
        ]

    def _hint(self, value: str) -> str:
        close = difflib.get_close_matches(fold(value), self.meanings, n=1)
        return f"; did you mean {close[0]!r}, which is {self.meanings[close[0]]}?" if close else ""


def reasons_of(told: Iterable[tuple[str, Any]], url: str) -> Reasons:
    """Return the map that pairs of value and meaning add to the plain English one.

    Args:
        url: where they are from, for the errors.

    Raises:
        ConfigError: a meaning is none of `MEANINGS`, or a reason has two.
    """
    meanings = dict[str, str]()
    for value, meaning in told:
        if meaning not in MEANINGS:
            raise ConfigError(expected_one_of(f"the meaning of reason {value!r} in {url}", meaning, MEANINGS))
        if meanings.setdefault(fold(value), meaning) != meaning:
            raise ConfigError(
                f"expected one meaning of reason {value!r} in {url}, got {meanings[fold(value)]} and {meaning}"
            )
    return Reasons({**_PLAIN, **meanings})


def read_json_reasons(url: str) -> Reasons:
    """Read ``{"zu klein": "small", …}`` from a JSON file, a path or fsspec URL.

    Case, width and how accents are composed do not count; see `folding.fold`.

    Raises:
        ConfigError: the file does not read, a meaning is none of `MEANINGS`, or a reason has two.
    """
    try:
        with fsspec.open(url, "rb") as file:
            told = json.load(file, object_pairs_hook=_Pairs)
    except (OSError, ValueError) as err:
        raise ConfigError(f"expected a JSON file of reasons at {url}, got one that does not read: {err}") from err
    if not isinstance(told, _Pairs):
        raise ConfigError(f"expected an object of reasons in {url}, got {type(told).__name__}")
    return reasons_of(told, url)


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object, which a list is not; those with the same key, too."""

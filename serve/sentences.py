"""What answers say in words: one catalogue of whole sentences per language, in `messages/`; it decides nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .languages import LANGUAGES, Language

_FOLDER = Path(__file__).parent / "messages"
_COUNTED = "count"
"""The value by which a message with several forms is inflected."""
_WITHOUT_FORMS: tuple[Language, ...] = ("zh",)
"""Languages whose nouns and verbs have one form for any number."""
Values = Mapping[str, Any]
"""What stands in a sentence: shares as probabilities; places, traits and refusals by their names in the catalogue; numbers
and texts."""


@dataclass(frozen=True)
class Catalogue:
    """The messages of one language."""

    language: Language
    messages: Mapping[str, str | Mapping[str, str]]
    """Code to a sentence with places for values, or to one such sentence per plural form, `one` and `other`."""
    words: Mapping[str, Mapping[str, str]]
    """Kind of value, `place`, `trait` or `refusal`, to its words by name."""
    percent: str
    """How a whole number of per cent is written."""
    between: str
    """What stands between the words of a list."""
    last: str
    """What stands before its last word."""

    def say(self, code: str, values: Values) -> str:
        """Return a message as a sentence.

        Raises:
            KeyError: there is no such message, or one of its values is missing.
        """
        message = self.messages[code]
        if not isinstance(message, str):
            one = values[_COUNTED] == 1 and self.language not in _WITHOUT_FORMS
            message = message["one" if one else "other"]
        return message.format_map({name: self._written(name, value) for name, value in values.items()})

    def _written(self, name: str, value: Any) -> str:
        if name.endswith("share"):
            return self.percent.format(percent_of(value))
        if name == "cm":
            return f"{whole_cm(value)}"
        if name in ("place", "refusal"):
            return self.words[name][value]
        if name in ("places", "traits"):
            return self._listed([self.words[name[:-1]][one] for one in value])
        return str(value)

    def _listed(self, words: Sequence[str]) -> str:
        *first, last = words
        return f"{self.between.join(first)}{self.last}{last}" if first else last


def say(language: Language, code: str, values: Values) -> str:
    """Return a message as a sentence in a language.

    Raises:
        KeyError: there is no such message, or one of its values is missing.
    """
    return CATALOGUES[language].say(code, values)


def refusal(language: Language, code: str) -> str:
    """Return why a photo is not used, by its code in `tryon_core.refusals`, or `unseen` or `unavailable`.

    Raises:
        KeyError: there is no such code.
    """
    return CATALOGUES[language].words["refusal"][code]


def percent_of(share: float) -> int:
    """Return a share in whole per cent, never 0 or 100: nothing that is told so is certain."""
    return min(99, max(1, round(100 * share)))


def whole_cm(cm: float) -> int:
    """Return a length in whole cm, without its sign, as a sentence has it; predictions are no finer."""
    return max(1, int(abs(cm) + 0.5))


def _read(language: Language) -> Catalogue:
    return Catalogue(language, **json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8")))


CATALOGUES: Mapping[Language, Catalogue] = {language: _read(language) for language in LANGUAGES}
"""Language to its messages."""

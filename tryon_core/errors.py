"""The errors that a caller of the core can cause, in one hierarchy; it knows no HTTP status and no exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TryonError(Exception):
    """Base of every error that a user can cause and mend; its text is one sentence fit to be shown."""


class ConfigError(TryonError):
    """A configuration is wrong: an unknown name, a value out of range, parts that do not fit together."""


class CheckpointError(TryonError):
    """A checkpoint folder is missing, damaged, or its weights do not fit its config."""


class InputError(TryonError):
    """A request's or a file's content is wrong.

    Args:
        detail: one sentence: what was expected, what came.
        pointer: where, as a JSON pointer (``/garments/3/sizes/0/label``) or a form field's name.
    """

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


class TooLargeError(InputError):
    """An input is over a stated limit of bytes, pixels or characters."""


class UnsupportedImageError(InputError):
    """The bytes are no image that is read here (JPEG, PNG, WebP), or they are cut off or damaged."""


def expected_one_of(what: str, got: object, choices: Iterable[str]) -> str:
    """Return ``expected <what> to be one of …, got …``, with the closest choice suggested."""
    names = sorted(choices)
    close = difflib.get_close_matches(str(got), names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"expected {what} to be one of {', '.join(names)}, got {got!r}{hint}"

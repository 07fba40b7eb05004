"""What an id may be: a shop's own name for a garment or a style, safe in a path, in a log and before a reader's eyes."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

MAX_LENGTH = 200

_UNSEEN = (
    r"\u0000-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    r"\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U000e0000-\U000e0fff"
)
"""Controls, what turns the direction of writing, spaces but the common one, joiners, fillers, tags, and what stands for
bytes that could not be read: with them two ids could look alike, or one could look like something else."""
_DOTS = r"(?!(?:.*[/\\])?\.\.?(?:[/\\]|$))"
"""No step of a path that leads to itself or upwards: clients and proxies shorten paths that hold one."""
PATTERN = rf"^(?! ){_DOTS}[^{_UNSEEN}]*[^ {_UNSEEN}]$"
"""A regular expression of ECMAScript and Python."""
_ID = re.compile(PATTERN)


def checked_id(text: str) -> str:
    """Return an id in Unicode's composed form (NFC), so that one garment has one spelling.

    Letters, digits, punctuation and single spaces of any script may stand in it; slashes, too, since no id is ever a path.

    Raises:
        ValueError: it is too long, or holds characters that are not seen, spaces around it, or `.` or `..` between slashes.
    """
    composed = unicodedata.normalize("NFC", text)
    if not 1 <= len(composed) <= 3 * MAX_LENGTH or not _ID.fullmatch(composed):
        raise ValueError("expected an id of characters that are seen, no space around it, no . or .. between slashes")
    return composed


Identifier = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_LENGTH),
    AfterValidator(checked_id),
    Field(json_schema_extra={"pattern": PATTERN}),
]

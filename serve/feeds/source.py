"""What an import's body is, by its content type or by how it begins, and its its rows with their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tryon_core.errors import InputError

from .lines import Lines
from .table import Table
from .xml import Xml

Row = tuple[int, bytes | Mapping[str, str] | str]
"""The number of a line, and what it is: JSON as it came, a product's fields by name, or what is wrong with it."""
_MOST_PRODUCT = 2**20
_BOM = b"\xef\xbb\xbf"
_TYPES = {
    **dict.fromkeys(("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json"), "json"),
    **dict.fromkeys(("application/jsonlines", "application/x-jsonlines"), "json"),
    "text/csv": ",",
    "text/tab-separated-values": "\t",
    **dict.fromkeys(("application/xml", "text/xml", "application/rss+xml", "application/atom+xml"), "xml"),
}
CONTENT_TYPES = ("application/x-ndjson", "text/csv", "text/tab-separated-values", "application/xml")
"""What the documentation names; others are told apart by how they begin."""


class Reader(Protocol):
    """Takes bytes in pieces and gives rows."""

    def feed(self, piece: bytes) -> Sequence[Row]:
        """Return the rows that are whole now."""
        ...

    def close(self) -> Sequence[Row]:
        """Return what is left."""
        ...


class Source:
    """The body of one import.

    Args:
        content_type: as the request tells it; where it says nothing, the first character does.
        max_bytes: of one line.
    """

    def __init__(self, content_type: str, max_bytes: int) -> None:
        self._kind = _TYPES.get(content_type.partition(";")[0].strip().casefold(), "")
        self._max_bytes, self._held = max_bytes, b""
        self._reader: Reader | None = None

    @property
    def is_feed(self) -> bool:
        """Whether it is a product feed; known once a row has come."""
        return self._kind != "json"

    def feed(self, piece: bytes) -> Sequence[Row]:
        """Return the rows that are whole now.

        Raises:
            InputError: it is a JSON array, or a table whose first line names no column `id`.
        """
        if self._reader is None:
            self._held += piece
            if not (start := self._held.removeprefix(_BOM).lstrip()):
                return []
            piece, self._held = self._held, b""
            self._reader = self._opened(start[:1])
        return self._reader.feed(piece)

    def close(self) -> Sequence[Row]:
        """Return the rows that are left."""
        return self._reader.close() if self._reader else []

    def _opened(self, start: bytes) -> Reader:
        if start == b"[":
            raise InputError("expected one garment's JSON a line, got an array")
        self._kind = self._kind or {b"{": "json", b"<": "xml"}.get(start, "table")
        if self._kind == "json":
            return Lines(self._max_bytes)
        most = min(self._max_bytes, _MOST_PRODUCT)
        return Xml(most) if self._kind == "xml" else Table("" if self._kind == "table" else self._kind, most)

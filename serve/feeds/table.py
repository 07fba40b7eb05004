"""A product feed as a table, comma- or tab-separated, whose first line names the columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping

from tryon_core.errors import InputError

from .lines import Line, Lines

Row = tuple[int, Mapping[str, str] | str]
"""The line on which a product begins, and its fields by name, or what is wrong with it."""
_MOST_LINES = 50
"""That one product may have, with line breaks in quotes; after more, its quote is taken for one that was never closed."""


class Table:
    """Reads a table as it comes.

    Args:
        delimiter: between fields; empty for what the first line has more of, tabs or commas or semicolons.
        max_bytes: of one product.
    """

    def __init__(self, delimiter: str, max_bytes: int) -> None:
        self._delimiter, self._max_bytes = delimiter, max_bytes
        self._lines, self._names = Lines(max_bytes), list[str]()
        self._open, self._in_quotes, self._num_open = list[tuple[int, str]](), False, 0

    def feed(self, piece: bytes) -> list[Row]:
        """Return the products that are whole now.

        Raises:
            InputError: the first line names no column `id`.
        """
        return [row for line in self._lines.feed(piece) for row in self._read(line)]

    def close(self) -> list[Row]:
        """Return what is left; of a quote that was never closed, the lines one by one.

        Raises:
            InputError: as `feed`.
        """
        rows = [row for line in self._lines.close() for row in self._read(line)]
        while self._open:
            rows += self._given_up()
        return rows

    def _read(self, line: Line) -> list[Row]:
        number, content = line
        try:
            text = content if isinstance(content, str) else content.decode()
        except UnicodeDecodeError as err:
            return [(number, f"expected UTF-8: {err.reason} at byte {err.start} of the line")]
        if isinstance(content, str):
            return [(number, content)]
        self._open.append((number, text))
        self._num_open += len(text)
        self._in_quotes = _ends_in_quotes(text, self._delimiter or _delimiter(text), self._in_quotes)
        if self._in_quotes:
            too_long = len(self._open) > _MOST_LINES or self._num_open > self._max_bytes
            return self._given_up() if too_long else []
        return self._taken()

    def _taken(self) -> list[Row]:
        number, text = self._open[0][0], "\n".join(text for _, text in self._open)
        self._open, self._in_quotes, self._num_open = [], False, 0
        if not text.strip():
            return []
        if not self._names:
            self._names = self._header(text)
            return []
        try:
            fields = self._fields(text)
        except csv.Error as err:
            return [(number, f"expected a line of a table: {err}")]
        if len(fields) > len(self._names):
            return [(number, f"expected at most {len(self._names)} fields, got {len(fields)}")]
        return [(number, {name: text.strip() for name, text in zip(self._names, fields, strict=False) if text.strip()})]

    def _given_up(self) -> list[Row]:
        """Return the first open line as wrong, and what the others are without it."""
        (number, _), *others = self._open
        self._open, self._in_quotes, self._num_open = [], False, 0
        rows: list[Row] = [(number, "expected the quote that begins in this line to end")]
        for at, text in others:
            rows += self._read((at, text.encode()))
        return rows

    def _header(self, text: str) -> list[str]:
        if not self._delimiter:
            self._delimiter = _delimiter(text)
        try:
            names = [column_name(name) for name in self._fields(text)]
        except csv.Error as err:
            raise InputError(f"expected a first line that names the columns: {err}") from err
        if "id" not in names:
            told = ", ".join(names[:20])
            raise InputError(f"expected a first line that names the columns, with id among them, got {told[:200]!a}")
        return names

    def _fields(self, text: str) -> list[str]:
        return next(csv.reader([text], delimiter=self._delimiter), [])


def _delimiter(text: str) -> str:
    return max("\t,;", key=text.count)


def _ends_in_quotes(text: str, delimiter: str, in_quotes: bool) -> bool:
    """Whether a line ends within a field that a quote began.

    Args:
        in_quotes: whether the line begins within one.
    """
    at = 0
    while '"' in text:
        if in_quotes:
            at = text.find('"', at)
            if at < 0:
                return True
            if text.startswith('""', at):
                at += 2
                continue
            in_quotes = False
        elif text.startswith('"', at):
            at, in_quotes = at + 1, True
            continue
        at = text.find(delimiter, at) + 1
        if not at:
            return False
    return in_quotes


def column_name(text: str) -> str:
    """Return a column's or an element's name as Google's specification has it."""
    return re.sub(r"[\s_-]+", "_", text.strip().casefold().removeprefix("g:"))

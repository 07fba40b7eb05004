"""A shop's tables as columns of text with their line numbers: CSV or Parquet; it knows no column by name."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec

from tryon_core.errors import ConfigError

from .rejects import Rejected


@dataclass(frozen=True)
class Table:
    """N rows of text; nothing is the empty text."""

    file: str
    columns: Mapping[str, Sequence[str]]
    """Column name to N values, without space around them."""
    lines: Sequence[int]
    """N line numbers; in CSV the header's is 1, in Parquet the first row's."""
    rejected: Sequence[Rejected] = ()
    """Lines that have more or fewer fields than the header."""

    def __len__(self) -> int:
        return len(self.lines)

    def value(self, column: str, row: int) -> str:
        """Return a row's value, empty where the table lacks the column."""
        found = self.columns.get(column)
        return found[row] if found is not None else ""

    def content(self, row: int) -> str:
        """Return a row as one line of CSV."""
        return _as_csv([values[row] for values in self.columns.values()])

    def refused(self, row: int, why: str, *, dropped: bool = True) -> Rejected:
        """Return what tells that a row was not taken."""
        return Rejected(self.file, self.lines[row], why, self.content(row), dropped)


def read_table(url: str) -> Table:
    """Read a CSV (UTF-8; comma, semicolon or tab) or, by its name, a Parquet file from a path or fsspec URL.

    Raises:
        ConfigError: the file is missing, is of no such kind, or names a column twice.
    """
    try:
        with fsspec.open(url, "rb") as file:
            content = file.read()
        return (
            _parquet(url, content) if url.lower().endswith((".parquet", ".pq")) else _csv(url, content.decode("utf-8-sig"))
        )
    except FileNotFoundError as err:
        raise ConfigError(f"expected a table, got nothing at {url}") from err
    except UnicodeDecodeError as err:
        line = 1 + content[: err.start].count(b"\n")
        raise ConfigError(f"expected {url} in UTF-8, got byte {content[err.start]:#04x} in line {line}") from err
    except (OSError, ImportError, ValueError, csv.Error) as err:
        raise ConfigError(f"expected a CSV or Parquet file at {url}, got one that does not read: {err}") from err


def beside(url: str, name: str) -> str:
    """Return the path of a file that is named relative to another's folder; absolute ones and URLs stay."""
    if "://" in name or os.path.isabs(name):
        return name
    folder = url.rpartition("/")[0] if "://" in url else os.path.dirname(url)
    return f"{folder}/{name}" if folder else name


def _csv(url: str, text: str) -> Table:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    records = _records(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    try:
        _, header = next(records)
    except StopIteration:
        raise ConfigError(f"expected a header in line 1 of {url}, got an empty file") from None
    names = _checked(url, header)
    rows, lines, rejected = [], [], []
    for line, record in records:
        if len(record) != len(names):
            why = f"expected {len(names)} fields as in the header, got {len(record)}"
            rejected.append(Rejected(url, line, why, _as_csv(record)))
            continue
        rows.append(record)
        lines.append(line)
    columns = [[record[at].strip() for record in rows] for at in range(len(names))]
    return Table(url, dict(zip(names, columns, strict=True)), lines, rejected)


def _records(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each record begins, and its fields; blank lines are none."""
    begun = 1
    for record in reader:
        if record:
            yield begun, record
        begun = reader.line_num + 1


def _parquet(url: str, content: bytes) -> Table:
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(content))
    names = _checked(url, table.column_names)
    columns = {name: [_text(value) for value in table.column(name).to_pylist()] for name in names}
    return Table(url, columns, range(1, table.num_rows + 1))


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()


def _checked(url: str, header: Sequence[str]) -> list[str]:
    names = [name.strip() for name in header]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"expected every column of {url} once, got {', '.join(twice)} more often")
    return names


def _as_csv(record: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(record)
    return out.getvalue()

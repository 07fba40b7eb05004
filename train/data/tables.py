"""A shop's tables as columns of text with their line numbers: CSV or Parquet; it knows no column by name."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec

from tryon_core.errors import ConfigError

from .rejects import Rejected

_COMMA = re.compile(r"[+-]?\d+,\d+")
_WHOLE = re.compile(r"\d+\.0+")


@dataclass(frozen=True)
class Table:
    """N rows of text; nothing is the empty text."""

    file: str
    columns: Mapping[str, Sequence[str]]
    """Column name to N values, without space around them."""
    lines: Sequence[int]
    """N line numbers; in CSV the header's is 1, in Parquet the first row's."""
    rejected: Sequence[Rejected] = ()
    """Lines that do not read, or have more or fewer fields than the header."""
    decimal_comma: bool = False
    """Whether numbers may be written as 170,5, which is so where no comma parts columns."""

    def __len__(self) -> int:
        return len(self.lines)

    def value(self, column: str, row: int) -> str:
        """Return a row's value, empty where the table lacks the column."""
        found = self.columns.get(column)
        return found[row] if found is not None else ""

    def label(self, column: str, row: int) -> str:
        """Return a row's value as a name; whole numbers that some program wrote as 1000.0 are 1000."""
        value = self.value(column, row)
        return value.partition(".")[0] if _WHOLE.fullmatch(value) else value

    def number(self, column: str, row: int) -> str:
        """Return a row's value with a point where it is a number with a decimal comma."""
        value = self.value(column, row)
        return value.replace(",", ".") if self.decimal_comma and _COMMA.fullmatch(value) else value

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
    except (OSError, ImportError, ValueError) as err:
        raise ConfigError(f"expected a CSV or Parquet file at {url}, got one that does not read: {err}") from err


def beside(url: str, name: str) -> str:
    """Return the path of a file that is named relative to another's folder; absolute ones and URLs stay."""
    if "://" in name or os.path.isabs(name):
        return name
    folder = url.rpartition("/")[0] if "://" in url else os.path.dirname(url)
    return f"{folder}/{name}" if folder else name


def below(url: str, file: str) -> bool:
    """Return whether a file lies in a table's folder or a folder of it, once links are followed."""
    if "://" in url or "://" in file:
        return file.startswith(url.rpartition("/")[0] + "/") and ".." not in file.split("/")
    try:
        folder, path = (os.path.realpath(place) for place in (os.path.dirname(url) or ".", file))
    except ValueError:  # no path at all
        return False
    return os.path.commonpath([folder, path]) == folder


def _csv(url: str, text: str) -> Table:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    physical = list(io.StringIO(text, newline=""))
    records = _records(physical, delimiter)
    line, header = next(records, (1, []))
    if isinstance(header, csv.Error):
        raise ConfigError(f"expected a header in line {line} of {url}, got one that does not read: {header}")
    if not header:
        raise ConfigError(f"expected a header in line 1 of {url}, got an empty file")
    names = _checked(url, header)
    rows, lines, rejected = [], [], []
    for line, record in records:
        if isinstance(record, csv.Error):
            why = f"expected quotes around a whole field, doubled inside it, got a line that does not read: {record}"
            rejected.append(Rejected(url, line, why, physical[line - 1].rstrip("\r\n")))
            continue
        if len(record) != len(names):
            why = f"expected {len(names)} fields as in the header, got {len(record)}"
            rejected.append(Rejected(url, line, why, _as_csv(record)))
            continue
        rows.append(record)
        lines.append(line)
    columns = [[record[at].strip() for record in rows] for at in range(len(names))]
    return Table(url, dict(zip(names, columns, strict=True)), lines, rejected, delimiter != ",")


def _records(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Yield the line on which each record begins, and its fields, or why it has none; blank lines are no records.

    Behind a line that does not read comes the next one, however far a quote that was left open may have reached.
    """
    begun = 0
    while begun < len(lines):
        reader = csv.reader((lines[at] for at in range(begun, len(lines))), delimiter=delimiter, strict=True)
        start = begun
        try:
            for record in reader:
                if record:
                    yield begun + 1, record
                begun = start + reader.line_num
        except csv.Error as err:
            yield begun + 1, err
            begun += 1


def _parquet(url: str, content: bytes) -> Table:
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(content))
    names = _checked(url, table.column_names)
    columns = {name: [_text(value) for value in table.column(name).to_pylist()] for name in names}
    return Table(url, columns, range(1, table.num_rows + 1))


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).strip()


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

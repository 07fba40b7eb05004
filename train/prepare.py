"""``python -m train prepare rtr``: the published rental file to train, val and test tables, with checksums."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from tryon_core.batch import FIT_CLASSES
from tryon_core.errors import ConfigError, InputError

from .data.rtr import COLUMNS
from .export import check_free

log = logging.getLogger(__name__)
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
CHECKSUMS = "SHA256SUMS"
_SEED = 2018
_CUPS = {"dd": "e", "ddd": "f", "dddd": "g", "ddd/e": "f", "aa": "aa"}
"""Cups by the letter that counts on: dd is the step behind d."""


def prepare_rtr(raw: Path, out: Path, like: Path | None = None) -> dict[str, str]:
    """Write one Parquet file per split beside their SHA-256 sums, and return those by file name.

    Ratings and reviews, which come after the verdict, are left out. `row` is a line's place in the raw file.

    Args:
        raw: JSON lines as published, plain or gzipped.
        out: a new folder.
        like: a folder whose train, val and (where it is there) test tables say by `row` which line is of which split;
            without it lines are dealt out at random, 80 : 10 : 10, the same ones each time.

    Raises:
        ConfigError: a file is missing, or the folder is taken.
        InputError: a line is wrong; the error says which.
    """
    check_free(str(out))
    rows = [_row(fields, number, raw) for number, fields in enumerate(_lines(raw))]
    if not rows:
        raise InputError(f"expected lines in {raw}, got none")
    splits = _dealt(len(rows)) if like is None else _as_in(like, len(rows))
    out.mkdir(parents=True, exist_ok=True)
    sums = {f"{name}.parquet": _write(out / f"{name}.parquet", [rows[i] for i in chosen]) for name, chosen in splits.items()}
    (out / CHECKSUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    return sums


def _lines(raw: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with gzip.open(raw, "rt", encoding="utf-8") if raw.suffix == ".gz" else raw.open(encoding="utf-8") as file:
            for number, line in enumerate(file):
                fields = json.loads(line)
                if not isinstance(fields, dict):
                    raise InputError(f"expected an object in line {number + 1} of {raw}, got {line.strip()[:60]!r}")
                yield fields
    except OSError as err:
        raise ConfigError(f"expected a file of JSON lines at {raw}, got {err}") from err
    except ValueError as err:
        raise InputError(f"expected JSON lines in {raw}, got one that is none: {err}") from err


def _row(fields: Mapping[str, Any], number: int, raw: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"row": number}
    for column, (field, read) in _READERS.items():
        value = fields.get(field)
        try:
            found[column] = None if value is None or value == "" else read(str(value).strip())
        except (ValueError, TypeError, AttributeError) as err:
            raise InputError(f"expected {field} in line {number + 1} of {raw}, got {value!r}") from err
        if found[column] is None and column in ("fit", "user_id", "item_id", "size", "review_date"):
            raise InputError(f"expected {field} in line {number + 1} of {raw}, got none")
    return found


def _fit(value: str) -> str:
    if value not in FIT_CLASSES:
        raise ValueError(value)
    return value


def _pounds(value: str) -> float:
    return float(_matched(r"(\d+(?:\.\d+)?)\s*lbs?", value)[1])


def _inches(value: str) -> float:
    told = _matched(r"(\d)'\s*(?:(\d{1,2})\"?)?", value)
    return 12.0 * int(told[1]) + int(told[2] or 0)


def _cup(value: str) -> str | None:
    letters = _matched(r"\d{2}\s*([a-z/+]*)", value.lower())[1].rstrip("+")
    return _CUPS.get(letters, letters[:1]) or None


def _matched(pattern: str, value: str) -> re.Match[str]:
    match = re.fullmatch(pattern, value)
    if match is None:
        raise ValueError(value)
    return match


_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "fit": ("fit", _fit),
    "user_id": ("user_id", int),
    "item_id": ("item_id", int),
    "size": ("size", int),
    "review_date": ("review_date", lambda value: datetime.strptime(value, "%B %d, %Y")),
    "category": ("category", str),
    "rented_for": ("rented for", str),
    "body_type": ("body type", str),
    "weight_lbs": ("weight", _pounds),
    "height_in": ("height", _inches),
    "age": ("age", float),
    "bust_size_num": ("bust size", lambda value: float(_matched(r"(\d{2})\s*[a-zA-Z/+]*", value)[1])),
    "bust_size_letter": ("bust size", _cup),
}
"""Column to the published field that it is read from, and how."""
assert set(_READERS) == set(COLUMNS)


def _dealt(num: int) -> dict[str, list[int]]:
    order = np.random.default_rng(_SEED).permutation(num)
    ends = np.round(np.cumsum([0.0, *SHARES.values()]) * num).astype(int)
    return {name: np.sort(order[ends[i] : ends[i + 1]]).tolist() for i, name in enumerate(SHARES)}


def _as_in(folder: Path, num: int) -> dict[str, list[int]]:
    from pyarrow import ArrowException, parquet

    splits: dict[str, list[int]] = {}
    for name in SHARES:
        if name == "test" and not (folder / "test.parquet").exists():
            told = {row for rows in splits.values() for row in rows}
            splits[name] = [row for row in range(num) if row not in told]
            continue
        try:
            splits[name] = parquet.read_table(folder / f"{name}.parquet", columns=["row"]).column("row").to_pylist()
        except (OSError, ArrowException, KeyError) as err:
            raise ConfigError(f"expected {name}.parquet with column row in {folder}, got {err}") from err
        if any(not 0 <= row < num for row in splits[name]):
            raise ConfigError(f"expected rows of a file of {num} lines in {folder}/{name}.parquet, got others")
    return splits


def _write(path: Path, rows: list[dict[str, Any]]) -> str:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"row": pa.int64(), "user_id": pa.int64(), "item_id": pa.int64(), "size": pa.int64()}
    kinds |= {"review_date": pa.timestamp("us")} | dict.fromkeys(
        ("weight_lbs", "height_in", "age", "bust_size_num"), pa.float64()
    )
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in ("row", *COLUMNS)])
    content = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), content, compression="zstd")
    path.write_bytes(content.getvalue())
    log.info("wrote %s: %d rows", path, len(rows))
    return hashlib.sha256(content.getvalue()).hexdigest()

"""The public rental data (Misra, Wan and McAuley, RecSys 2018): its columns read, checked and said as a shop would say them.

One table is one split. It knows no model: texts, labels and numbers only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.batch import FIT_CLASSES
from tryon_core.errors import ConfigError, InputError

Strings = npt.NDArray[np.object_]
Check = Callable[[Any], bool]

AGES = (14, 90)
"""Ages that are believed; the data have 0 and 117."""
WEIGHTS_LBS = (70, 400)
_TEXTS = ("category", "rented_for", "body_type", "bust_size_letter")
_NUMBERS = ("weight_lbs", "height_in", "age", "bust_size_num")
COLUMNS = ("fit", "user_id", "item_id", "size", "review_date", *_TEXTS, *_NUMBERS)
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Rentals:
    """N rented garments and how they fitted."""

    fit: npt.NDArray[np.int64]
    """int64[N], index into `FIT_CLASSES`."""
    shopper: npt.NDArray[np.int64]
    """int64[N], whose lines belong together; no part of any example."""
    garment: Strings
    """The garment's id."""
    size: npt.NDArray[np.int64]
    """int64[N], the label, in the shop's own counting."""
    day: npt.NDArray[np.float64]
    """Days since 1970."""
    shopper_words: Strings
    garment_words: Strings
    body_type: Strings
    """As the shopper chose it from a list, empty where not told; `shopper_words` has it, too."""
    rented_for: Strings

    def __len__(self) -> int:
        return len(self.fit)

    def take(self, rows: npt.NDArray[np.int64]) -> Rentals:
        """Return the chosen rows."""
        return Rentals(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def joined(self, other: Rentals) -> Rentals:
        """Return these rows, then the other's."""
        return Rentals(*(np.concatenate([getattr(r, name) for r in (self, other)]) for name in self.__dataclass_fields__))


def read_rentals(path: Path) -> Rentals:
    """Read one split.

    Raises:
        ConfigError: there is no such file, or it is no Parquet file, or lacks a column.
        InputError: a value is wrong; the error names file, column and row, counted from 0.
    """
    columns = _columns(path)
    _check(path, columns, "fit", lambda value: value in FIT_CLASSES, "small, fit or large")
    for name in ("user_id", "item_id"):
        _check(path, columns, name, lambda value: value is not None and value == value, "an id")
    _check(path, columns, "size", lambda v: isinstance(v, int) and 0 <= v <= 100, "a whole number from 0 to 100")
    _check(path, columns, "review_date", lambda value: hasattr(value, "toordinal") and value == value, "a date")
    for name in _NUMBERS:
        _check(path, columns, name, lambda v: v is None or isinstance(v, (int, float)), "a number or nothing")
    said = [_shopper_words(*told) for told in zip(*(columns[n] for n in (*_NUMBERS, *_TEXTS[1:])), strict=True)]
    return Rentals(
        np.array([FIT_CLASSES.index(value) for value in columns["fit"]], dtype=np.int64),
        np.array(columns["user_id"], dtype=np.int64),
        np.array([str(value) for value in columns["item_id"]], dtype=object),
        np.array(columns["size"], dtype=np.int64),
        np.array([value.toordinal() - _EPOCH for value in columns["review_date"]], dtype=np.float64),
        np.array(said, dtype=object),
        *(np.array([value or "" for value in columns[n]], dtype=object) for n in ("category", "body_type", "rented_for")),
    )


def _columns(path: Path) -> dict[str, list[Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (OSError, pa.ArrowException) as err:
        raise ConfigError(f"expected a Parquet file of rentals at {path}, got {' '.join(str(err).split())}") from err
    for name in COLUMNS:
        if name not in table.column_names:
            raise ConfigError(f"expected column {name} in {path}, got {', '.join(table.column_names)}")
    return {name: table.column(name).to_pylist() for name in COLUMNS}


def _check(path: Path, columns: dict[str, list[Any]], name: str, good: Check, wanted: str) -> None:
    for row, value in enumerate(columns[name]):
        if not good(value):
            raise InputError(f"expected {wanted} in column {name}, row {row} of {path}, got {value!r}")


def _shopper_words(
    weight: float | None, height: float | None, age: float | None, band: float | None, *texts: str | None
) -> str:
    """Return what a shopper would say of themselves; junk ages and weights are left out."""
    rented_for, body_type, cup = texts
    said = [
        f"{height:g} in" if _known(height) else "",
        f"{weight:g} lbs" if _known(weight) and WEIGHTS_LBS[0] <= (weight or 0) <= WEIGHTS_LBS[1] else "",
        f"{band:g}{cup or ''}" if _known(band) else "",
        f"{age:g} years" if _known(age) and AGES[0] <= (age or 0) <= AGES[1] else "",
        body_type or "",
        f"for {rented_for}" if rented_for else "",
    ]
    return ". ".join(text for text in said if text)


def _known(value: float | None) -> bool:
    return value is not None and value == value

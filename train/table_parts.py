"""What a model sees of a table's lines: words, pictures, sizes, history, and parts of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.batch import PARTS, Column, distinct
from tryon_core.config import ImageTower, ModelConfig, TextTower
from tryon_core.errors import ConfigError, expected_one_of
from tryon_core.garment import size_numbers
from tryon_core.text import text_arrays

from .data.assortment import Described
from .data.columns import Columns
from .data.order_lines import OrderLine, number
from .data.rejects import Rejected
from .data.tables import Table, below, beside
from .pictures import Pictures, Read, mask, picture, silhouette
from .rows import Array, Rows

Make = Callable[[npt.NDArray[np.int64]], Column[Any]]
"""From the numbers of lines to a part's column."""


@dataclass
class TableParts:
    """Makes the parts of chosen lines; a picture is read when the first line needs it."""

    makers: Mapping[str, Make]
    faults: list[Rejected] = field(default_factory=list)
    """Lines whose picture could not be used, of those made so far."""

    def rows(self, chosen: npt.NDArray[np.int64], targets: Mapping[str, Array]) -> Rows:
        """Return the chosen lines as rows, with only the values that they use."""
        parts = {part: make(chosen) for part, make in self.makers.items()}
        return Rows(parts, {task: target[chosen] for task, target in targets.items()})


@dataclass(frozen=True)
class _Named:
    """A file, and the table and row that name it."""

    file: str
    read: Read
    table: Table
    row: int


@dataclass(frozen=True)
class _Source:
    table: Table
    lines: Sequence[OrderLine]
    garments: Mapping[str, Described]
    faults: list[Rejected]
    anywhere: bool

    def value(self, column: str, at: int) -> str:
        return self.table.value(column, self.lines[at].row)

    def named(self, column: str, at: int, read: Read) -> _Named | None:
        name, row = self.value(column, at), self.lines[at].row
        return _Named(beside(self.table.file, name), read, self.table, row) if name else None

    def opens(self, named: _Named) -> bool:
        return self.anywhere or below(named.table.file, named.file)

    def image(self, part: str, at: int) -> _Named | None:
        """Return the file of a line's picture: the garment's, or the shopper's mask or else photo."""
        if part == "photo":
            return self.named("photo", at, picture)
        if part == "person_mask":
            return self.named("mask", at, mask) or self.named("photo", at, silhouette)
        own = self.garments[self.lines[at].garment]
        if own.image_of is None:
            return None
        table, row = own.image_of
        return _Named(beside(table.file, own.facts["garment_image"]), picture, table, row)


def table_parts(
    config: ModelConfig,
    columns: Columns,
    table: Table,
    lines: Sequence[OrderLine],
    garments: Mapping[str, Described],
    history: npt.NDArray[np.float32],
    *,
    anywhere: bool = False,
) -> TableParts:
    """Return what makes every part of a model.

    Args:
        history: float32[N, len(HISTORY_FIELDS)], part `history` of every line.
        anywhere: whether pictures may lie elsewhere than below the folder of the table that names them.

    Raises:
        ConfigError: nothing in a table can be a part of the model.
    """
    faults: list[Rejected] = []
    source = _Source(table, lines, garments, faults, anywhere)
    makers: dict[str, Make] = {}
    for part, name in config.parts.items():
        if PARTS[part].owner == "derived" or part == "record":  # whose effects of garments no table has
            continue
        tower = config.towers[name]
        if part in (config.own_parts or {}):
            if part not in columns.parts:
                raise ConfigError(f"expected a columns file with the columns of part {part!r}, got none")
            makers[part] = _own(source, columns.parts[part][1], tower)
        elif isinstance(tower, ImageTower) and part in _IMAGES:
            makers[part] = _pictures(source, partial(source.image, part), tower)
        elif isinstance(tower, TextTower) and part in ("shopper_words", "garment_words"):
            makers[part] = _texts(_said(source, part), tower)
        elif part == "size":
            makers[part] = _sizes(source)
        elif part == "history":
            makers[part] = lambda chosen: Column(history[chosen], np.arange(len(chosen)))
        else:
            raise ConfigError(expected_one_of("part of a table", part, (*_IMAGES, "shopper_words", "garment_words", "size")))
    return TableParts(makers, faults)


_IMAGES = ("garment_image", "person_mask", "photo")
_OUTSIDE = "expected a file below the table's folder; option paths=any takes others"


def _own(source: _Source, columns: Sequence[str], tower: Any) -> Make:
    """Return the maker of a part that only this table has."""
    every = range(len(source.lines))
    if isinstance(tower, TextTower):
        return _texts([". ".join(filter(None, (source.value(c, at) for c in columns))) or None for at in every], tower)
    if isinstance(tower, ImageTower):
        return _pictures(source, lambda at: source.named(columns[0], at, picture), tower)
    told = [[source.table.number(c, source.lines[at].row) for c in columns] for at in every]
    values = np.array([[number("", text) if text else np.nan for text in row] for row in told], dtype=np.float32)
    return lambda chosen: Column(values[chosen], np.arange(len(chosen)))


def _pictures(source: _Source, find: Callable[[int], _Named | None], tower: ImageTower) -> Make:
    """Return the maker of an image part; a line whose file gives no picture is told, once."""
    pictures, told = Pictures(tower), set[tuple[str, int]]()

    def make(chosen: npt.NDArray[np.int64]) -> Column[Any]:
        named = [find(at) for at in chosen.tolist()]
        opened = [own if own is None or source.opens(own) else None for own in named]
        column = pictures.column([None if own is None else (own.file, own.read) for own in opened])
        outside = {own.file: _OUTSIDE for own, one in zip(named, opened, strict=True) if own is not None and one is None}
        faults = {**pictures.faults, **outside}
        for own in named:
            if own is not None and own.file in faults and (own.table.file, own.row) not in told:
                told.add((own.table.file, own.row))
                source.faults.append(own.table.refused(own.row, faults[own.file], dropped=False))
        return column

    return make


def _texts(said: Sequence[str | None], tower: TextTower) -> Make:
    def make(chosen: npt.NDArray[np.int64]) -> Column[Any]:
        texts, index = distinct([said[at] for at in chosen.tolist()])
        return Column(text_arrays(texts, tower.rows, tower.max_tokens), index)

    return make


def _said(source: _Source, part: str) -> list[str | None]:
    if part == "shopper_words":
        return [line.words for line in source.lines]
    words = {name: own.words() for name, own in source.garments.items()}
    return [words[line.garment] for line in source.lines]


def _sizes(source: _Source) -> Make:
    """Return the maker of part `size`, one value for each size of each garment that is ordered."""
    garments = {name: own.garment() for name, own in source.garments.items()}
    place = {(name, size.label): at for name, garment in garments.items() for at, size in enumerate(garment.sizes)}

    def make(chosen: npt.NDArray[np.int64]) -> Column[Any]:
        keys = [(source.lines[at].garment, source.lines[at].size) for at in chosen.tolist()]
        found = {key: at for at, key in enumerate(dict.fromkeys(key for key in keys if key in place))}
        numbers = [size_numbers(garments[key[0]], place[key]) for key in found]
        nothing = np.zeros((0, PARTS["size"].width), dtype=np.float32)
        index = np.array([found.get(key, -1) for key in keys], dtype=np.int64)
        return Column(np.stack(numbers) if numbers else nothing, index)

    return make

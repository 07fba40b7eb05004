"""Which columns of a table are which: a shop's own names, and the parts and tasks of another field."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import fsspec

from tryon_core.config import ImageTower, ModelConfig, NumbersTower, OwnPart, OwnTask, TextTower, Tower
from tryon_core.errors import ConfigError, InputError, expected_one_of

from .order_lines import number
from .tables import Table

T = TypeVar("T")
_KEYS = ("columns", "parts", "tasks", "orders")


@dataclass(frozen=True)
class Columns:
    """The contents of a columns file.

    Without tasks of its own, a table is of orders, and the model's tasks are the preset's. With them, the model is of
    another field: it sees the parts that the file names and has the tasks that it names, unless `orders` says that lines
    are orders all the same; then these come on top.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    """Name here to the name in the table, where they differ."""
    parts: Mapping[str, tuple[OwnPart, tuple[str, ...]]] = field(default_factory=dict)
    """A part of one's own, and the columns that it is made of: one path, numbers, or texts that are said one by one."""
    tasks: Mapping[str, tuple[OwnTask, str]] = field(default_factory=dict)
    """A task of one's own, and the column of its classes."""
    orders: bool = True
    """Whether lines are orders, with a day, a garment and an outcome."""

    def renamed(self, table: Table, *, partly: bool = False) -> Table:
        """Return the table under the names that are used here.

        Args:
            partly: whether the table may lack columns.

        Raises:
            ConfigError: the table lacks a column that the file names.
        """
        for column in sorted(self.read()):
            if column not in table.columns and not partly:
                raise ConfigError(expected_one_of(f"a column of {table.file}", column, table.columns))
        ours = {theirs: name for name, theirs in self.columns.items()}
        named = {ours[theirs]: values for theirs, values in table.columns.items() if theirs in ours}
        return replace(table, columns={**table.columns, **named})

    def read(self) -> set[str]:
        """Return the table's own names of all columns that the file names."""
        parts = (column for _, columns in self.parts.values() for column in columns)
        return {*self.columns.values(), *parts, *(column for _, column in self.tasks.values())}

    def fault(self, table: Table, row: int) -> str:
        """Return what is wrong with a row in the columns of parts and tasks of one's own; empty where nothing is."""
        try:
            for part, columns in self.parts.values():
                for column in columns if part.kind == "numbers" else ():
                    number(column, table.number(column, row) or "0")
        except InputError as err:
            return err.detail
        for task, column in self.tasks.values():
            value = table.value(column, row)
            if value and value not in task.classes:
                return expected_one_of(column, value, task.classes)
        return ""

    def model(self, config: ModelConfig) -> ModelConfig:
        """Return a preset's config with the parts and tasks of this file; without any, as it is."""
        if not self.parts and not self.tasks:
            return config
        kept = {part: tower for part, tower in config.parts.items() if self.orders or part in self.columns}
        towers = {name: tower for name, tower in config.towers.items() if name in kept.values()}
        for name, (part, _) in self.parts.items():
            kept[name], towers = _with_tower(name, part, config, towers)
        tasks = dict(config.tasks) if self.orders else {}
        return replace(
            config,
            parts=kept,
            towers=towers,
            tasks=tasks | dict.fromkeys(self.tasks, 1.0),
            own_parts={**(config.own_parts or {}), **{name: part for name, (part, _) in self.parts.items()}},
            own_tasks={**(config.own_tasks or {}), **{name: task for name, (task, _) in self.tasks.items()}},
        )


def read_columns(url: str) -> Columns:
    """Read a columns file, JSON; every key may be missing::

        {"columns": {"garment_words": "log", "garment_image": "picture"},
         "parts": {"sensors": {"kind": "numbers", "columns": ["temperature", "rpm"], "owner": "garment"}},
         "tasks": {"defect": {"column": "defect", "classes": ["none", "scratch", "dent"], "view": "garment"}},
         "orders": false}

    Raises:
        ConfigError: the file does not read, or a key or value is unknown.
    """
    try:
        with fsspec.open(url, "rb") as file:
            data = json.load(file)
    except (OSError, ValueError) as err:
        raise ConfigError(f"expected a JSON file of columns at {url}, got one that does not read: {err}") from err
    try:
        return _columns(data)
    except ConfigError as err:
        raise ConfigError(f"expected columns, parts and tasks as documented in {url}: {err}") from err


def _columns(data: Any) -> Columns:
    told = _object("a file of columns", data, _KEYS)
    parts = {name: _part(name, own) for name, own in _object("parts", told.get("parts", {})).items()}
    tasks = {name: _task(name, own) for name, own in _object("tasks", told.get("tasks", {})).items()}
    columns = _object("columns", told.get("columns", {}))
    for name, column in columns.items():
        _typed(f"the column for {name!r}", column, str)
    return Columns(columns, parts, tasks, _typed("orders", told.get("orders", not tasks), bool))


def _part(name: str, data: Any) -> tuple[OwnPart, tuple[str, ...]]:
    if not re.fullmatch(r"\w+", name):
        raise ConfigError(f"expected a part's name of letters and digits, got {name!r}")
    told = _object(f"part {name!r}", data, ("kind", "columns", "owner"))
    columns = tuple(
        _typed(f"each column of part {name!r}", column, str)
        for column in _typed(f"columns of part {name!r}", told.get("columns"), list)
    )
    kind = _typed(f"the kind of part {name!r}", told.get("kind", "numbers"), str)
    if not columns or (kind == "image" and len(columns) > 1):
        raise ConfigError(f"expected columns of part {name!r}, and one of an image, got {list(columns)}")
    return OwnPart(kind=kind, owner=told.get("owner", "garment"), width=len(columns) if kind == "numbers" else 0), columns


def _task(name: str, data: Any) -> tuple[OwnTask, str]:
    told = _object(f"task {name!r}", data, ("column", "classes", "view"))
    classes = _typed(f"classes of task {name!r}", told.get("classes"), list)
    for one in classes:
        if isinstance(one, bool) or not isinstance(one, str | int):
            raise ConfigError(f"expected each class of task {name!r} as a text or a whole number, got {one!r}")
    column = _typed(f"the column of task {name!r}", told.get("column", name), str)
    return OwnTask(classes=tuple(map(str, classes)), view=told.get("view", "garment")), column


def _object(what: str, data: Any, known: Collection[str] | None = None) -> dict[str, Any]:
    for key in _typed(what, data, dict):
        if known is not None and key not in known:
            raise ConfigError(expected_one_of(f"a key of {what}", key, known))
    return dict(data)


def _typed(what: str, value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise ConfigError(f"expected {what} to be {_KINDS[kind]}, got {json.dumps(value)}")
    return value


_KINDS: Mapping[type, str] = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}


def _with_tower(name: str, part: OwnPart, config: ModelConfig, towers: dict[str, Tower]) -> tuple[str, dict[str, Tower]]:
    """Return the tower of a new part, and all towers: a text is read by the preset's, others have one of their own."""
    kind = {"image": ImageTower, "text": TextTower, "numbers": NumbersTower}[part.kind]
    alike = [(own, tower) for own, tower in config.towers.items() if isinstance(tower, kind)]
    rgb = [(own, tower) for own, tower in alike if not isinstance(tower, ImageTower) or tower.channels == 3]
    if not rgb:
        raise ConfigError(f"expected a preset with a tower for part {name!r} of kind {part.kind}, got {config.name}")
    own, tower = rgb[0]
    return (own, {**towers, own: tower}) if part.kind == "text" else (name, {**towers, name: tower})

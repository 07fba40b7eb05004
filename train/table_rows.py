"""A shop's own table as rows: what its lines say, show and ended with; `data.order_lines` documents the columns.

``table:FILE[?OPTION=VALUE&…]`` with the options of `TableOptions`, files relative to the table::

    table:orders.csv
    table:orders.parquet?garments=garments.csv&reasons=reasons.json&split=date&val=0.1
    table:defects.csv?columns=columns.json
"""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from urllib.parse import parse_qsl

import numpy as np

from tryon_core.config import ModelConfig
from tryon_core.errors import ConfigError, expected_one_of
from tryon_core.reasons import Reasons

from .data.assortment import Described, add_ordered, read_garments
from .data.columns import Columns, read_columns
from .data.names import misspelt
from .data.order_lines import OrderLine, read_lines, required
from .data.reasons import read_reasons
from .data.rejects import Rejected, RejectedError, summary
from .data.sim import SimConfig
from .data.tables import Table, beside, read_table
from .replay import Line, replay
from .rows import Array
from .sources import Data
from .table_parts import table_parts
from .table_targets import Verdicts, among, extras, targets, verdicts

log = logging.getLogger(__name__)

_TOLD = 10
"""Unknown reasons that are told one by one."""


@dataclass(frozen=True)
class TableOptions:
    """How a table is read."""

    file: str
    garments: str = ""
    """A table of garments, a line for each size."""
    reasons: str = ""
    """What reasons mean, JSON or CSV; see `data.reasons`."""
    columns: str = ""
    """Which columns are which, and parts and tasks of another field, JSON; see `data.columns`."""
    split: str = "shopper"
    """What is scored on: orders of shoppers who are not fitted on, or those of the last days (``date``)."""
    val: float = 0.15
    """Share of the shoppers, or of the lines by date, to score on; every other shopper's of them are to calibrate on."""
    weak: float | None = None
    """Weight of a line that was kept without a word on how it fits, as one that fits. Unless given, 0.25 in a table that
    says of at least half of what fits that it does, where silence is neither scored on nor in history; 1 in others."""
    delay: float = 14.0
    """Days from an order until its outcome was known, where ``occurred_at`` does not tell: before, no line sees it."""
    max_bad: float = 0.05
    """Share of the lines that may be bad; with more, nothing is fitted."""

    paths: str = "below"
    """Which pictures are opened: those below the folder of the table that names them, or ``any``."""

    def __post_init__(self) -> None:
        if self.paths not in ("below", "any"):
            raise ConfigError(expected_one_of("paths of a table", self.paths, ("below", "any")))
        if self.split not in ("shopper", "date"):
            raise ConfigError(expected_one_of("split of a table", self.split, ("shopper", "date")))
        if not (0 < self.val < 1 and 0 <= self.max_bad <= 1 and (self.weak is None or 0 < self.weak <= 1)):
            raise ConfigError(f"expected val in (0, 1), max_bad in [0, 1] and weak in (0, 1], got {self}")
        if not 0 <= self.delay < math.inf:
            raise ConfigError(f"expected delay as days from 0 on, got {self.delay}")


def table_options(argument: str) -> TableOptions:
    """Read what stands behind ``table:``.

    Raises:
        ConfigError: no file is named, or an option is unknown or out of range.
    """
    file, _, query = argument.partition("?")
    known = {f.name for f in fields(TableOptions)} - {"file"}
    told: dict[str, str | float] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise ConfigError(expected_one_of("an option of a table", name, known))
        told[name] = _number(name, value) if name in ("val", "weak", "max_bad", "delay") else value
    if not file:
        raise ConfigError("expected a file behind table:, as in table:orders.csv")
    return TableOptions(file, **told)  # type: ignore[arg-type]


def table_model(config: ModelConfig, argument: str) -> ModelConfig:
    """Return a model's config with the parts and tasks of the table's columns file, if it names one."""
    options = table_options(argument)
    return read_columns(beside(options.file, options.columns)).model(config) if options.columns else config


def table_data(config: ModelConfig, argument: str, options: SimConfig, splits: Sequence[str]) -> Data:
    """Return a table's lines as rows; only what they need is decoded.

    Raises:
        RejectedError: too many lines are bad.
        ConfigError: a file does not read, a column is missing, or a split has no lines.
    """
    config.register_parts()
    told = table_options(argument)
    columns = read_columns(beside(told.file, told.columns)) if told.columns else Columns()
    reasons = read_reasons(beside(told.file, told.reasons)) if told.reasons else Reasons()
    table = columns.renamed(read_table(told.file))
    for names in required(table, orders=columns.orders):
        raise ConfigError(f"expected column {' or '.join(names)} in {table.file}, got {', '.join(table.columns)}")
    lines, garments, rejected = _read(table, told, columns, reasons)
    held = _held(lines, told)
    said = verdicts(lines, told.weak)
    features, history, day = replay(_events(lines, garments, said, told.delay))
    chosen = {name: np.flatnonzero(held == (name == "val")) for name in splits}
    for name, own in chosen.items():
        if not len(own):
            raise ConfigError(f"expected lines of {told.file} to {name} on, got none of {len(lines)}: change split or val")
    parts = table_parts(config, columns, table, lines, garments, features, anywhere=told.paths == "any")
    named = targets(config, columns, table, lines, garments, said)
    rows = {
        name: replace(parts.rows(own, named), extra=extras(config, lines, garments, said, own))
        for name, own in chosen.items()
    }
    if "val" in rows and said.told:
        rows["val"] = replace(rows["val"], targets=said.without_silent(rows["val"].targets, chosen["val"]))
    _report(reasons, rejected := (*rejected, *parts.faults))
    about = {"source": "table", "file": told.file.rpartition("/")[2], "split": told.split, "val": told.val}
    about |= {"delay": told.delay, "silent": "unknown" if said.told else "fit"}
    about |= {"lines": len(lines), "left_out": sum(line.dropped for line in rejected)}
    return Data(rows, history, day, about, rejected=rejected)


def _read(
    table: Table, told: TableOptions, columns: Columns, reasons: Reasons
) -> tuple[list[OrderLine], dict[str, Described], tuple[Rejected, ...]]:
    """Return the lines that are good, by day, their garments, and the lines that are not.

    Raises:
        RejectedError: those are too many.
    """
    _tell_misspelt(table, columns)
    lines, rejected = read_lines(table, reasons, orders=columns.orders)
    lines = [line if line.garment else replace(line, garment=f"line {table.lines[line.row]}") for line in lines]
    garments: dict[str, Described] = {}
    if told.garments:
        listed = columns.renamed(read_table(beside(told.file, told.garments)), partly=True)
        garments, bad = read_garments(listed)
        _tell_misspelt(listed, columns)
        _check_share(listed, bad, told.max_bad)
        rejected += bad
        _check_listed(garments, listed, table, lines)
    faults = {line.row: why for line in lines if (why := columns.fault(table, line.row))}
    ordered = [(line.row, line.garment, line.size) for line in lines if line.row not in faults]
    faults |= add_ordered(garments, table, ordered)
    rejected += [table.refused(row, why) for row, why in sorted(faults.items())]
    _check_share(table, rejected, told.max_bad)
    return [line for line in lines if line.row not in faults], garments, tuple(rejected)


def _tell_misspelt(table: Table, columns: Columns) -> None:
    for sentence in misspelt(table, columns.read()) if columns.orders else ():
        log.warning("%s", sentence)


def _check_listed(garments: Mapping[str, Described], listed: Table, table: Table, lines: Sequence[OrderLine]) -> None:
    """Tell of lines whose garment its own table does not list.

    Raises:
        ConfigError: it lists none that was ordered.
    """
    without = [line for line in lines if line.garment not in garments]
    if not without:
        return
    example = f"such as {without[0].garment!r} in line {table.lines[without[0].row]}"
    if len(without) == len(lines):
        raise ConfigError(f"expected the garments of {table.file} in {listed.file}, got none of them, {example}")
    log.warning("%d of %d lines are of garments that are not in %s, %s", len(without), len(lines), listed.file, example)


def _check_share(table: Table, rejected: Sequence[Rejected], most: float) -> None:
    total = len(table) + len(table.rejected)
    if not total:
        raise ConfigError(f"expected lines in {table.file}, got none below its header")
    own = [line for line in rejected if line.file == table.file]
    if len(own) > most * total or len(own) == total:
        shown = f"{len(own)} of {total} lines of {table.file}"
        raise RejectedError(f"expected at most {most:.0%} of lines to be bad, got {shown}: {summary(own)}", rejected)


def _held(lines: Sequence[OrderLine], told: TableOptions) -> Array:
    """Return bool[N], which lines are to be scored on."""
    if told.split == "date":
        days = np.array([line.day for line in lines])
        return np.asarray(days > np.quantile(days, 1 - told.val, method="lower"))
    return np.array([among(told.val, line.holder) for line in lines], dtype=bool)


def _events(lines: Sequence[OrderLine], garments: dict[str, Described], said: Verdicts, delay: float) -> list[Line]:
    """Return what history is made of, in whole days, so that lines of one day tell each other nothing.

    Nor do those of one order: each one's verdict is known on the day of the order's last line at the earliest.
    """
    ids = {name: own.garment().history_id for name, own in garments.items()}
    last: dict[str, int] = defaultdict(int)
    for line in lines:
        last[line.order] = max(last[line.order], math.floor(line.day))
    events = []
    for line, fit in zip(lines, said.counted().tolist(), strict=True):
        day, known = math.floor(line.day), math.floor(line.day + delay if line.told is None else line.told)
        told = max(known, last[line.order]) if line.order else known
        events.append(Line(ids[line.garment], line.size, line.customer, day, fit, told))
    return events


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"expected {name} as a number, got {text!r}") from None


def _report(reasons: Reasons, rejected: Sequence[Rejected]) -> None:
    for sentence in reasons.report()[:_TOLD]:
        log.warning("%s", sentence)
    if len(reasons.unknown) > _TOLD:
        log.warning("and %d more reasons without a meaning", len(reasons.unknown) - _TOLD)
    if rejected:
        log.warning("%s", summary(rejected))

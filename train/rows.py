"""Training data in memory: one column per part, as the model takes it, beside the targets; it knows no source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.batch import FIT_CLASSES, Column
from tryon_core.errors import ConfigError
from tryon_core.tasks import TASKS, Body, Classes
from tryon_core.text import TextArrays

Array = npt.NDArray[Any]
Hidden = Mapping[str, npt.NDArray[np.bool_]]
"""Part name to bool[B], the rows that are to lack it."""


@dataclass(frozen=True)
class Rows:
    """N examples with what is known of their outcome; slices share nothing with the whole."""

    parts: Mapping[str, Column[Any]]
    """Part name to its distinct values (uint8 images, `TextArrays`, float32 numbers) and int64[N]."""
    targets: Mapping[str, Array]
    """Task name to N targets as `tryon_core.tasks` defines them: ``fit`` int64[N], ``match`` float32[N], …"""
    extra: Mapping[str, Array] = field(default_factory=dict)
    """What is no target, by these names: the probabilities of whoever knows how the data were drawn (``oracle_fit``
    float64[N, 3], …); who ordered (``shopper`` int64[N]); rows of which one is preferred to others (``pair`` int64[N], the
    same number in rows to compare, −1 in none); how much a row's target counts in a loss (``weight_fit`` float32[N], 1 where
    it is not told); how often an epoch draws a row on average (``draws`` float64[N], 1 where it is not told); the group that
    a row is scored with (``group_…`` str[N], empty where unknown); rows to calibrate on and not to score (``calibrate``
    bool[N], see `halves`)."""

    def __post_init__(self) -> None:
        arrays = {**{n: c.index for n, c in self.parts.items()}, **self.targets, **self.extra}
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) != 1:
            raise ConfigError(f"expected parts and targets of one length, got {lengths}")

    def __len__(self) -> int:
        return len(next(iter(self.targets.values())))

    def take(self, rows: npt.NDArray[np.int64], hidden: Hidden | None = None) -> Rows:
        """Return the chosen rows with only the distinct values that they use.

        Args:
            rows: int64[B], which rows, in their new order.
            hidden: parts that some of the chosen rows are to lack.
        """
        hidden = hidden or {}
        parts = {name: _taken(column, rows, hidden.get(name)) for name, column in self.parts.items()}
        targets = {name: target[rows] for name, target in self.targets.items()}
        return Rows(parts, targets, {name: array[rows] for name, array in self.extra.items()})

    def without(self, parts: Iterable[str]) -> Rows:
        """Return the same rows, each lacking the named parts."""
        nobody = np.full(len(self), -1, dtype=np.int64)
        gone = {name: Column(self.parts[name].values, nobody) for name in parts if name in self.parts}
        return Rows({**self.parts, **gone}, self.targets, self.extra)


def halves(rows: Rows) -> tuple[Rows, Rows]:
    """Return the rows to calibrate on and those to score; where the source told none apart, all of them are both."""
    apart = rows.extra.get("calibrate", np.zeros(len(rows), dtype=bool))
    if not told_apart(apart):
        return rows, rows
    return rows.take(np.flatnonzero(apart)), rows.take(np.flatnonzero(~apart))


def repeated(rows: Rows, times: int) -> Rows:
    """Return each row so many times in succession, as a fusion's members take turns; pairs are of one member's copies."""
    if times == 1:
        return rows
    every = rows.take(np.repeat(np.arange(len(rows)), times))
    pair = every.extra.get("pair")
    if pair is None:
        return every
    own = np.where(pair < 0, pair, pair * times + np.arange(len(every)) % times)
    return replace(every, extra={**every.extra, "pair": own})


def told_apart(calibrate: Array) -> bool:
    """Return whether some of the rows, bool[N], are to calibrate on and others to score."""
    return bool(calibrate.any() and not calibrate.all())


def batches(
    order: npt.NDArray[np.int64], batch_size: int, *, rank: int = 0, world: int = 1
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield one worker's row numbers, batch by batch.

    All workers get equally many batches; fewer than `world` rows are left out of an epoch.

    Args:
        order: int64[N], an epoch's rows.
        batch_size: rows of a step over all workers.

    Raises:
        ConfigError: there are fewer rows, or rows in a batch, than workers.
    """
    if min(batch_size, len(order)) < world:
        raise ConfigError(f"expected at least {world} rows in the data and in a batch, got {len(order)} and {batch_size}")
    own = order[rank * (len(order) // world) : (rank + 1) * (len(order) // world)]
    share = batch_size // world
    for start in range(0, len(own), share):
        yield own[start : start + share]


def epoch_order(rows: Rows, run: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return an epoch's rows in a random order in which up to `run` rows of one shopper follow one another.

    What the rows of a run share, a photo and words, is then encoded once for all of them. Rows of one pair are in one run,
    which they may make longer. Rows that extra ``draws`` wants less often than once are other ones in each epoch.
    """
    orders, runs, num_runs = [], [], 0
    for own, num in _drawn(rows):
        for left in range(num, 0, -len(own)):
            order, numbers = _in_runs(rows, own, run, rng)
            orders.append(order[:left])
            runs.append(numbers[:left] + num_runs)
            num_runs += int(numbers.max()) + 1
    place = rng.permutation(num_runs)[np.concatenate(runs)]
    return np.concatenate(orders)[np.argsort(place, kind="stable")]


def epoch_size(rows: Rows) -> int:
    """Return how many rows `epoch_order` draws."""
    return sum(num for _, num in _drawn(rows))


def _drawn(rows: Rows) -> list[tuple[npt.NDArray[np.int64], int]]:
    """Return rows that are drawn alike, int64[n] each, and how many of them an epoch draws."""
    draws = rows.extra.get("draws")
    if draws is None:
        return [(np.arange(len(rows)), len(rows))]
    alike = [(np.flatnonzero(draws == rate), float(rate)) for rate in np.unique(draws)]
    return [(own, round(rate * len(own))) for own, rate in alike]


def _in_runs(
    rows: Rows, own: npt.NDArray[np.int64], run: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return rows in a random order, run by run, and the number of each one's run, from 0 on."""
    alone = np.arange(len(own))
    shopper, pair = rows.extra.get("shopper"), rows.extra.get("pair")
    unit = alone if pair is None else np.unique(np.where(pair[own] < 0, -1 - alone, pair[own]), return_inverse=True)[1]
    order = np.argsort(rng.permutation(len(own))[unit], kind="stable")  # a unit's rows stay together
    who = unit if run == 1 or shopper is None else shopper[own]
    order = order[np.argsort(who[order], kind="stable")]
    start = np.searchsorted(who[order], who[order])
    begins = np.append(True, np.diff(unit[order]) != 0)
    first = np.maximum.accumulate(np.where(begins, alone, 0))  # of each row's unit
    block = (first - start) // run
    numbers = np.cumsum(np.append(0, (np.diff(who[order]) != 0) | (np.diff(block) != 0)))
    shuffled = rng.permutation(int(numbers.max()) + 1)[numbers]
    again = np.argsort(shuffled, kind="stable")
    return own[order[again]], shuffled[again]


def num_batches(num_rows: int, batch_size: int, world: int = 1) -> int:
    """Return how many batches `batches` yields to each worker in an epoch."""
    return -(-(num_rows // world) // (batch_size // world))


def tastes(kept: Array, fit: Array, classes: npt.NDArray[np.int64], num_classes: int) -> npt.NDArray[np.float32]:
    """Return a taste task's targets, float32[N, num_classes]: what became of each order at its garment's class, else NaN.

    Orders that came in the wrong size tell nothing: most of them come back however much they are liked.

    Args:
        kept: N numbers, 1 kept, 0 returned, NaN unknown.
        fit: int64[N], into `FIT_CLASSES`, −1 unknown.
        classes: int64[N], in [0, num_classes).
    """
    targets = np.full((len(kept), num_classes), np.nan, dtype=np.float32)
    wrong = (fit >= 0) & (fit != FIT_CLASSES.index("fit"))
    targets[np.arange(len(kept)), classes] = np.where(wrong, np.nan, kept)
    return targets


def unknown_like(target: Array) -> Array:
    """Return targets of the same kind and shape of which nothing is known: −1 for classes, NaN for all else."""
    return np.full_like(target, np.nan if target.dtype.kind == "f" else -1)


def unknown_of(task: str, num: int) -> Array:
    """Return targets of a task for `num` rows of which nothing is known, see `unknown_like`."""
    kind = TASKS[task]
    if isinstance(kind, Classes):
        return unknown_like(np.zeros(num, dtype=np.int64))
    single = not isinstance(kind, Body) and kind.num_outputs == 1
    return unknown_like(np.zeros((num,) if single else (num, kind.num_outputs), dtype=np.float32))


def used_by(index: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the distinct numbers that are not −1, sorted, and int64[B], the place of each row's among them, or −1."""
    used, place = np.unique(index, return_inverse=True)
    missing = int(len(used) > 0 and used[0] < 0)
    return used[missing:], place.astype(np.int64) - missing


def _taken(column: Column[Any], rows: npt.NDArray[np.int64], hidden: npt.NDArray[np.bool_] | None) -> Column[Any]:
    index = column.index[rows]
    if hidden is not None:
        index = np.where(hidden, -1, index)
    used, place = used_by(index)
    return Column(_picked(column.values, used), place)


def _picked(values: Any, used: npt.NDArray[np.int64]) -> Any:
    """Return a copy of the chosen values; texts are cut to the longest of them."""
    if not isinstance(values, TextArrays):
        return values[used]
    lengths = values.lengths[used]
    longest = int(lengths.max(initial=1))
    return TextArrays(values.ids[used, :longest], values.values[used, :longest], lengths)

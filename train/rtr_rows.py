"""The rental data as rows: every row sees the verdicts of other folds, or earlier ones, and never its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.batch import FIT_CLASSES, HISTORY_FIELDS, MEASUREMENTS, RECORD_FIELDS, SIZE_FIELDS, TOLD_FIELDS, Column
from tryon_core.config import ModelConfig, NumbersTower, TextTower, Tower
from tryon_core.errors import ConfigError, expected_one_of
from tryon_core.history import Counts, History, HistoryConfig, Key
from tryon_core.record import MAX_LINES, Effects, Floats, Lines, record
from tryon_core.text import text_arrays
from tryon_core.told import told

from .config import TrainConfig
from .data.rtr import Rentals, read_rentals
from .data.sim import SimConfig
from .effects import Events, fit_effects
from .rows import Array, Rows, unknown_of
from .sources import Data

Ids = npt.NDArray[np.int64]

NUM_FOLDS = 10
MODES = ("", "date")
HELD_FOR_CALIBRATION = 0.05
"""Share of the training rows that calibrate a model and fit none."""
_HISTORY = HistoryConfig(half_life_days=1e9, shopper_cap=1_000_000)
"""The published split has no order of time, so every event counts alike."""
_SEED = 20180
_TEXTS = ("shopper_words", "garment_words")


def rtr_config(config: TrainConfig) -> TrainConfig:
    """Return a config for what the rental data have: words, sizes, history and record, and the tasks that they tell.

    Widths, members and epochs were chosen on a part of train for these data, whichever the preset.
    """
    model = config.model
    parts = {name: tower for name, tower in model.parts.items() if name in (*_TEXTS, "size", "history")}
    if "history" in parts:
        parts["record"] = "record"
    towers = {name: _narrow(tower) for name, tower in model.towers.items() if name in parts.values()}
    if "record" in parts:
        towers["record"] = NumbersTower(embedding_dim=96, hidden=192)
    tasks = {name: weight for name, weight in {"match": 0.05, "fit": 1.0, "body": 0.05}.items() if name in model.tasks}
    fusion = replace(model.fusion, weights=None, width=160, depth=1, dropout=0.2, members=2)
    missing = {"shopper_words": 0.02, "garment_words": 0.02, "size": 0.01, "history": 0.02, "record": 0.02}
    model = replace(model, parts=parts, towers=towers, tasks=tasks, fusion=fusion)
    return replace(config, model=model, missing=missing, epochs=6, batch_size=512)


def _narrow(tower: Tower) -> Tower:
    """Return a tower of words no wider than these need: what they say of the body is in the record, too."""
    if not isinstance(tower, TextTower):
        return tower
    return replace(tower, width=min(tower.width, 32), embedding_dim=min(tower.embedding_dim, 32))


def rtr_data(config: ModelConfig, argument: str, options: SimConfig, splits: Sequence[str]) -> Data:
    """Return the rentals of a folder with train.parquet and val.parquet.

    Args:
        argument: the folder; with ``?split=date`` behind it the last tenth of both by date is scored on.

    Raises:
        ConfigError: a file, a column or a mode is not there.
        InputError: a value is wrong.
    """
    folder, _, query = argument.partition("?")
    mode = query.removeprefix("split=")
    if mode not in MODES or (query and not query.startswith("split=")):
        raise ConfigError(expected_one_of("option of source rtr", query, ("split=date",)))
    train, val = splits_of(Path(folder), mode)
    shop = Shop(train, val)
    event_fold = _folds(train, mode)
    every, scored = np.arange(len(train)), np.arange(len(train), len(train) + len(val))
    found, history = {}, shop.history(every)
    if "val" in splits:
        found["val"] = shop.rows(config, scored, [(scored, every)], history)
    if "train" in splits:
        rows = shop.rows(config, every, list(_legal(event_fold, mode)), None)
        held = np.random.default_rng(_SEED).random(len(every)) < HELD_FOR_CALIBRATION
        seen = event_fold >= (1 if mode else 0)  # before the first fold by date nothing is known
        chosen = {"train": seen & ~held, "calibration": seen & held}
        found |= {name: rows.take(np.flatnonzero(which)) for name, which in chosen.items()}
    about = {"source": "rtr", "split": mode or "published", "folds": NUM_FOLDS, "rows": len(train)}
    return Data(found, history, float(train.day.max()), about)


def splits_of(folder: Path, mode: str) -> tuple[Rentals, Rentals]:
    """Return what is fitted on and what is scored on.

    Raises:
        ConfigError: a file or a column is not there.
        InputError: a value is wrong.
    """
    train, val = (read_rentals(folder / f"{name}.parquet") for name in ("train", "val"))
    if not mode:
        return train, val
    both = train.joined(val)
    order = np.argsort(both.day, kind="stable")
    cut = len(order) - len(order) // 10
    return both.take(order[:cut]), both.take(order[cut:])


class Shop:
    """Rentals to learn from and to score on, numbered through; verdicts of the latter are only ever targets."""

    def __init__(self, train: Rentals, val: Rentals) -> None:
        self.all, self.num_events = train.joined(val), len(train)
        self.words, self.said = np.unique(self.all.shopper_words, return_inverse=True)
        self.kinds, self.kind = np.unique(self.all.garment_words, return_inverse=True)
        self.numbers = told(self.words.tolist())
        self.labels = np.array([str(size) for size in self.all.size], dtype=object)
        self.names, garment = np.unique(self.all.garment, return_inverse=True)
        pairs, sized = np.unique(garment * 1000 + self.all.size, return_inverse=True)
        self.sized_names = [(str(self.names[p // 1000]), str(p % 1000)) for p in pairs]
        shopper = np.unique(self.all.shopper, return_inverse=True)[1]
        size = self.all.size.astype(np.float64)
        self.events = Events(self.numbers[self.said], size, garment, sized, shopper, self.all.fit)

    def effects(self, events: Ids) -> Effects:
        """Return what chosen events tell of garments."""
        return fit_effects(self.events.take(events), self.names.tolist(), self.sized_names)

    def history(self, events: Ids) -> History:
        """Return what serving starts from, of chosen events."""
        chosen, keys = self.events.take(events), list[tuple[Key, Counts]]()
        for names, numbers in (([(n,) for n in self.names], chosen.garments), (self.sized_names, chosen.sized)):
            counts = _counts(numbers, chosen.fit, len(names))
            kind = "garment" if numbers is chosen.garments else "garment_size"
            keys += [((kind, *map(str, names[i])), counts[i]) for i in np.unique(numbers)]
        return History.from_rows(keys, float(self.all.day[events].max()), _HISTORY, self.effects(events))

    def numbers_of(self, rows: Ids, events: Ids, effects: Effects) -> tuple[Array, Array]:
        """Return parts `history` and `record` of rows as chosen events tell them."""
        own, told_of = self.events, self.events.take(events)
        lines = self._lines(rows, events, effects)
        keyed = [(own.garments, told_of.garments), (own.sized, told_of.sized)]
        counts = [_counts(numbers, told_of.fit, int(every.max()) + 1)[every[rows]] for every, numbers in keyed]
        verdicts = np.zeros((len(rows), 3))
        np.add.at(verdicts, (lines.row, lines.fit), 1.0)
        history = History(_HISTORY).smoothed(np.stack([*counts, verdicts], axis=1)).reshape(len(rows), -1)
        pair = effects.of(self.all.garment[rows].tolist(), self.labels[rows].tolist())
        return history, record(effects, own.told[rows], own.size[rows], pair, lines)

    def lines_of(self, rows: Ids, events: Ids) -> tuple[Ids, Ids]:
        """Return every row's latest lines among chosen events: the place of the row among `rows`, and the event."""
        by_time = events[np.lexsort((events, self.all.day[events], self.events.shopper[events]))]
        shopper = self.events.shopper
        first, last = (np.searchsorted(shopper[by_time], shopper[rows], side) for side in ("left", "right"))
        first = np.maximum(first, last - MAX_LINES)
        count = last - first
        place = np.repeat(np.arange(len(rows)), count)
        within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        return place, by_time[within + np.repeat(first, count)]

    def rows(self, config: ModelConfig, rows: Ids, legal: list[tuple[Ids, Ids]], history: History | None) -> Rows:
        """Return rows as examples.

        Args:
            legal: pairs of rows and the events that these may see, which together are all rows.
            history: of the events of the only pair, where it is there already.
        """
        counted = np.full((len(rows), len(HISTORY_FIELDS)), np.nan, dtype=np.float32)
        recorded = np.full((len(rows), len(RECORD_FIELDS)), np.nan, dtype=np.float32)
        for some, events in legal:
            effects = history.effects if history is not None and history.effects else self.effects(events)
            counted[some - rows[0]], recorded[some - rows[0]] = self.numbers_of(some, events, effects)
        every, values = np.arange(len(rows)), np.full((101, len(SIZE_FIELDS)), np.nan, dtype=np.float32)
        values[:, SIZE_FIELDS.index("number")] = np.arange(101)
        columns: dict[str, Column[Any]] = {
            "size": Column(values, self.all.size[rows]),
            "history": Column(counted, every),
            "record": Column(recorded, every),
            **{part: self._texts(config, part, rows) for part in _TEXTS if part in config.parts},
        }
        extra = {"shopper": self.events.shopper[rows], "row": rows}
        return Rows({p: c for p, c in columns.items() if p in config.parts}, self._targets(config, rows), extra)

    def _lines(self, rows: Ids, events: Ids, effects: Effects) -> Lines:
        place, event = self.lines_of(rows, events)
        used, back = np.unique(event, return_inverse=True)
        pair = effects.of(self.all.garment[used].tolist(), self.labels[used].tolist())
        return Lines(place, self.events.size[event], pair[back], self.events.fit[event])

    def _texts(self, config: ModelConfig, part: str, rows: Ids) -> Column[Any]:
        tower = config.towers[config.parts[part]]
        assert isinstance(tower, TextTower)
        every, index = (self.words, self.said) if part == "shopper_words" else (self.kinds, self.kind)
        used, place = np.unique(index[rows], return_inverse=True)
        texts = [str(every[i]) for i in used]
        said = np.array([bool(text) for text in texts])
        return Column(text_arrays(texts, tower.rows, tower.max_tokens), np.where(said[place], place, -1))

    def _targets(self, config: ModelConfig, rows: Ids) -> dict[str, Array]:
        """Return what is known of each task; a rental has no other verdict than its fit, so what fits counts as kept."""
        fit, numbers = self.all.fit[rows], self.events.told[rows]
        body = np.full((len(rows), len(MEASUREMENTS)), np.nan, dtype=np.float32)
        for name in ("height_cm", "weight_kg"):
            body[:, MEASUREMENTS.index(name)] = numbers[:, TOLD_FIELDS.index(f"told_{name}")]
        known = {"fit": fit, "match": (fit == FIT_CLASSES.index("fit")).astype(np.float32), "body": body}
        return {task: known[task] if task in known else unknown_of(task, len(rows)) for task in config.tasks}


def _folds(rentals: Rentals, mode: str) -> Ids:
    """Return int64[N], the fold of each event: random ones, or by date, of equal size.

    Of random ones, repeats of a shopper's garment in one size, whose verdict is mostly the same, are in one fold.
    """
    if mode:
        return np.arange(len(rentals)) * (2 * NUM_FOLDS) // len(rentals)
    shopper, garment = (np.unique(own, return_inverse=True)[1] for own in (rentals.shopper, rentals.garment))
    repeated = np.unique(np.stack([shopper, garment, rentals.size]), axis=1, return_inverse=True)[1]
    return np.random.default_rng(_SEED).integers(0, NUM_FOLDS, len(rentals))[repeated]


def _legal(folds: Ids, mode: str) -> Iterator[tuple[Ids, Ids]]:
    """Yield rows with the events that they may see: those of all other folds, or of earlier ones."""
    for fold in range(1 if mode else 0, int(folds.max()) + 1):
        events = np.flatnonzero(folds < fold if mode else folds != fold)
        rows = np.flatnonzero(folds == fold)
        yield rows, events


def _counts(numbers: Ids, fit: Ids, size: int) -> Floats:
    """Return float64[size, 3], how often each number got each verdict."""
    counts = np.zeros((size, len(FIT_CLASSES)))
    np.add.at(counts, (numbers, fit), 1.0)
    return counts

"""One shopper before many garments in many sizes: the rows to score, the scores, and the choice among them.

Torch-free: the ingress builds jobs and reads scores; `scoring` computes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .batch import FIT_CLASSES, SIZE_FIELDS, Column
from .garment import Garment, size_numbers
from .history import History
from .record import MAX_LINES, Effects, Lines, record
from .shopper import Owned
from .told import told
from .words import parse_size

_FIT = FIT_CLASSES.index("fit")


@dataclass(frozen=True)
class Offers:
    """A row for each size of each garment; a garment without sizes has one row of no size."""

    garment: npt.NDArray[np.int64]
    """int64[R], which garment."""
    size: npt.NDArray[np.int64]
    """int64[R], which of its sizes; −1 for none."""
    numbers: npt.NDArray[np.float32]
    """float32[R, len(SIZE_FIELDS)], part `size`."""
    history: npt.NDArray[np.float32] | None = None
    """float32[R, len(HISTORY_FIELDS)], part `history`; None where there is no history."""
    record: npt.NDArray[np.float32] | None = None
    """float32[R, len(RECORD_FIELDS)], part `record`; None where history has no effects."""


@dataclass(frozen=True)
class ScoreJob:
    """The rows of one request as they travel to fusion: half-precision embeddings, plain numbers."""

    num_rows: int
    embeddings: Mapping[str, Column[npt.NDArray[np.float16]]] = field(default_factory=dict)
    """Part name to float16[U, dim] and int64[R]."""
    numbers: Mapping[str, Column[npt.NDArray[np.float32]]] = field(default_factory=dict)
    """Part name to float32[U, width] and int64[R]."""


@dataclass(frozen=True)
class Scores:
    """What the model says of each row; an array of a task that the model lacks is empty."""

    fit: npt.NDArray[np.float32]
    """float32[R, 3], calibrated probabilities of small, fit, large."""
    match: npt.NDArray[np.float32]
    """float32[R], P(kept)."""
    body: npt.NDArray[np.float32]
    """float32[R, len(MEASUREMENTS)], the shopper's measurements, cm and kg, the same in every row."""


@dataclass(frozen=True)
class Choice:
    """A garment and the row of the size that is recommended in it."""

    garment: int
    row: int
    rows: npt.NDArray[np.int64]
    """int64[S], all rows of the garment, in its sizes' order."""


def offers_of(
    garments: Sequence[Garment],
    history: History | None,
    shopper: str | None,
    day: float,
    *,
    words: str | None = None,
    owned: Sequence[Owned] = (),
) -> Offers:
    """Return the rows to score for one shopper.

    Args:
        shopper: the key of the shopper's own earlier order lines; None where unknown.
        day: the moment as of which history counts, in the history's own days.
        words: what the shopper tells, of which part `record` takes the numbers.
        owned: the shopper's own garments and how they fit, as they came with the request, the latest last; they count in
            place of what is kept under a key.
    """
    pairs = [(g, s) for g, garment in enumerate(garments) for s in (range(len(garment.sizes)) or (-1,))]
    nothing = np.full(len(SIZE_FIELDS), np.nan, dtype=np.float32)
    numbers = [nothing if s < 0 else size_numbers(garments[g], s) for g, s in pairs]
    index = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    offers = Offers(index[:, 0], index[:, 1], np.stack(numbers) if numbers else np.zeros((0, len(SIZE_FIELDS)), "f"))
    if history is None:
        return offers
    own = _own_counts(history, owned) if owned else None
    labels = [garments[g].sizes[s].label if s >= 0 else "" for g, s in pairs]
    names = [garments[g].history_id for g, _ in pairs]
    rows = [history.features(name, label, shopper, day, own) for name, label in zip(names, labels, strict=True)]
    recorded = _record(history.effects, names, labels, words, owned[-MAX_LINES:]) if history.effects and rows else None
    return Offers(offers.garment, offers.size, offers.numbers, np.stack(rows) if rows else None, recorded)


def score_job(
    offers: Offers, shopper: Mapping[str, Any], garments: Mapping[str, Column[npt.NDArray[np.float16]]]
) -> ScoreJob:
    """Return the job that scores offers.

    Args:
        shopper: part name to float16[dim], the shopper's own embeddings; missing parts absent.
        garments: part name to float16[U, dim] and int64[G], per garment.
    """
    rows = len(offers.garment)
    embeddings = {part: Column(np.asarray(e)[None], np.zeros(rows, np.int64)) for part, e in shopper.items()}
    embeddings |= {part: Column(c.values, c.index[offers.garment]) for part, c in garments.items() if c.present.any()}
    every = np.arange(rows)
    numbers = {"size": Column(offers.numbers, np.where(offers.size >= 0, every, -1))}
    if offers.history is not None:
        numbers["history"] = Column(offers.history, every)
    if offers.record is not None:
        numbers["record"] = Column(offers.record, every)
    return ScoreJob(rows, embeddings, numbers)


def choose(offers: Offers, scores: Scores, *, in_stock: npt.NDArray[np.bool_] | None = None) -> list[Choice]:
    """Return each garment with its recommended size, best first: the size most likely to fit, ranked by match.

    Args:
        in_stock: bool[R]; a row that is not in stock is scored but never recommended. A garment without any stays out.
    """
    allowed = np.ones(len(offers.garment), bool) if in_stock is None else in_stock
    fitness = scores.fit[:, _FIT] if scores.fit.size else scores.match
    choices = []
    for garment in range(int(offers.garment.max(initial=-1)) + 1):
        rows = np.flatnonzero(offers.garment == garment)
        candidates = rows[allowed[rows]]
        if len(candidates):
            choices.append(Choice(garment, int(candidates[fitness[candidates].argmax()]), rows))
    rank = scores.match if scores.match.size else fitness
    return sorted(choices, key=lambda choice: -float(rank[choice.row]))


def _own_counts(history: History, owned: Sequence[Owned]) -> npt.NDArray[np.float64]:
    """Return float64[3], counts of verdicts as history would have them; a garment without an id is none of the others."""
    names = [line.garment_id or f"{place} of no id" for place, line in enumerate(owned)]
    return history.counts_of(names, [line.fit for line in owned], [line.days_ago for line in owned])


def _record(
    effects: Effects, names: Sequence[str], labels: Sequence[str], words: str | None, owned: Sequence[Owned]
) -> npt.NDArray[np.float32]:
    """Return part `record` of every offered size, float32[R, len(RECORD_FIELDS)]; all rows have the same earlier lines."""
    num, count = len(names), len(owned)
    sizes = np.tile(_values([line.size for line in owned], effects.system), num)
    own = np.tile(effects.of([line.garment_id for line in owned], [line.size for line in owned]), (num, 1))
    fits = np.tile(np.array([FIT_CLASSES.index(line.fit) for line in owned], dtype=np.int64), num)
    lines = Lines(np.repeat(np.arange(num), count), sizes, own, fits)
    numbers = np.repeat(told([words or ""]), num, axis=0)
    return record(effects, numbers, _values(labels, effects.system), effects.of(names, labels), lines)


def _values(labels: Sequence[str], system: str) -> npt.NDArray[np.float64]:
    """Return float64[N], the values of labels of one size system; NaN for others."""
    parsed = [parse_size(label) if label else None for label in labels]
    return np.array([p[1] if p is not None and p[0] == system else np.nan for p in parsed], dtype=np.float64)

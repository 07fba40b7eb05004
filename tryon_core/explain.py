"""What moved an answer: how much each part and each word gave, by scoring the same row with parts and words left out.

Torch-free: a question is rows to score as any other job's, so it needs nothing of fusion that an answer does not.

Parts share an answer by their Shapley values (Shapley 1953, "A value for n-person games"; for models, Lundberg and Lee 2017,
"A unified approach to interpreting model predictions"), computed exactly over all 2^n sets of the n parts: they sum to what
the answer differs from the one with nothing known. Of more than ten parts they are means over drawn orders and their
reverses (Castro et al. 2009, "Polynomial calculation of the Shapley value based on sampling"), which sum to the same.
A word's share is what the answer loses without it, all else known (occlusion, Zeiler and Fergus 2014):
`benchmarks.explain_deletion` finds it better than what the word gives where its text is all that is known, or the mean of
both, and words that say the same twice have no share to part exactly.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .batch import FIT_CLASSES, Column
from .offers import ScoreJob, Scores

_FIT = FIT_CLASSES.index("fit")
_MOST_PARTS = 10
"""Parts all of whose sets are scored."""
_ORDERS = 64
"""Orders that are drawn for more parts, half of them the others' reverses; the same ones for every question."""
_SURE = 1e-7
"""Probabilities nearer to 0 or 1 than single precision can tell have no log-odds."""
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ablation:
    """A text's words, and its embedding without each."""

    places: npt.NDArray[np.int64]
    """int64[W, 2], where each word starts and ends in the text, in code points; words may overlap."""
    without: Column[npt.NDArray[np.float16]]
    """float16[V, dim], contiguous, and int64[W]; −1 where nothing is left of the text."""


@dataclass(frozen=True)
class WordShare:
    """What a word gave."""

    start: int
    end: int
    contribution: float
    """In log-odds."""


@dataclass(frozen=True)
class Explanation:
    """What moved one probability, in log-odds: `base` and the parts' shares sum to the log-odds of the answer."""

    base: float
    """Of the answer with nothing known."""
    parts: Mapping[str, float]
    """Part name to its share."""
    words: Mapping[str, Sequence[WordShare]]
    """Part name of a text to its words, those that moved most first; none overlaps another."""


@dataclass(frozen=True)
class Question:
    """The rows whose scores tell what moved one row's answer."""

    job: ScoreJob
    """A row for each of `sets`, then one for each word left out."""
    parts: tuple[str, ...]
    sets: npt.NDArray[np.int64]
    """int64[R], ascending, the empty set first and the whole one last; bit i says whether a set has the i-th part."""
    words: Mapping[str, Ablation]


def question(job: ScoreJob, row: int, used: Collection[str], words: Mapping[str, Ablation]) -> Question:
    """Return what to score in order to explain one row of a job.

    Args:
        used: the names of the model's parts; a job may carry others, which move nothing.
        words: part name of a text to the words of the row's own.
    """
    columns: dict[str, Column[Any]] = {**job.embeddings, **job.numbers}
    parts = tuple(part for part, column in columns.items() if part in used and column.index[row] >= 0)
    words = {part: ablation for part, ablation in words.items() if part in parts}
    sets = scored_sets(len(parts))
    made = {part: _column(part, bit, columns[part], row, sets, words) for bit, part in enumerate(parts)}
    num_rows = len(sets) + sum(len(ablation.places) for ablation in words.values())
    embeddings = {part: column for part, column in made.items() if part in job.embeddings}
    numbers = {part: column for part, column in made.items() if part in job.numbers}
    return Question(ScoreJob(num_rows, embeddings, numbers), parts, sets, words)


def explanations(asked: Question, scores: Scores) -> dict[str, Explanation]:
    """Return what moved the answer's `match` and its `confidence`, from the scores of a question's rows."""
    told = {"match": scores.match, "confidence": scores.fit[:, _FIT] if scores.fit.size else scores.fit[:, :0].ravel()}
    return {name: _explanation(asked, log_odds(chances)) for name, chances in told.items() if len(chances)}


def log_odds(probabilities: npt.NDArray[Any]) -> Array:
    """Return float64[N], the log-odds of probabilities, finite for every one."""
    sure = np.asarray(probabilities, dtype=np.float64).clip(_SURE, 1 - _SURE)
    return np.asarray(np.log(sure / (1 - sure)))


def scored_sets(num: int) -> npt.NDArray[np.int64]:
    """Return the sets of players whose wins `shapley` needs, ascending; bit i of one says whether the i-th plays."""
    if num <= _MOST_PARTS:
        return np.arange(2**num)
    return np.unique(np.append(0, _joined(_orders(num))))


def shapley(values: Array, num: int) -> Array:
    """Return float64[num], each player's share of a game.

    Args:
        values: what each of `scored_sets` wins.
    """
    return _exact(values, num) if num <= _MOST_PARTS else _sampled(values, num)


def _sampled(values: Array, num: int) -> Array:
    sets, orders, shares = scored_sets(num), _orders(num), np.zeros(num)
    joined = _joined(orders)
    after, before = (values[np.searchsorted(sets, some)] for some in (joined, joined - (1 << orders)))
    np.add.at(shares, orders, (after - before) / len(orders))
    return shares


def _exact(values: Array, num: int) -> Array:
    sets = scored_sets(num)
    sizes = np.array([int(s).bit_count() for s in sets])
    weights = np.array([math.factorial(k) * math.factorial(max(num - k - 1, 0)) for k in range(num + 1)])
    shares = np.zeros(num)
    for player in range(num):
        without = sets[(sets >> player) & 1 == 0]
        gained = values[without | 1 << player] - values[without]
        shares[player] = (weights[sizes[without]] * gained).sum() / math.factorial(num)
    return shares


def _orders(num: int) -> npt.NDArray[np.int64]:
    """Return int64[_ORDERS, num], orders in which players join."""
    rng = np.random.default_rng(0)
    drawn = np.stack([rng.permutation(num) for _ in range(_ORDERS // 2)])
    return np.concatenate([drawn, drawn[:, ::-1]])


def _joined(orders: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the set of players once each has joined."""
    return np.cumsum(1 << orders, axis=1)


def apart(words: Sequence[WordShare]) -> list[WordShare]:
    """Return words of which none overlaps another, those that moved most first."""
    kept: list[WordShare] = []
    for word in sorted(words, key=lambda word: (-abs(word.contribution), word.start - word.end, word.start)):
        if all(word.end <= other.start or word.start >= other.end for other in kept):
            kept.append(word)
    return kept


def _column(
    part: str, bit: int, column: Column[Any], row: int, sets: npt.NDArray[np.int64], words: Mapping[str, Ablation]
) -> Column[Any]:
    """Return one part in every row of a question: by sets of parts, then for each word of each text."""
    values = [column.values[column.index[row]][None]]
    index = [np.where((sets >> bit) & 1, 0, -1)]
    for text, ablation in words.items():
        num = len(ablation.places)
        if text == part:
            without = np.where(ablation.without.index < 0, -1, ablation.without.index + 1)
            values.append(ablation.without.values)
            index.append(without)
        else:
            index.append(np.zeros(num, np.int64))
    return Column(np.concatenate(values), np.concatenate(index))


def _explanation(asked: Question, values: Array) -> Explanation:
    num_sets = len(asked.sets)
    sets, words, done = values[:num_sets], {}, num_sets
    for part, ablation in asked.words.items():
        num = len(ablation.places)
        moved = sets[-1] - values[done : done + num]
        words[part] = apart([WordShare(s, e, m) for (s, e), m in zip(ablation.places.tolist(), moved.tolist(), strict=True)])
        done += num
    shares = dict(zip(asked.parts, shapley(sets, len(asked.parts)).tolist(), strict=True))
    return Explanation(float(sets[0]), shares, words)

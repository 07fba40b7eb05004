"""Every score of one task from its predictions and targets, beside those who know how labels were drawn; knows no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tryon_core.batch import MEASUREMENTS
from tryon_core.tasks import Body, Classes, Match, Task, Taste

from .resample import Resamples, binary_intervals, class_intervals, error_intervals, gain_interval
from .rows import Array
from .scores import absolute_errors, binary_scores, class_scores, confusion, prior_nll, reliability

ORACLES = {"oracle": "nll_gain_share", "oracle_blind": "nll_gain_share_blind"}
"""Before ``_task``, which probabilities in `Rows.extra` are whose who knows how labels were drawn; and the name of the
model's share of what they gain over the labels' own shares. One knows everything, one all but untold offsets."""


def task_scores(
    task: Task, predicted: Array, target: Array, oracles: Mapping[str, Array], resamples: Resamples | None
) -> dict[str, Any]:
    """Return the scores that suit a kind of task; a kind that is not known here has none.

    Args:
        predicted: float64, what the task predicts of N rows of which something is known, see `tasks.Task.predict`.
        target: N targets as the task defines them.
        oracles: by a name of `ORACLES`, predictions of the same rows by those who know how labels were drawn.
        resamples: of the N rows; where given, ``interval`` holds the 95 % interval of each score by its name.
    """
    if isinstance(task, Match):
        return _match(predicted, target, oracles, resamples)
    if isinstance(task, Taste):
        met = ~np.isnan(target)
        return _match(predicted[met], target[met], {}, resamples.take(np.nonzero(met)[0]) if resamples else None)
    if isinstance(task, Body):
        return _body(predicted, target, resamples)
    return _classes(predicted, target, oracles, task.names, resamples) if isinstance(task, Classes) else {}


def _classes(
    predicted: Array, label: Array, oracles: Mapping[str, Array], names: Sequence[str], resamples: Resamples | None
) -> dict[str, Any]:
    if len(np.unique(label)) < len(names):  # no score of a class that nobody has
        return {"accuracy": float((predicted.argmax(axis=1) == label).mean()), "num_classes": predicted.shape[1]}
    scores = class_scores(predicted, label, names)
    scores["confusion"] = confusion(predicted.argmax(axis=1), label, len(names)).tolist()
    scores["reliability"] = reliability(predicted.max(axis=1), predicted.argmax(axis=1) == label)
    if resamples is not None:
        scores["interval"] = class_intervals(predicted, label, names, scores["ece"], resamples)
    best = {name: class_scores(oracle, label, names) for name, oracle in oracles.items()}
    return _against(scores, predicted, label, oracles, best, resamples)


def _match(predicted: Array, kept: Array, oracles: Mapping[str, Array], resamples: Resamples | None) -> dict[str, Any]:
    positive = kept > 0.5
    scores = binary_scores(predicted, positive)
    scores["reliability"] = reliability(predicted, positive)
    if resamples is not None:
        scores["interval"] = binary_intervals(predicted, positive, scores["ece"], resamples)
    best = {name: binary_scores(oracle, positive) for name, oracle in oracles.items()}
    return _against(scores, predicted, positive.astype(np.int64), oracles, best, resamples)


def _body(predicted: Array, target: Array, resamples: Resamples | None) -> dict[str, Any]:
    errors = absolute_errors(predicted, target, MEASUREMENTS)
    in_cm = [error for name, error in errors.items() if name.endswith("_cm")]
    scores = {"mae_cm": float(np.mean(in_cm)), "mae": errors}
    return (
        scores if resamples is None else scores | {"interval": error_intervals(predicted, target, MEASUREMENTS, resamples)}
    )


def _against(
    scores: dict[str, Any],
    predicted: Array,
    label: Array,
    oracles: Mapping[str, Array],
    best: Mapping[str, Mapping[str, Any]],
    resamples: Resamples | None,
) -> dict[str, Any]:
    """Return the scores and where they lie between the labels' shares alone and those who know how labels were drawn."""
    prior = prior_nll(label)
    told: dict[str, Any] = {**scores, "prior": {"nll": prior}, **best}
    for name, oracle in oracles.items():
        told[ORACLES[name]] = (prior - scores["nll"]) / (prior - best[name]["nll"])
        if resamples is not None:
            told["interval"][ORACLES[name]] = gain_interval(predicted, oracle, label, resamples)
    return told

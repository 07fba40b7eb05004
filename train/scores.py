"""Scores of predictions against outcomes, in plain numpy; it knows neither models nor tasks by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
_TINY = 1e-12
BINS = 15
"""Bins of a calibration error, of equally many rows each."""


def auc(score: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Return P(a positive's score is over a negative's), ties counted half; NaN where there is only one class.

    Args:
        score: float[N].
        positive: bool[N], or numbers of which 0 is negative.
    """
    positive = np.asarray(positive, dtype=bool)
    num_positive = int(positive.sum())
    num_negative = len(positive) - num_positive
    if not num_positive or not num_negative:
        return float("nan")
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    above = rank[positive].sum() - num_positive * (num_positive + 1) / 2
    return float(above / (num_positive * num_negative))


def losses(probabilities: Floats, label: npt.NDArray[np.int64]) -> Floats:
    """Return each row's negative log-likelihood, float[N], in nats.

    Args:
        probabilities: float[N, C], or float[N] of class 1 of two.
        label: int64[N], in [0, C).
    """
    if probabilities.ndim == 1:
        probabilities = np.stack([1 - probabilities, probabilities], axis=1)
    return np.asarray(-np.log(np.maximum(probabilities[np.arange(len(label)), label], _TINY)))


def nll(probabilities: Floats, label: npt.NDArray[np.int64]) -> float:
    """Return the mean negative log-likelihood, in nats; arguments as those of `losses`."""
    return float(losses(probabilities, label).mean())


def brier(probabilities: Floats, label: npt.NDArray[np.int64]) -> float:
    """Return the mean squared distance from the outcome's indicator, summed over classes (Brier, 1950)."""
    return float(np.square(probabilities - np.eye(probabilities.shape[1])[label]).sum(axis=1).mean())


def calibration_error(confidence: Floats, correct: npt.NDArray[np.bool_], num_bins: int = BINS) -> float:
    """Return the expected calibration error over bins of equally many rows.

    Args:
        confidence: float[N], what was claimed.
        correct: bool[N], what came.
    """
    bins = reliability(confidence, correct, num_bins)
    return float(sum(b["num"] * abs(b["claimed"] - b["came"]) for b in bins) / len(confidence))


def reliability(confidence: Floats, correct: npt.NDArray[np.bool_], num_bins: int = BINS) -> list[dict[str, float]]:
    """Return, per bin of equally many rows, how many (``num``), and on average what was ``claimed`` and what ``came``.

    Args:
        confidence: float[N], what was claimed.
        correct: bool[N], what came.
    """
    bins = [b for b in np.array_split(np.argsort(confidence, kind="stable"), num_bins) if len(b)]
    return [{"num": len(b), "claimed": float(confidence[b].mean()), "came": float(correct[b].mean())} for b in bins]


def confusion(guess: npt.NDArray[np.int64], label: npt.NDArray[np.int64], num_classes: int) -> npt.NDArray[np.int64]:
    """Return int64[C, C], how many rows of each class (first axis) were taken for each (second axis).

    Args:
        guess: int64[N], in [0, C).
        label: int64[N], in [0, C).
    """
    return np.bincount(label * num_classes + guess, minlength=num_classes**2).reshape(num_classes, num_classes)


def macro_f1(counts: npt.NDArray[Any]) -> Floats:
    """Return the mean over classes of F1, the harmonic mean of precision and recall; 0 for a class never met nor said.

    Args:
        counts: [..., C, C], as `confusion` gives them.
    """
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    said_or_met = counts.sum(axis=-1) + counts.sum(axis=-2)
    return np.asarray((2 * right / np.maximum(said_or_met, _TINY)).mean(axis=-1))


def class_scores(probabilities: Floats, label: npt.NDArray[np.int64], names: Sequence[str]) -> dict[str, Any]:
    """Return every score of a task with one of several classes.

    Args:
        probabilities: float[N, C].
        label: int64[N], in [0, C).
    """
    each = {name: auc(probabilities[:, c], label == c) for c, name in enumerate(names)}
    guess = probabilities.argmax(axis=1)
    return {
        "auc_mean": float(np.mean(list(each.values()))),
        "auc": each,
        "nll": nll(probabilities, label),
        "brier": brier(probabilities, label),
        "ece": calibration_error(probabilities.max(axis=1), guess == label),
        "accuracy": float((guess == label).mean()),
        "macro_f1": float(macro_f1(confusion(guess, label, len(names)))),
    }


def binary_scores(probability: Floats, positive: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Return every score of a yes-or-no task.

    Args:
        probability: float[N], of yes.
        positive: bool[N], or numbers of which 0 is negative.
    """
    label = positive.astype(np.int64)
    return {
        "auc": auc(probability, positive),
        "nll": nll(probability, label),
        "brier": float(np.square(probability - positive).mean()),
        "ece": calibration_error(probability, positive),
        "accuracy": float(((probability >= 0.5) == positive).mean()),
        "macro_f1": float(macro_f1(confusion((probability >= 0.5).astype(np.int64), label, 2))),
    }


def prior_nll(label: npt.NDArray[np.int64]) -> float:
    """Return the negative log-likelihood of always saying the labels' own shares, their entropy in nats."""
    share = np.bincount(label) / len(label)
    share = share[share > 0]
    return float(-(share * np.log(share)).sum())


def absolute_errors(predicted: Floats, target: Floats, names: Sequence[str]) -> dict[str, float]:
    """Return the mean absolute error per column, over the targets that are known.

    Args:
        predicted: float[N, M].
        target: float[N, M], NaN unknown.
    """
    known = ~np.isnan(target)
    error = np.where(known, np.abs(predicted - target), 0.0)
    return {name: float(error[:, i].sum() / known[:, i].sum()) for i, name in enumerate(names) if known[:, i].any()}

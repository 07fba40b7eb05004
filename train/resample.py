"""How sure a score is: 95 % intervals from resamples of whole clusters of rows (Efron, 1979), in plain numpy.

A cluster is what was drawn together, the orders of one shopper: resampling single rows would take many orders of one body
for as many bodies. A resample is a weight per cluster, so that no row is ever copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.errors import ConfigError

from .scores import BINS, Floats, auc, losses, macro_f1

Ints = npt.NDArray[np.int64]
Interval = tuple[float, float]
RESAMPLES = 200
"""Enough for the ends of a 95 % interval to be known to about a tenth of its width."""
_TINY = 1e-12
_LEVEL = 0.95


class Resamples:
    """Weights of N rows in R resamples of their clusters.

    Args:
        cluster: N labels, equal for rows that were drawn together.
        num: R.

    Raises:
        ConfigError: R is under 1.
    """

    def __init__(self, cluster: npt.NDArray[Any], num: int, seed: int = 0) -> None:
        if num < 1:
            raise ConfigError(f"expected at least 1 resample, or 0 for no intervals, got {num}")
        names, place = np.unique(cluster, return_inverse=True)
        drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=num)
        self._weights: npt.NDArray[np.float64] = drawn.astype(np.float64)
        self._place: Ints = place.astype(np.int64)

    def take(self, rows: npt.NDArray[Any]) -> Resamples:
        """Return the same resamples of chosen rows, int64[B] or bool[N]."""
        chosen = object.__new__(Resamples)
        chosen._weights, chosen._place = self._weights, self._place[rows]
        return chosen

    def __iter__(self) -> Iterator[Floats]:
        """Yield the rows' weights in one resample after another, float64[N]."""
        for own in self._weights:
            yield own[self._place]

    def sums(self, values: Floats) -> Floats:
        """Return every resample's sums, float64[R, M], of float[N, M]."""
        clusters = self._weights.shape[1]
        columns = [np.bincount(self._place, column, minlength=clusters) for column in np.asarray(values, np.float64).T]
        return np.asarray(self._weights @ np.stack(columns, axis=1))

    def means(self, values: Floats) -> Floats:
        """Return every resample's means, float64[R, M], of float[N, M]; NaN in a resample without rows."""
        total = self.sums(np.ones((len(self._place), 1)))
        with np.errstate(invalid="ignore"):
            return np.asarray(self.sums(values) / total)


def interval(samples: Floats) -> Interval:
    """Return the ends between which 95 % of a score's resamples lie, NaN left out; NaN where all are."""
    known = samples[~np.isnan(samples)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def aucs(score: Floats, positive: npt.NDArray[np.bool_], resamples: Resamples) -> Floats:
    """Return `scores.auc` of every resample, float64[R], by weighted ranks; NaN where a resample has one class only.

    Args:
        score: float[N].
        positive: bool[N].
    """
    values, place = np.unique(score, return_inverse=True)
    yes, no = place[positive], place[~positive]
    found = []
    for weights in resamples:
        up = np.bincount(yes, weights[positive], minlength=len(values))
        down = np.bincount(no, weights[~positive], minlength=len(values))
        pairs = up.sum() * down.sum()
        found.append(up @ (np.cumsum(down) - down / 2) / pairs if pairs else np.nan)
    return np.array(found)


def calibration_errors(confidence: Floats, correct: npt.NDArray[np.bool_], resamples: Resamples) -> Floats:
    """Return `scores.calibration_error` of every resample, float64[R], its bins of equal weight.

    Args:
        confidence: float[N], what was claimed.
        correct: bool[N], what came.
    """
    order = np.argsort(confidence, kind="stable")
    gap, found = (confidence - correct)[order], []
    for weights in resamples:
        own = weights[order]
        reached = np.cumsum(own)
        bins = np.minimum((reached - own / 2) * (BINS / reached[-1]), BINS - 1).astype(np.int64)
        found.append(np.abs(np.bincount(bins, own * gap)).sum() / reached[-1])
    return np.array(found)


def error_interval(point: float, samples: Floats) -> Interval:
    """Return the 95 % interval of a calibration error, of which every resample has more than its rows.

    What resampling adds to each bin's gap, sampling has added to the point already: mirrored at the point, the interval
    is rid of both (the basic bootstrap), and its ends are at least 0.
    """
    low, high = interval(samples)
    return max(0.0, 2 * point - high), max(0.0, 2 * point - low)


def class_intervals(
    probabilities: Floats, label: Ints, names: Sequence[str], ece: float, resamples: Resamples
) -> dict[str, Any]:
    """Return the intervals of `scores.class_scores`, under its names.

    Args:
        probabilities: float[N, C].
        label: int64[N], in [0, C).
        ece: the rows' own calibration error.
    """
    each = {name: aucs(probabilities[:, c], label == c, resamples) for c, name in enumerate(names)}
    guess, truth = probabilities.argmax(axis=1), np.eye(len(names))[label]
    errors = calibration_errors(probabilities.max(axis=1), guess == label, resamples)
    missed = np.square(probabilities - truth).sum(axis=1)
    return {
        "auc_mean": interval(np.mean(list(each.values()), axis=0)),
        "auc": {name: interval(samples) for name, samples in each.items()},
        "ece": error_interval(ece, errors),
        **_means(resamples, nll=losses(probabilities, label), brier=missed, accuracy=guess == label),
        "macro_f1": interval(_macro_f1(guess, label, len(names), resamples)),
    }


def binary_intervals(
    probability: Floats, positive: npt.NDArray[np.bool_], ece: float, resamples: Resamples
) -> dict[str, Any]:
    """Return the intervals of `scores.binary_scores`, under its names.

    Args:
        probability: float[N], of yes.
        positive: bool[N].
        ece: the rows' own calibration error.
    """
    guess, label = probability >= 0.5, positive.astype(np.int64)
    return {
        "auc": interval(aucs(probability, positive, resamples)),
        "ece": error_interval(ece, calibration_errors(probability, positive, resamples)),
        **_means(
            resamples,
            nll=losses(probability, label),
            brier=np.square(probability - positive),
            accuracy=guess == positive,
        ),
        "macro_f1": interval(_macro_f1(guess.astype(np.int64), label, 2, resamples)),
    }


def error_intervals(predicted: Floats, target: Floats, names: Sequence[str], resamples: Resamples) -> dict[str, Any]:
    """Return the intervals of `scores.absolute_errors` by name, ``mae``, and of the mean over those in cm, ``mae_cm``.

    Args:
        predicted: float[N, M].
        target: float[N, M], NaN unknown.
    """
    known = ~np.isnan(target)
    columns = [c for c in range(len(names)) if known[:, c].any()]
    error = np.where(known, np.abs(predicted - target), 0.0)[:, columns]
    with np.errstate(invalid="ignore"):
        samples = resamples.sums(error) / resamples.sums(known[:, columns])
    in_cm = [place for place, c in enumerate(columns) if names[c].endswith("_cm")]
    each = {names[c]: interval(samples[:, place]) for place, c in enumerate(columns)}
    return {"mae_cm": interval(samples[:, in_cm].mean(axis=1)), "mae": each}


def gain_interval(predicted: Floats, best: Floats, label: Ints, resamples: Resamples) -> Interval:
    """Return the interval of the share of the possible gain in NLL over the labels' own shares.

    Args:
        predicted: probabilities as `scores.losses` takes them.
        best: the same of whoever gains all that is possible.
        label: int64[N], classes from 0.
    """
    share = resamples.means(np.eye(int(label.max()) + 1)[label])
    prior = -(share * np.log(np.maximum(share, _TINY))).sum(axis=1)
    own, least = resamples.means(np.stack([losses(predicted, label), losses(best, label)], axis=1)).T
    return interval((prior - own) / (prior - least))


def gain_intervals(
    ours: Sequence[Floats], theirs: Sequence[Floats], label: Ints, resamples: Resamples
) -> dict[str, tuple[float, Interval]]:
    """Return what one side's scores are over the other's, ``auc_mean`` and ``nll``, each with its paired interval.

    Both sides are scored on the same rows in every resample, so that what makes a shopper hard for both cancels out.

    Args:
        ours: probabilities float[N, C] of each run, whose scores are averaged.
        theirs: the same of whom they are compared with, of as many runs or of others.
        label: int64[N], in [0, C).
    """
    sides = []
    for runs in (ours, theirs):
        each = [_points(own, label) for own in runs], [_samples(own, label, resamples) for own in runs]
        sides.append([np.mean(values, axis=0) for values in each])
    (point, samples), (their_point, their_samples) = sides
    gain, drawn = point - their_point, samples - their_samples
    return {name: (float(gain[at]), interval(drawn[at])) for at, name in enumerate(("auc_mean", "nll"))}


def _points(probabilities: Floats, label: Ints) -> Floats:
    each = [auc(probabilities[:, c], label == c) for c in range(probabilities.shape[1])]
    return np.array([np.mean(each), losses(probabilities, label).mean()])


def _samples(probabilities: Floats, label: Ints, resamples: Resamples) -> Floats:
    """Return the resamples' scores in the order of `_points`, float64[2, R]."""
    each = [aucs(probabilities[:, c], label == c, resamples) for c in range(probabilities.shape[1])]
    return np.stack([np.mean(each, axis=0), resamples.means(losses(probabilities, label)[:, None])[:, 0]])


def _means(resamples: Resamples, **values: npt.NDArray[Any]) -> dict[str, Interval]:
    samples = resamples.means(np.stack([np.asarray(column, np.float64) for column in values.values()], axis=1))
    return {name: interval(column) for name, column in zip(values, samples.T, strict=True)}


def _macro_f1(guess: Ints, label: Ints, num_classes: int, resamples: Resamples) -> Floats:
    cells = np.eye(num_classes**2)[label * num_classes + guess]
    return macro_f1(resamples.sums(cells).reshape(-1, num_classes, num_classes))

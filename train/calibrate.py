"""What turns raw outputs into honest claims: a temperature per task, and how far a measurement may be off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from tryon_core.batch import MEASUREMENTS
from tryon_core.model import Model
from tryon_core.tasks import TASKS, known

from .coverage import one_row_each
from .evaluate import embed, fuse, fuse_known
from .rows import Array, Rows

CALIBRATED = ("fit", "match")
COVERAGE = 0.8
"""Share of people whose measurement lies in its interval."""
_LOG_RANGE = (-3.0, 3.0)
_GOLDEN = (5**0.5 - 1) / 2


def calibrate(model: Model, rows: Rows) -> dict[str, Any]:
    """Return a checkpoint's calibration from rows that the model was not fitted on.

    ``temperature`` divides a task's logits; ``body_half_width`` is, by what is known of the shopper and measurement, the
    half of the interval that holds `COVERAGE` of people, in cm or kg (split conformal prediction, Vovk et al., 2005).
    """
    embedded = embed(model, rows)
    outputs = fuse_known(model, embedded, rows)
    returning = fuse(model, embedded, rows)
    found: dict[str, Any] = {"temperature": temperatures([returning, *outputs.values()], rows.targets)}
    if "body" in model.config.tasks:
        once = one_row_each(rows)
        found["body_half_width"] = {
            name: half_widths(own["body"][once], rows.targets["body"][once]) for name, own in outputs.items()
        }
    return found


def temperatures(outputs: Sequence[Mapping[str, Array]], targets: Mapping[str, Array]) -> dict[str, float]:
    """Return the temperature of each calibrated task that has known targets (Guo et al., 2017).

    Args:
        outputs: raw outputs for the same rows as different parts are known, all of which count alike.
    """
    found = {}
    for task in CALIBRATED:
        if task in outputs[0]:
            told = known(torch.from_numpy(targets[task])).numpy()
            if told.any():
                logits, target = np.concatenate([own[task][told] for own in outputs]), targets[task][told]
                found[task] = temperature(task, logits, np.concatenate([target] * len(outputs)))
    return found


def temperature(task: str, logits: Array, target: Array) -> float:
    """Return the divisor of the logits under which the task's own loss is least.

    Args:
        logits: float32[N, num_outputs].
        target: N known targets.
    """
    raw, truth = torch.from_numpy(logits).double(), torch.from_numpy(target)
    truth = truth.double() if truth.is_floating_point() else truth

    def loss(log_temperature: float) -> float:
        return float(TASKS[task].loss(raw / float(np.exp(log_temperature)), truth))

    return float(np.exp(minimum(loss, *_LOG_RANGE)))


def half_widths(predicted: Array, target: Array) -> dict[str, float]:
    """Return, per measurement, the half width of the interval that holds `COVERAGE` of people.

    Args:
        predicted: float32[N, M], the body task's raw outputs.
        target: float32[N, M], cm and kg, NaN unknown.
    """
    errors = np.abs(TASKS["body"].predict(torch.from_numpy(predicted), 1.0).numpy() - target)
    widths = {}
    for column, name in enumerate(MEASUREMENTS):
        told = errors[:, column][~np.isnan(errors[:, column])]
        if len(told):
            level = min(1.0, np.ceil((len(told) + 1) * COVERAGE) / len(told))
            widths[name] = round(float(np.quantile(told, level, method="higher")), 3)
    return widths


def minimum(function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-4) -> float:
    """Return where a function with one valley in [low, high] is least, by golden-section search (Kiefer, 1953)."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > tolerance:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2

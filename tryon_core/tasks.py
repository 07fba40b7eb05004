"""Tasks: what is predicted from a fused view of an example, how it is scored, and what the numbers mean.

A new task is one line in `TASKS`, a class where no kind of target here fits, and one test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from .batch import FIT_CLASSES, LOOKS, MEASUREMENTS
from .errors import ConfigError

View = Literal["pair", "shopper", "taste", "garment", "verdict"]
"""What a task sees, and which tasks share a fusion: everything, the shopper's parts, the same for what they like (which a
body's numbers would drown), the garment's parts, or part `verdict` alone: see `Model.view`."""


class Task(Protocol):
    """One head: raw outputs of length `num_outputs` from the fused view, a loss that skips missing targets."""

    view: View
    num_outputs: int

    def loss(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return float32[], the mean over the targets present, by weight; 0 where none is.

        Args:
            weight: float32[B], how much each row counts, over 0; all alike where None.
        """
        ...

    def predict(self, outputs: Tensor, temperature: float) -> Tensor:
        """Return what is answered: probabilities, or values in their units."""
        ...


def known(target: Tensor) -> Tensor:
    """Return which entries of a target are known, a bool of its shape: those not NaN, of classes those not −1."""
    return ~target.isnan() if target.is_floating_point() else target >= 0


class Match:
    """P(kept): the size and the style suit. Target float32[B], 1 kept, 0 returned, NaN unknown."""

    view: View = "pair"
    num_outputs = 1

    def loss(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the binary cross-entropy of float32[B, 1] logits."""
        return _binary(outputs[:, 0], target, weight)

    def predict(self, outputs: Tensor, temperature: float) -> Tensor:
        """Return float32[B], probabilities."""
        return (outputs[:, 0] / temperature).sigmoid()


class Taste:
    """P(kept) of a garment of each class that is not of the wrong size.

    Target float32[B, C], at the garment's class 1 kept, 0 returned; else NaN.
    """

    view: View = "taste"

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.num_outputs = len(names)

    def loss(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the binary cross-entropy of the logits, float32[B, C], of classes that were met."""
        return _binary(outputs, target, weight)

    def predict(self, outputs: Tensor, temperature: float) -> Tensor:
        """Return float32[B, C], a probability per class."""
        return (outputs / temperature).sigmoid()


class Classes:
    """One of several classes. Target int64[B], −1 unknown."""

    def __init__(self, view: View, names: tuple[str, ...]) -> None:
        self.view: View = view
        self.names = names
        self.num_outputs = len(names)

    def loss(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the cross-entropy of float32[B, C] logits."""
        if not known(target).any():
            return outputs.sum() * 0
        each = F.cross_entropy(outputs, target, ignore_index=-1, reduction="none")
        return _mean(each, known(target), weight)

    def predict(self, outputs: Tensor, temperature: float) -> Tensor:
        """Return float32[B, C], probabilities that sum to 1."""
        return (outputs / temperature).softmax(dim=1)


class Body:
    """The shopper's measurements. Target float32[B, M] in the units of `batch.MEASUREMENTS`, NaN unknown."""

    view: View = "shopper"
    num_outputs = len(MEASUREMENTS)
    centre = (170.0, 75.0, 98.0, 85.0, 100.0, 60.0, 80.0, 85.0, 36.0)
    spread = (10.0, 15.0, 10.0, 12.0, 9.0, 6.0, 6.0, 6.0, 4.0)

    def loss(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the mean squared error in units of `spread`."""
        told = known(target)
        scaled = (target - outputs.new_tensor(self.centre)) / outputs.new_tensor(self.spread)
        return _mean((outputs - torch.where(told, scaled, outputs.detach())).square(), told, weight)

    def predict(self, outputs: Tensor, temperature: float) -> Tensor:
        """Return float32[B, M] in cm and kg; a temperature does not apply."""
        return outputs * outputs.new_tensor(self.spread) + outputs.new_tensor(self.centre)


TASKS: dict[str, Task] = {
    "match": Match(),
    "fit": Classes("pair", FIT_CLASSES),
    "body": Body(),
    **{look: Classes("garment", names) for look, names in LOOKS.items()},
    **{f"taste_{look}": Taste(names) for look, names in LOOKS.items()},
}


def register_task(name: str, task: Classes) -> None:
    """Add a model's own task to the table; a later model's classes take the place of an earlier one's.

    What is answered for a task depends on its outputs alone, so that models of both stay as they are.

    Raises:
        ConfigError: the table has a task of that name which is no model's own.
    """
    if name in TASKS and name not in _OWN:
        raise ConfigError(f"expected a new task name, got {name!r}, which is taken")
    _OWN.add(name)
    TASKS[name] = task


_OWN: set[str] = set()


def verdict(outputs: Mapping[str, Tensor]) -> Tensor:
    """Return part `verdict`, float32[B, len(VERDICT_FIELDS)], what the other tasks say of each pair.

    A look's entry is the log-odds of Σ_c P(garment is c) P(shopper keeps c).

    Args:
        outputs: the raw outputs of task `fit`, and of the tasks of every look and of the taste in it.
    """

    def log_odds(look: str) -> Tensor:
        return (outputs[look].softmax(dim=1) * outputs[f"taste_{look}"].sigmoid()).sum(dim=1, keepdim=True).logit(1e-4)

    return torch.cat([outputs["fit"].log_softmax(dim=1), *(log_odds(look) for look in LOOKS)], dim=1)


def ease(body: Tensor, chart: Tensor) -> Tensor:
    """Return float32[B, 2K], a chart's bounds less the body's measurements, in cm; NaN where the chart is silent.

    Args:
        body: float32[B, K], measurements in the chart's order.
        chart: float32[B, 2K], (low, high) per measurement.
    """
    return chart - torch.repeat_interleave(body, 2, dim=1)


def _binary(logits: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    told = known(target)
    each = F.binary_cross_entropy_with_logits(logits, torch.where(told, target, 0.0), reduction="none")
    return _mean(each, told, weight)


def _mean(each: Tensor, told: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean by weight of the losses whose targets are told; 0 where none is.

    Args:
        each: float32[B] or float32[B, C].
        told: bool of the same shape.
        weight: float32[B].
    """
    counts = told.to(each.dtype)
    if weight is not None:
        counts = counts * weight.to(each.dtype).reshape(-1, *[1] * (each.ndim - 1))
    total: Tensor = (each * counts).sum() / counts.sum().clamp_min(1e-12)
    return total

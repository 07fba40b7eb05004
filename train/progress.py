"""What a run tells while it goes on: the loop emits events, the one who started the run shows them."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """So far in an epoch."""

    epoch: int
    """1 for the first."""
    step: int
    num_steps: int
    rows: int
    """Rows that all workers together have seen in this epoch."""
    loss: float
    """Mean of this epoch's steps so far."""


@dataclass(frozen=True)
class Epoch:
    """A whole epoch."""

    epoch: int
    loss: float
    """Mean over its steps, weighted sum of the tasks' losses."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """Task name to the mean of its own loss."""
    rows_per_s: float = 0.0
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """Scores on the validation rows, see `evaluate`."""


Event = Step | Epoch
Listener = Callable[[Event], None]


class Display:
    """A progress bar on standard error where that is a terminal, and one line per epoch on standard output."""

    def __init__(self, *, bar: bool = True) -> None:
        self._bar: tqdm[Any] | None = None
        self._wanted = bar and sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, Epoch):
            self.close()
            sys.stdout.write(f"Epoch {event.epoch}, Loss: {event.loss:.4f}\n")
            sys.stdout.flush()
            log.info("epoch %d: %.0f rows/s; %s", event.epoch, event.rows_per_s, told(event.metrics))
        elif self._wanted:
            self._advance(event)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _advance(self, step: Step) -> None:
        if self._bar is None:
            per_step = step.rows // max(1, step.step)
            total = per_step * step.num_steps
            self._bar = tqdm(total=total, desc=f"Epoch {step.epoch}", unit=" samples", file=sys.stderr, leave=False)
        self._bar.set_postfix(loss=f"{step.loss:.4f}", refresh=False)
        self._bar.update(step.rows - self._bar.n)


def thinned(listener: Listener, every_s: float) -> Listener:
    """Return a listener that passes on every epoch but steps only so often."""
    last = 0.0

    def listen(event: Event) -> None:
        nonlocal last
        now = time.monotonic()
        if isinstance(event, Epoch) or now - last >= every_s:
            last = now
            listener(event)

    return listen


def told(metrics: Mapping[str, Any]) -> str:
    """Return the scores that tell whether a run goes well, in one line."""
    wanted = (
        *(("fit", "auc_mean"), ("fit", "nll"), ("match", "auc"), ("match", "nll")),
        *(("body", "mae_cm"), ("category", "accuracy")),
    )
    found = [(f"{task} {key}", metrics.get(task, {}).get(key)) for task, key in wanted]
    return ", ".join(f"{name} {value:.4f}" for name, value in found if value is not None) or "no validation"

"""Fit history as each order saw it: orders in the order of time, each looking before any verdict that came later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

from tryon_core.batch import FIT_CLASSES, HISTORY_FIELDS
from tryon_core.errors import ConfigError
from tryon_core.history import FitEvent, History, HistoryConfig


@dataclass(frozen=True)
class Line:
    """One order line, of which history needs no more."""

    garment: str
    """`Garment.history_id`."""
    size: str
    shopper: str
    day: float
    fit: int
    """Index into `FIT_CLASSES`; −1 where nobody told."""
    told: float | None = None
    """When the verdict was known, in days; with the order where None."""


Look = Callable[[int, Line, History], None]
"""Is shown a line's number, the line, and the history before it."""


def _look_away(number: int, line: Line, history: History) -> None:
    """Look at nothing."""


def replay(
    lines: Iterable[Line], config: HistoryConfig | None = None, look: Look = _look_away
) -> tuple[npt.NDArray[np.float32], History, float]:
    """Return part `history` of every line, float32[N, len(HISTORY_FIELDS)], the history behind the last, and its day.

    A line sees the verdicts that were known before its own moment. Days may have fractions; lines whose days are whole
    tell each other nothing on one day.

    Args:
        lines: in the order of time.
        look: may ask the history before each line for more.

    Raises:
        ConfigError: a line is before its predecessor.
    """
    history, day, features = History(config or HistoryConfig()), float("-inf"), []
    coming: list[tuple[float, int, FitEvent]] = []
    for number, line in enumerate(lines):
        if line.day < day:
            raise ConfigError(f"expected order lines in the order of time, got day {line.day} behind day {day}")
        day = line.day
        while coming and coming[0][0] < day:
            history.add(heappop(coming)[2])
        look(number, line, history)
        features.append(history.features(line.garment, line.size, line.shopper, day))
        if line.fit >= 0:
            told = day if line.told is None else max(line.told, day)
            heappush(coming, (told, number, FitEvent(line.garment, line.size, line.shopper, FIT_CLASSES[line.fit], told)))
    while coming:
        day = max(day, coming[0][0])
        history.add(heappop(coming)[2])
    if not features:
        return np.zeros((0, len(HISTORY_FIELDS)), dtype=np.float32), history, 0.0
    return np.stack(features), history, day

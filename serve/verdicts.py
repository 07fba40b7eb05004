"""How order lines become counts that never have to be aged: every verdict weighs as if seen from one fixed day.

A verdict of day d weighs 2^((d - ORIGIN) / half life), whatever else is counted, so that counts are plain sums, which
may be added to and taken from in any order and by many writers; who reads them as of a day multiplies once. Which lines
count is as in `tryon_core.history.History`: of one customer's on one garment the latest few.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tryon_core.batch import FIT_CLASSES
from tryon_core.errors import ConfigError
from tryon_core.history import HistoryConfig

from .records import OrderLine, dumps

_ORIGIN = 18262.0
"""2020-01-01, in days since 1970-01-01."""
_SHORTEST_DAYS = 30.0


@dataclass(frozen=True)
class CountedVerdict:
    """A verdict that counts, or has to be taken back."""

    history_id: str
    size: str
    verdict: str
    day: float


def settings_of(config: HistoryConfig) -> str:
    """Return that of a config on which kept sums depend, as a store notes it.

    Raises:
        ConfigError: verdicts age so fast that the weights of a century are no numbers.
    """
    if config.half_life_days < _SHORTEST_DAYS:
        raise ConfigError(f"expected a half life of at least {_SHORTEST_DAYS:g} days, got {config.half_life_days:g}")
    return dumps({"half_life_days": config.half_life_days, "shopper_cap": config.shopper_cap})


def agreed(config: HistoryConfig | None, noted: str) -> HistoryConfig:
    """Return the config of a store whose note is given; without one of our own it is the store's.

    Raises:
        ConfigError: the store's sums were made with other settings.
    """
    theirs = replace(config or HistoryConfig(), **json.loads(noted))
    if config is not None and config != theirs:
        mend = "give the store's, or import its order lines into a new one"
        raise ConfigError(f"expected verdicts to age as they do in the store, {noted}, got {settings_of(config)}; {mend}")
    return theirs


def weight(day: float, half_life_days: float) -> float:
    """Return what a verdict of a day weighs, as seen from the fixed day."""
    return float(2.0 ** ((day - _ORIGIN) / half_life_days))


def seen_from(sums: npt.NDArray[np.float64], day: float, half_life_days: float) -> npt.NDArray[np.float64]:
    """Return sums of weights as counts as of a day; what rounding left below 0 is 0."""
    return np.maximum(sums / weight(day, half_life_days), 0.0)


def counted(lines: Iterable[OrderLine], cap: int) -> Counter[CountedVerdict]:
    """Return the verdicts that count of all lines of one customer on one garment, or of lines without a customer."""
    told = [(line, line.verdict) for line in lines if line.verdict]
    told.sort(key=lambda pair: (pair[0].day, pair[0].size, pair[1]))
    latest = told[-cap:] if told and told[0][0].customer else told
    return Counter(CountedVerdict(line.history_id, line.size, str(verdict), line.day) for line, verdict in latest)


class Changes:
    """What a number of lines change in the sums, gathered so that every sum is written once.

    `sums` is (history id, size) to [number of verdicts, weights of small, fit, large, numbers of small, fit, large].
    """

    def __init__(self, config: HistoryConfig) -> None:
        self._config = config
        self.sums: dict[tuple[str, str], list[float]] = {}

    def settle(self, before: Sequence[OrderLine], after: Sequence[OrderLine]) -> None:
        """Note that the lines of a customer on a garment were some and are now others."""
        old, new = counted(before, self._config.shopper_cap), counted(after, self._config.shopper_cap)
        for sign, verdicts in ((1, new - old), (-1, old - new)):
            for verdict, times in verdicts.items():
                sums = self.sums.setdefault((verdict.history_id, verdict.size), [0, 0.0, 0.0, 0.0, 0, 0, 0])
                sums[0] += sign * times
                share = sign * times * weight(verdict.day, self._config.half_life_days)
                place = FIT_CLASSES.index(verdict.verdict)
                sums[1 + place] += share
                sums[4 + place] += sign * times

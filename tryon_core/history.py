"""Fit history: dated events of how garments were found to fit, as counts at a moment; one module for fitting and serving.

An event's weight halves every `half_life_days`; of one shopper's events on one garment only the latest
`shopper_cap` count, so that nobody can outvote the others; events without a shopper's key all count. It keeps no names:
shoppers are opaque keys.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .batch import FIT_CLASSES
from .errors import ConfigError, InputError, expected_one_of
from .record import Effects

Counts = npt.NDArray[np.float64]
"""float64[3], decayed counts of small, fit, large."""
Key = tuple[str, ...]
"""("garment", id), ("garment_size", id, size) or ("shopper", key)."""


@dataclass(frozen=True)
class HistoryConfig:
    """How events age and how strongly few of them are drawn to the prior."""

    half_life_days: float = 180.0
    shopper_cap: int = 3
    """Events of one shopper on one garment that count, the latest first."""
    prior: tuple[float, float, float] = (0.134, 0.738, 0.128)
    """Shares of small, fit, large where nothing is known."""
    prior_count: float = 4.0
    """Events that the prior is worth."""

    def __post_init__(self) -> None:
        if not (0 < self.half_life_days < math.inf and self.shopper_cap >= 1 and 0 < self.prior_count < math.inf):
            raise ConfigError(f"expected half life, cap and prior count over 0, got {self}")
        if len(self.prior) != len(FIT_CLASSES) or not (min(self.prior) >= 0 and abs(sum(self.prior) - 1) <= 1e-6):
            raise ConfigError(f"expected a prior of three shares that sum to 1, got {self.prior}")


@dataclass(frozen=True)
class FitEvent:
    """One order line's verdict."""

    garment: str
    """The garment's id, or its style's, which colour variants share."""
    size: str
    shopper: str
    """An opaque key; empty where the order came without one."""
    fit: str
    """small, fit or large."""
    day: float
    """Days since any fixed moment; the same for all events of a history."""

    def __post_init__(self) -> None:
        if self.fit not in FIT_CLASSES:
            raise InputError(expected_one_of("fit", self.fit, FIT_CLASSES), "/fit")
        if not math.isfinite(self.day):
            raise InputError(f"expected a finite day, got {self.day}", "/day")


@dataclass(frozen=True)
class Verdicts:
    """How a garment, in whichever size, has turned out for those who have told."""

    aged: Counts
    """float64[3], decayed counts of small, fit, large."""
    shares: npt.NDArray[np.float32]
    """float32[3], their shares drawn to the prior."""
    tally: tuple[int, int, int] | None
    """The events behind them in whole numbers, none of them aged; None where some are known as decayed counts only."""


@dataclass
class History:
    """Counts per garment, garment in size, and shopper, which events are added to and taken from in any order."""

    config: HistoryConfig = field(default_factory=HistoryConfig)
    effects: Effects | None = None
    """What part `record` needs, where it was fitted."""
    _counts: dict[Key, tuple[float, Counts]] = field(default_factory=dict)
    _tallies: dict[Key, Counts] = field(default_factory=dict)
    _begun_from: set[Key] = field(default_factory=set)
    _events: dict[tuple[str, str], list[FitEvent]] = field(default_factory=lambda: defaultdict(list))

    def add(self, event: FitEvent) -> None:
        """Count an event; past the cap the shopper's oldest event on that garment stops counting."""
        events = self._events[event.garment, event.shopper]
        before = self._counted(events)
        events.append(event)
        events.sort(key=lambda e: (e.day, e.size, e.fit))
        self._settle(before, self._counted(events))

    def remove(self, event: FitEvent) -> None:
        """Take back an event that was added; an older one that the cap had silenced counts again.

        Raises:
            InputError: the event was never added.
        """
        events = self._events[event.garment, event.shopper]
        if event not in events:
            raise InputError(f"expected an event that was added, got {event}")
        before = self._counted(events)
        events.remove(event)
        self._settle(before, self._counted(events))

    def counts(self, key: Key, day: float) -> Counts:
        """Return float64[3], the decayed counts of small, fit, large for a key as of a day.

        Raises:
            InputError: the day is before the key's latest event, of which nothing was known then.
        """
        if key not in self._counts:
            return np.zeros(3)
        at, counts = self._counts[key]
        if day < at:
            raise InputError(f"expected a day from the latest event's, {at}, on, got {day}", "/day")
        return np.maximum(counts * self._decay(day - at), 0.0)

    def verdicts(self, garment: str, day: float) -> Verdicts:
        """Return how a garment has turned out as of a day.

        Raises:
            InputError: the day is before the garment's latest event.
        """
        key = ("garment", garment)
        aged = self.counts(key, day)
        small, fit, large = (int(count) for count in self._tallies.get(key, np.zeros(3)))
        return Verdicts(aged, self.smoothed(aged)[:3], None if key in self._begun_from else (small, fit, large))

    def counts_of(self, garments: Sequence[str], fits: Sequence[str], days_ago: Sequence[float]) -> Counts:
        """Return float64[3], the counts of one shopper's verdicts that are not kept here, as `add` and `counts` have them.

        Args:
            garments: N ids, of each verdict's garment; of equal ids the latest verdicts count, see `HistoryConfig`.
            fits: N times small, fit or large.
            days_ago: N ages, at least 0; of equal ones the later in the sequence is the later.
        """
        counts, counted = np.zeros(3), Counter[str]()
        for place in sorted(range(len(garments)), key=lambda n: (days_ago[n], -n)):
            if counted[garments[place]] < self.config.shopper_cap:
                counted[garments[place]] += 1
                counts[FIT_CLASSES.index(fits[place])] += self._decay(days_ago[place])
        return counts

    def features(
        self, garment: str, size: str, shopper: str | None, day: float, own: Counts | None = None
    ) -> npt.NDArray[np.float32]:
        """Return float32[12] in the order of `batch.HISTORY_FIELDS`, as of a day; the unknown gives the prior, count 0.

        Args:
            own: float64[3], the shopper's own counts where they come with a request, in place of those kept under a key.
        """
        keys: tuple[Key, ...] = (("garment", garment), ("garment_size", garment, size), ("shopper", shopper or ""))
        counts = [self.counts(key, day) for key in keys[: 2 if own is not None else 3]]
        return self.smoothed(np.stack(counts if own is None else [*counts, own])).reshape(-1)

    def rows(self, day: float) -> list[tuple[Key, Counts]]:
        """Return every garment's keys with counts as of a day; shoppers stay out, so that no checkpoint holds them."""
        return [(key, self.counts(key, day)) for key in sorted(self._counts) if key[0] != "shopper"]

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[tuple[Key, Counts]],
        day: float,
        config: HistoryConfig | None = None,
        effects: Effects | None = None,
        tallies: Mapping[str, tuple[int, int, int]] | None = None,
    ) -> History:
        """Return a history that starts from counts as of a day, as `rows` gave them.

        Args:
            tallies: the whole numbers of small, fit, large behind a garment's counts, where they are known.
        """
        history = cls(config or HistoryConfig(), effects)
        history._counts.update({key: (day, np.asarray(counts, dtype=np.float64)) for key, counts in rows})
        history._tallies.update({("garment", name): np.array(told, dtype=float) for name, told in (tallies or {}).items()})
        history._begun_from.update(history._counts.keys() - history._tallies.keys())
        return history

    def smoothed(self, counts: Counts) -> npt.NDArray[np.float32]:
        """Return float32[..., 4], the shares of small, fit, large drawn to the prior, and log(1 + count).

        Args:
            counts: float64[..., 3].
        """
        total = counts.sum(axis=-1, keepdims=True)
        shares = (counts + self.config.prior_count * np.array(self.config.prior)) / (total + self.config.prior_count)
        return np.concatenate([shares, np.log1p(total)], axis=-1).astype(np.float32)

    def _counted(self, events: list[FitEvent]) -> Counter[FitEvent]:
        named = bool(events) and bool(events[0].shopper)  # those who gave no key are not one person
        return Counter(events[-self.config.shopper_cap :] if named else events)

    def _settle(self, before: Counter[FitEvent], after: Counter[FitEvent]) -> None:
        for event, times in (after - before).items():
            self._count(event, float(times))
        for event, times in (before - after).items():
            self._count(event, -float(times))

    def _count(self, event: FitEvent, sign: float) -> None:
        one = np.zeros(3)
        one[FIT_CLASSES.index(event.fit)] = sign
        keys: tuple[Key, ...] = (("garment", event.garment), ("garment_size", event.garment, event.size))
        own: tuple[Key, ...] = (("shopper", event.shopper),) if event.shopper else ()  # nobody's orders are no one's taste
        for key in (*keys, *own):
            at, counts = self._counts.get(key, (event.day, np.zeros(3)))
            latest = max(at, event.day)
            moved = counts * self._decay(latest - at) + one * self._decay(latest - event.day)
            self._counts[key] = (latest, moved)
        garment = keys[0]
        self._tallies[garment] = self._tallies.get(garment, np.zeros(3)) + one

    def _decay(self, days: float) -> float:
        return float(0.5 ** (max(days, 0.0) / self.config.half_life_days))

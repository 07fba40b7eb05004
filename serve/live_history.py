"""Fit history as the store has it now: the counts of a request's garments, and a shopper's own lines.

What fitting left in the checkpoint seeds an empty store once; it answers for garments that the store knows nothing of.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tryon_core.errors import TryonError
from tryon_core.garment import Garment
from tryon_core.history import History, Key
from tryon_core.shopper import Owned

from .records import OrderLine, Told
from .store import Store

logger = logging.getLogger(__name__)
_DAY_S = 86_400.0
_CALENDAR = 10_957.0
"""2000-01-01, in days since 1970-01-01; a simulated shop's days count from its own opening."""


@dataclass(frozen=True)
class Seen:
    """What a request is scored with."""

    history: History
    """Of the request's garments."""
    day: float
    """As of which it counts, days since 1970-01-01 UTC."""
    own: tuple[Owned, ...]
    """What is known of the shopper's own garments, the latest last; `garment_id` is the style under which verdicts count."""
    missing: bool = False
    """Whether the store did not answer, so that this is what fitting left."""


class LiveHistory:
    """Asks the store for each request.

    Args:
        fitted: what the checkpoint has, and the day it stands at.
        clock: seconds since 1970-01-01 UTC.
    """

    def __init__(self, store: Store, fitted: tuple[History, float], clock: Callable[[], float] = time.time) -> None:
        self._store, self._fitted, self._clock = store, fitted, clock
        self._by_garment: dict[str, list[tuple[Key, npt.NDArray[np.float64]]]] = defaultdict(list)
        for key, counts in fitted[0].rows(fitted[1]):
            self._by_garment[key[1]].append((key, counts))

    async def seed(self) -> bool:
        """Let an empty store begin with what fitting found; return whether it was empty."""
        history, config = self._store.lines.history, self._fitted[0].config
        if (history.half_life_days, history.shopper_cap) != (config.half_life_days, config.shopper_cap):
            told = (
                "verdicts age with %s in the store, the model was fitted with %s: what it learnt of history fits less well"
            )
            logger.warning(told, history, config)
        day = self._since(self._clock() / _DAY_S)
        every = (row for rows in self._by_garment.values() for row in rows)
        rows = [(key[1], key[2], counts.tolist()) for key, counts in every if len(key) == 3]
        return await self._store.lines.seed(rows, day=day)

    async def of(self, garments: Sequence[Garment], owned: Sequence[Owned] = (), customer: str = "") -> Seen:
        """Return history as of now for garments.

        Args:
            owned: what the shopper tells of their own garments, the latest last; what is told of a garment in a size comes
                before what an order line says of it.
            customer: the hash under which the shopper's own order lines are kept; empty where unknown.
        """
        day, missing = self._clock() / _DAY_S, False
        names = list(dict.fromkeys(garment.history_id for garment in garments))
        try:
            known = await self._store.lines.told(names, day=day)
            own = await self._own(owned, customer, day)
        except TryonError as err:
            logger.warning("history is what fitting left: %s", err)
            known, own, missing = {}, tuple(owned), True
        return Seen(self._history(names, known, day), day, own, missing)

    def _history(self, names: Sequence[str], known: Mapping[tuple[str, str], Told], day: float) -> History:
        fitted, kept = self._fitted[0], self._store.lines.history
        config = replace(fitted.config, half_life_days=kept.half_life_days, shopper_cap=kept.shopper_cap)
        stored = {history_id for history_id, _ in known}
        faded = 0.5 ** ((day - self._since(day)) / kept.half_life_days)
        rows = dict(garment_rows(known))
        for name in names:
            rows |= {key: faded * own for key, own in self._by_garment.get(name, ())} if name not in stored else {}
        return History.from_rows(rows.items(), day, config, fitted.effects, tallies_of(known))

    def _since(self, day: float) -> float:
        """Return the day of the calendar at which what fitting left stands; without one, it stands at the given day."""
        return self._fitted[1] if _CALENDAR <= self._fitted[1] <= day else day

    async def _own(self, owned: Sequence[Owned], customer: str, day: float) -> tuple[Owned, ...]:
        ids = sorted({line.garment_id for line in owned if line.garment_id})
        known = await self._store.garments.get_many(ids) if ids else {}
        styles = {garment_id: record.history_id for garment_id, record in known.items()}
        told = [replace(line, garment_id=styles.get(line.garment_id, line.garment_id)) for line in owned]
        lines = await self._store.lines.of_customer(customer) if customer else []
        again = {(line.garment_id, line.size) for line in told if line.garment_id}
        ordered = [line for line in owned_of(lines, day) if (line.garment_id, line.size) not in again]
        return tuple(sorted([*ordered, *told], key=lambda line: -line.days_ago))


def owned_of(lines: Iterable[OrderLine], day: float) -> list[Owned]:
    """Return a customer's order lines as garments that they have had, the latest last; lines that say nothing are left out.

    Args:
        day: now, in days since 1970-01-01.
    """
    told = [(line, line.verdict) for line in lines if line.verdict]
    told.sort(key=lambda pair: (pair[0].day, pair[0].size, pair[1]))
    return [Owned(line.size, line.history_id, fit=str(verdict), days_ago=max(0.0, day - line.day)) for line, verdict in told]


def garment_rows(known: Mapping[tuple[str, str], Told]) -> Mapping[Key, npt.NDArray[np.float64]]:
    """Return counts by garment and size under history's keys, and each garment's own, which is their sum."""
    rows: dict[Key, npt.NDArray[np.float64]] = {}
    for (history_id, size), own in known.items():
        rows["garment_size", history_id, size] = own.aged
        garment: Key = ("garment", history_id)
        rows[garment] = rows.get(garment, np.zeros(3)) + own.aged
    return rows


def tallies_of(known: Mapping[tuple[str, str], Told]) -> dict[str, tuple[int, int, int]]:
    """Return each garment's whole numbers of small, fit, large over its sizes, where all of them are known."""
    found: dict[str, npt.NDArray[np.int64] | None] = {}
    for (history_id, _), own in known.items():
        before = found.get(history_id, np.zeros(3, dtype=np.int64))
        found[history_id] = None if before is None or own.tally is None else before + own.tally
    return {name: (int(told[0]), int(told[1]), int(told[2])) for name, told in found.items() if told is not None}

"""How much a caller may ask for a minute, over all replicas together. It knows neither keys nor addresses, only their names.

A counter slides: of the minute before counts the share that the last sixty seconds still cover. In any stretch of T seconds
no more than limit × (1 + T/60) is let through, as by a bucket that holds one minute's worth. Replicas take units in lots
from the counters that they share, so that most requests ask nobody. What a replica has taken and not used is lost with the
minute: together they let through less than the limit, by a lot each at most, and never more.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tryon_core.errors import TryonError

from .records import Window
from .store import Counters

logger = logging.getLogger(__name__)
WINDOW_S = 60.0
_LOTS = 100
"""Lots in a limit."""
_METERS = 50_000
"""Callers that one replica remembers."""
_WITHIN_S = 0.25
_BREAK_S = 5.0
_SLACK = 1e-6
"""Of a unit, for what fractions of minutes are rounded by."""


class LocalCounters:
    """Counters that only this process sees; of the buckets, those used last."""

    def __init__(self) -> None:
        self._windows: OrderedDict[str, tuple[int, Window]] = OrderedDict()

    async def increment(self, bucket: str, window_s: float, by: float = 1.0, *, now: float) -> Window:
        """Add to a bucket's count."""
        number, elapsed = divmod(now / window_s, 1.0)
        at, known = self._windows.pop(bucket, (int(number), Window(0.0, 0.0, elapsed)))
        if at < number:
            known = Window(0.0, known.count if at == number - 1 else 0.0, elapsed)
        window = Window(known.count + by, known.previous, elapsed)
        self._windows[bucket] = (int(number), window)
        if len(self._windows) > _METERS:
            self._windows.popitem(last=False)
        return window


class FallbackCounters:
    """Shared counters, and own ones for a while after those have failed; then the limit is one of each replica.

    Args:
        shared: returns them, or raises where they cannot be had.
    """

    def __init__(
        self, shared: Callable[[], Awaitable[Counters]], own: Counters, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared, self._own, self._clock = shared, own, clock
        self._closed_until = -math.inf

    async def increment(self, bucket: str, window_s: float, by: float = 1.0, *, now: float) -> Window:
        """Add to a bucket's shared count where they answer in time, else to its own."""
        if self._clock() >= self._closed_until:
            try:
                async with asyncio.timeout(_WITHIN_S):
                    return await (await self._shared()).increment(bucket, window_s, by, now=now)
            except (TryonError, OSError) as err:  # a timeout is an OSError
                self._closed_until = self._clock() + _BREAK_S
                logger.warning("limits are each replica's own for %.0f s: %s", _BREAK_S, type(err).__name__)
        return await self._own.increment(bucket, window_s, by, now=now)


@dataclass(frozen=True)
class Limit:
    """So many units of something a minute."""

    unit: str
    """requests or garments."""
    num: int


@dataclass(frozen=True)
class Standing:
    """What is left of a limit."""

    limit: Limit
    remaining: int
    """Units that may be asked for now, as far as this replica knows."""
    reset_s: int
    """Until the minute is over."""
    wait_s: int = 0
    """Until what was asked for would be the caller's, if they ask for nothing meanwhile; 0 where it is theirs."""


class Meter:
    """One caller's use of one limit, as one replica knows it.

    Args:
        name: of the counters.
        clock: seconds since the epoch: replicas have to agree on which minute it is.
    """

    def __init__(self, name: str, limit: Limit, counters: Counters, clock: Callable[[], float]) -> None:
        self._name, self._limit, self._counters, self._clock = name, limit, counters, clock
        self._minute = -1
        self._before, self._taken, self._lot = 0, 0, 0

    async def take(self, by: int) -> float:
        """Use units; return 0, or for how many seconds there are not enough of them.

        Args:
            by: at most the limit.
        """
        await self._turn()
        while by > self._lot:
            missing, free = by - self._lot, self._free()
            if missing > free + _SLACK:
                return self._wait_s(by)
            await self._fetch(max(missing, min(int(free), self._limit.num // _LOTS)))
            await self._turn()
        self._lot -= by
        return 0.0

    def standing(self, wait_s: float) -> Standing:
        """Return what is left."""
        remaining = max(0, self._lot + math.floor(self._free()))
        return Standing(self._limit, remaining, math.ceil(WINDOW_S - self._clock() % WINDOW_S), math.ceil(wait_s))

    async def _turn(self) -> None:
        """Begin another minute if it is time."""
        now = self._clock()
        minute = int(now // WINDOW_S)
        if minute == self._minute:
            return
        window = await self._counters.increment(self._name, WINDOW_S, 0, now=now)
        if minute > self._minute:  # no other request was faster
            before = min(_whole(window.previous), self._limit.num)
            self._minute, self._before, self._taken, self._lot = minute, before, _whole(window.count), 0

    async def _fetch(self, num: int) -> None:
        """Take units from the shared counter: all of them, or as many as there are."""
        now, minute = self._clock(), self._minute
        window = await self._counters.increment(self._name, WINDOW_S, num, now=now)
        if minute != self._minute or minute != now // WINDOW_S:
            return  # they were of another minute
        granted = min(num, math.floor(self._limit.num - self._weight() - (_whole(window.count) - num) + _SLACK))
        self._taken = max(self._taken, _whole(window.count))
        self._lot += max(0, granted)

    def _free(self) -> float:
        """Return how many units nobody has taken, as far as is known here: not more than that."""
        return self._limit.num - self._weight() - self._taken

    def _weight(self) -> float:
        """Return the units of the last minute that still count."""
        return self._before * max(0.0, 1 - (self._clock() / WINDOW_S - self._minute))

    def _wait_s(self, by: int) -> float:
        """Return how long it takes until units are free if nobody takes any: in this minute, or in the next one."""
        num, begun = self._limit.num, self._minute * WINDOW_S
        room = num - (by - self._lot) - self._taken
        if room >= 0:
            end = begun + WINDOW_S * (1 - (room / self._before if self._before else 1))
        else:
            end = begun + WINDOW_S * (2 - max(0.0, min(1.0, (num - by) / min(self._taken, num))))
        return max(1.0, end - self._clock())


def _whole(count: float) -> int:
    return math.ceil(count - _SLACK)


class Limits:
    """All callers' meters.

    Args:
        counters: shared by the replicas.
        secret: key of the digests by which callers are called in the counters, so that no address stands there.
        clock: seconds since the epoch.
    """

    def __init__(self, counters: Counters, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._counters, self._secret, self._clock = counters, secret, clock
        self._meters: OrderedDict[tuple[str, Limit], Meter] = OrderedDict()

    async def take(self, caller: str, limit: Limit, by: int) -> Standing:
        """Use units of a caller's share, all or none; return what is left.

        Args:
            by: at most the limit.
        """
        meter = self._meter(caller, limit)
        return meter.standing(await meter.take(by))

    def _meter(self, caller: str, limit: Limit) -> Meter:
        found = self._meters.get((caller, limit))
        if found is None:
            digest = hashlib.blake2b(caller.encode(), key=self._secret[:64], digest_size=16, person=b"tryon-limits")
            name = f"limit:{limit.unit}:{digest.hexdigest()}"
            found = self._meters[caller, limit] = Meter(name, limit, self._counters, self._clock)
        self._meters.move_to_end((caller, limit))
        while len(self._meters) > _METERS:
            self._meters.popitem(last=False)
        return found

"""How many who ordered a garment in a size kept it: everybody, and shoppers similar to the one who asks.

Similar are those whose height and weight, as they were told or predicted when the size was advised to them and rounded to
5 cm and 5 kg, are each within one step of the asking shopper's, rounded the same. Of one customer's orders of a garment in a
size the latest counts. It holds no keys: of every order only whether it was kept, and those two rounded numbers.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tryon_core.batch import TOLD_FIELDS
from tryon_core.garment import Garment
from tryon_core.told import told

logger = logging.getLogger(__name__)
STEP = 5.0
"""cm, kg: what heights and weights are rounded to where they are kept."""
MOST_ORDERS = 2000
"""Of a garment in a size that are looked at, the latest."""
ENOUGH = 10
"""Orders from which on a rate is told: the standard error of a share of ten is 16 points at most, and of ten nobody can tell
what one did."""


@dataclass(frozen=True)
class OrderOutcome:
    """What became of an order line."""

    kept: bool
    customer: str = ""
    """An opaque key; empty where the order came without one."""
    height_cm: float | None = None
    """Of the shopper when the size was advised, rounded to `STEP`; None where no advice is on record."""
    weight_kg: float | None = None


class Orders(Protocol):
    """Where order lines are."""

    async def outcomes(self, style: str, size: str, most: int) -> Sequence[OrderOutcome]:
        """Return what became of the orders of a style in a size, the latest first, `most` at most.

        Raises:
            TryonError: they cannot be read now.
        """
        ...


@dataclass(frozen=True)
class Peers:
    """Whose orders are asked for: of one style in one size, by shoppers like this one."""

    style: str
    """`Garment.history_id`."""
    size: str
    height_cm: float = math.nan
    weight_kg: float = math.nan


@dataclass(frozen=True)
class Kept:
    """How many kept what they had ordered."""

    count: int
    total: int
    similar: bool
    """Whether they are shoppers similar to the one who asked, or all."""


class KeptSource(Protocol):
    """What knows how many kept what they had ordered: `KeptRates`, say."""

    async def rates(self, asked: Sequence[Peers]) -> list[Kept | None]:
        """Return a rate for each; None where there are too few orders.

        Raises:
            TryonError: the orders cannot be read now.
        """
        ...


@dataclass(frozen=True)
class _Orders:
    kept: npt.NDArray[np.bool_]
    body: npt.NDArray[np.float64]
    """float64[N, 2], rounded height and weight, NaN unknown."""
    until: float


class KeptRates:
    """Counts orders that it reads from a store and remembers for a while.

    Args:
        wait_s: how long an answer waits for what is not remembered.
        ttl_s: how long it is remembered.
        entries: garments in sizes that are remembered.
        clock: seconds.
    """

    def __init__(
        self,
        orders: Orders,
        *,
        wait_s: float = 0.02,
        ttl_s: float = 60.0,
        entries: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._orders, self._wait_s, self._ttl_s, self._entries, self._clock = orders, wait_s, ttl_s, entries, clock
        self._known: OrderedDict[tuple[str, str], _Orders] = OrderedDict()
        self._reading: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def rates(self, asked: Sequence[Peers]) -> list[Kept | None]:
        """Return a rate for each, of similar shoppers where there are enough, else of all; None where there are too few.

        What is not read within `wait_s` is None as well, and read on for those who ask next.

        Raises:
            TryonError: the orders cannot be read now.
        """
        keys = {(peers.style, peers.size) for peers in asked}
        reading = [self._read(key) for key in keys if not self._is_known(key)]
        if reading:
            done, _ = await asyncio.wait(reading, timeout=self._wait_s)
            for task in done:
                task.result()
        return [self._rate(peers) for peers in asked]

    def forget(self) -> None:
        """Forget every order, as after a shopper's were deleted."""
        self._known.clear()

    def _is_known(self, key: tuple[str, str]) -> bool:
        return key in self._known and self._known[key].until > self._clock()

    def _read(self, key: tuple[str, str]) -> asyncio.Task[None]:
        if key not in self._reading:
            context = contextvars.Context()  # it outlives the request that began it
            task = asyncio.get_running_loop().create_task(self._remember(key), context=context)
            task.add_done_callback(lambda done: self._was_read(key, done), context=context)
            self._reading[key] = task
        return self._reading[key]

    async def _remember(self, key: tuple[str, str]) -> None:
        lines = _latest(await self._orders.outcomes(*key, MOST_ORDERS))
        body = [[math.nan if value is None else value for value in (line.height_cm, line.weight_kg)] for line in lines]
        kept = np.array([line.kept for line in lines], dtype=bool)
        self._known[key] = _Orders(kept, np.array(body, dtype=np.float64).reshape(-1, 2), self._clock() + self._ttl_s)
        self._known.move_to_end(key)
        while len(self._known) > self._entries:
            self._known.popitem(last=False)

    def _was_read(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        self._reading.pop(key, None)
        if not task.cancelled() and (failed := task.exception()) is not None:
            logger.warning("orders of earlier shoppers were not read: %s", failed)

    def _rate(self, peers: Peers) -> Kept | None:
        known = self._known.get((peers.style, peers.size))
        if known is None:
            return None
        own = rounded(np.array([peers.height_cm, peers.weight_kg]))
        near = known.kept[(np.abs(known.body - own) <= STEP).all(axis=1)]  # NaN is near to nothing
        for kept, similar in ((near, True), (known.kept, False)):
            if len(kept) >= ENOUGH:
                return Kept(int(kept.sum()), len(kept), similar)
        return None


def peers_of(pairs: Sequence[tuple[Garment, int]], words: str | None, body: Mapping[str, float]) -> list[Peers]:
    """Return whose orders to ask for, for garments in one of their sizes each.

    Args:
        words: what the shopper tells; a height and a weight in them are taken as they are.
        body: the shopper's predicted measurements, where anything is known of the shopper.
    """
    own = dict(zip(TOLD_FIELDS, map(float, told([words or ""])[0]), strict=True))
    named = (("told_height_cm", "height_cm"), ("told_weight_kg", "weight_kg"))
    height, weight = (body.get(name, math.nan) if math.isnan(own[said]) else own[said] for said, name in named)
    return [Peers(garment.history_id, garment.sizes[place].label, height, weight) for garment, place in pairs]


def rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return heights and weights in steps of `STEP`, halves up, as they are kept beside advice."""
    return np.floor(values / STEP + 0.5) * STEP


def _latest(lines: Sequence[OrderOutcome]) -> list[OrderOutcome]:
    """Return the first line of each customer, and all of those who gave no key."""
    seen, kept = set[str](), []
    for line in lines:
        if not line.customer or line.customer not in seen:
            kept.append(line)
        seen.add(line.customer)
    return kept

"""Shoppers that a replica holds in memory, and the log of deletions by which it forgets them at once.

A deletion is answered when every replica has forgotten, or after `forget_within_s`; a replica that has not been able to
read the log for so long holds nobody any more. So after the answer no replica does.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from .errors import StoreError
from .shopper_parts import Kept
from .store import Tombstones

logger = logging.getLogger(__name__)
_MOST = 4096
"""Shoppers held, of a few kB each."""
_HEARTBEAT_S = 10.0
_LIVE_S = 3 * _HEARTBEAT_S
"""A replica that has told nothing for so long is gone, and no deletion waits for it."""
_SWEEP_S = 60.0
_REMEMBERED_S = 120.0
"""How long a deleted shopper's id is known, so that a request under way cannot bring them back: longer than any lasts."""


class ShopperMemory:
    """Least recently used shoppers of this process.

    Args:
        forget_within_s: how long a deletion waits at most for other replicas.
    """

    def __init__(self, tombstones: Tombstones, forget_within_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._tombstones, self._within_s, self._clock = tombstones, forget_within_s, clock
        self._name, self._number = secrets.token_hex(8), 0
        self._held: OrderedDict[str, Kept] = OrderedDict()
        self._gone: OrderedDict[str, float] = OrderedDict()
        self._read_at = self._told_at = self._swept_at = -math.inf

    def get(self, shopper_id: str, *, now: float) -> Kept | None:
        """Return a shopper who is held, has not expired and, as far as the log tells, is not deleted."""
        self._forget_where_cut_off()
        kept = self._held.get(shopper_id)
        if kept is None:
            return None
        if _is_over(kept, now):
            del self._held[shopper_id]
            return None
        self._held.move_to_end(shopper_id)
        return kept

    def put(self, kept: Kept) -> None:
        """Hold a shopper, unless they are deleted or the log is out of reach."""
        self._forget_where_cut_off()
        if self._clock() - self._read_at > self._within_s or kept.told.id in self._gone:
            return
        self._held[kept.told.id] = kept
        self._held.move_to_end(kept.told.id)
        if len(self._held) > _MOST:
            self._held.popitem(last=False)

    def forget(self, shopper_ids: Sequence[str]) -> None:
        """Hold these no more, and not again either."""
        now = self._clock()
        for shopper_id in shopper_ids:
            self._held.pop(shopper_id, None)
            self._gone[shopper_id] = now
        while self._gone and next(iter(self._gone.values())) < now - _REMEMBERED_S:
            self._gone.popitem(last=False)

    async def read_log(self, *, now: float) -> None:
        """Forget whoever was deleted since the last time, and tell the store so.

        Raises:
            StoreError: the log cannot be read.
        """
        began = self._clock()
        deleted, number = await self._tombstones.since(self._number)
        self.forget(deleted)
        self._read_at = began
        if number != self._number or began - self._told_at > _HEARTBEAT_S:
            await self._tombstones.acknowledge(self._name, number, now=now)
            self._number, self._told_at = number, began

    async def follow(self) -> None:
        """Read the log again and again until cancelled."""
        cut_off = False
        while True:
            self._sweep(now=time.time())
            try:
                await self.read_log(now=time.time())
                cut_off = False
            except StoreError as err:
                self._forget_where_cut_off()
                if not cut_off:
                    logger.warning("the log of deleted shoppers cannot be read, so none is held in memory: %s", err)
                cut_off = True
            await asyncio.sleep(self._within_s / 8)

    async def wait_until_forgotten(self, number: int) -> bool:
        """Return whether all replicas have forgotten up to a number of the log within the time that may take."""
        until = self._clock() + self._within_s
        while True:
            await self.read_log(now=time.time())
            reached = await self._tombstones.reached(now=time.time(), live_s=_LIVE_S)
            if reached is None or reached >= number:
                return True
            if self._clock() >= until:
                return False
            await asyncio.sleep(self._within_s / 40)

    def _sweep(self, *, now: float) -> None:
        """Now and then, forget those whose time is over, or whose photo's is, though nobody asks for them."""
        if self._clock() - self._swept_at < _SWEEP_S:
            return
        self._swept_at = self._clock()
        for shopper_id in [own for own, kept in self._held.items() if _is_over(kept, now)]:
            del self._held[shopper_id]

    def _forget_where_cut_off(self) -> None:
        if self._held and self._clock() - self._read_at > self._within_s:
            self._held.clear()


def _is_over(kept: Kept, now: float) -> bool:
    return kept.told.expires_at <= now or (kept.seen is not None and kept.seen.expires_at <= now)

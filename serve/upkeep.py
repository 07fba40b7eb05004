"""What a store needs now and then, in the background of every ingress: purging what has expired, sweeping pictures."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from tryon_core.errors import TryonError

from .blobs import Blobs
from .store import Store

logger = logging.getLogger(__name__)
_EVERY_S = 60.0
_SWEEP_EVERY_S = 3600.0
_KEPT_UNUSED_S = 24 * 3600.0
"""A picture that no garment has: it may be that its garment is still on its way."""


class Upkeep:
    """Looks after one store. Several may look after the same one: each does what is left to do.

    Args:
        every_s: between two purges.
        clock: seconds since 1970.
    """

    def __init__(
        self, store: Store, blobs: Blobs, *, every_s: float = _EVERY_S, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._blobs, self._every_s, self._clock = store, blobs, every_s, clock
        self._swept_at = clock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End, after what is being done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def once(self) -> None:
        """Do what is to be done now; a store that does not answer is asked again the next time."""
        now = self._clock()
        try:
            await self._store.shoppers.purge(now=now)
            if now - self._swept_at >= _SWEEP_EVERY_S:
                self._swept_at = now
                num = await self._blobs.sweep(self._store.garments.images_in_use, before=now - _KEPT_UNUSED_S)
                logger.info("removed %d pictures that no garment has", num)
        except TryonError as err:
            logger.warning("upkeep of the store is put off: %s", err)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s * random.uniform(0.8, 1.2))  # not all replicas at the same time
            await self.once()

"""A store that is opened when it is first needed, once, and again where that failed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tryon_core.errors import TryonError

from .store import Counters, Keys, Store, open_store


class Opening:
    """Opens a store.

    Args:
        url: as `store.open_store` takes it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._task: asyncio.Task[Store] | None = None

    async def store(self) -> Store:
        """Return the store.

        Raises:
            ConfigError: it is not fit to keep things.
            StoreError: it does not answer.
        """
        if self._task is None or (self._task.done() and (self._task.cancelled() or self._task.exception() is not None)):
            self._task = asyncio.create_task(open_store(self._url))
        return await asyncio.shield(self._task)  # who has no time to wait leaves it to the next

    async def keys(self) -> Keys:
        """Return the store's keys; raises as `store` does."""
        return (await self.store()).keys

    async def counters(self) -> Counters:
        """Return the store's counters; raises as `store` does."""
        return (await self.store()).counters

    async def close(self) -> None:
        """Let go of the store."""
        task, self._task = self._task, None
        if task is not None:
            with suppress(TryonError):
                await (await task).close()

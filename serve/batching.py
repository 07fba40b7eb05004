"""Micro-batches, formed where requests arrive and closed when a caller's slot is free, never by a timer.

While all slots are busy, items gather; a freed slot takes as many as one call may carry. Under light load an item
leaves at once; under heavy load batches fill by themselves (Crankshaw et al., Clipper, 2017, call it adaptive batching).
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from .errors import OverloadedError, UnavailableError

T = TypeVar("T")
R = TypeVar("R")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """Bounds of one stage as one caller sees it."""

    items: int
    """Items in one call."""
    bytes: int = 3 * 2**20
    """Bytes in one call, below the 4 MiB of a gRPC message; an item above it travels alone, under `config.fast_flags`."""
    slots: int = 2
    """Calls open at once: one at work, one under way."""
    queued: int = 512
    """Items that may wait."""
    seconds: float = 30.0
    """Longest life of a call; then it is given up, and its slot is free."""


@dataclass
class _Waiting(Generic[T, R]):
    item: T
    size: int
    result: asyncio.Future[R]
    waited: Callable[[float], None]
    since: float


class Batcher(Generic[T, R]):
    """Gathers single items into calls.

    Args:
        call: takes a batch and returns a result per item; an exception in place of a result fails that item alone.
        size_of: an item's bytes on the wire.
        observe: told every batch's number of items.
    """

    def __init__(
        self,
        call: Callable[[list[T]], Awaitable[Sequence[R | Exception]]],
        limits: Limits,
        *,
        size_of: Callable[[T], int] = lambda item: 0,
        observe: Callable[[int], None] = lambda items: None,
    ) -> None:
        self._call, self._limits, self._size_of, self._observe = call, limits, size_of, observe
        self._queue: deque[_Waiting[T, R]] = deque()
        self._open: set[asyncio.Task[None]] = set()

    @property
    def num_waiting(self) -> int:
        """Items that wait for a free slot and whose callers are still there."""
        return sum(not waiting.result.done() for waiting in self._queue)

    async def submit(self, item: T, waited: Callable[[float], None] = lambda ms: None) -> R:
        """Return the item's own result.

        Args:
            waited: told the ms that the item waited for a free slot.

        Raises:
            OverloadedError: too many items wait already.
            UnavailableError: the call took too long, or ended without a result for each item.
            Exception: whatever the call gave for this item, or raised.
        """
        if len(self._queue) >= self._limits.queued:
            self._queue = deque(waiting for waiting in self._queue if not waiting.result.done())  # some callers have gone
        if len(self._queue) >= self._limits.queued:
            raise OverloadedError(f"expected at most {self._limits.queued} items to wait, got one more")
        loop = asyncio.get_running_loop()
        waiting: _Waiting[T, R] = _Waiting(item, self._size_of(item), loop.create_future(), waited, loop.time())
        self._queue.append(waiting)
        self._start()
        return await waiting.result

    def _start(self) -> None:
        while self._queue and len(self._open) < self._limits.slots:
            batch = self._next_batch()
            if not batch:
                return
            # A batch belongs to nobody: in one request's context, Serve would cancel it as soon as that request ends.
            context = contextvars.Context()
            task = asyncio.get_running_loop().create_task(self._run(batch), context=context)
            self._open.add(task)
            task.add_done_callback(self._closed, context=context)
            self._watch(task, batch, context)

    def _watch(self, task: asyncio.Task[None], batch: Sequence[_Waiting[T, R]], context: contextvars.Context) -> None:
        """Give up a call once all its callers have gone."""

        def left(_: asyncio.Future[R]) -> None:
            if all(waiting.result.cancelled() for waiting in batch):
                task.cancel()

        for waiting in batch:
            waiting.result.add_done_callback(left, context=context)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        self._start()

    def _next_batch(self) -> list[_Waiting[T, R]]:
        batch: list[_Waiting[T, R]] = []
        total = 0
        while self._queue and len(batch) < self._limits.items:
            first = self._queue[0]
            if first.result.done():  # its caller has gone
                self._queue.popleft()
                continue
            if batch and total + first.size > self._limits.bytes:
                break
            total += first.size
            batch.append(self._queue.popleft())
        return batch

    async def _run(self, batch: list[_Waiting[T, R]]) -> None:
        try:
            results = await self._results(batch)
        except (Exception, asyncio.CancelledError) as err:
            logger.debug("a call of %d items failed", len(batch), exc_info=True)
            # Told to every caller, so that none waits on.
            lost = UnavailableError("the stage's call was cancelled") if isinstance(err, asyncio.CancelledError) else err
            results = [lost] * len(batch)
        for waiting, result in zip(batch, results, strict=True):
            _settle(waiting.result, result)

    async def _results(self, batch: list[_Waiting[T, R]]) -> Sequence[R | Exception]:
        self._observe(len(batch))
        now = asyncio.get_running_loop().time()
        for waiting in batch:
            waiting.waited(1000 * (now - waiting.since))
        try:
            async with asyncio.timeout(self._limits.seconds) as limit:
                results = await self._call([waiting.item for waiting in batch])
        except TimeoutError as err:
            if not limit.expired():
                raise
            raise UnavailableError(f"expected the stage to answer within {self._limits.seconds:g} s, got nothing") from err
        if len(results) != len(batch):
            raise UnavailableError(f"expected {len(batch)} results, got {len(results)}")
        return results


def _settle(future: asyncio.Future[R], result: R | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)

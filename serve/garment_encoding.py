"""Encodes in the background what the catalogue lacks: after imports, and after a change of model.

Replicas take turns by a counter that they share, so that each garment is encoded by one of them. What was encoded is kept
page by page, so that whoever goes on after a restart goes on there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tryon_core.errors import TryonError

from .errors import OverloadedError
from .features import Asset, Features
from .garment_features import GarmentFeatures, Lacking, garment_parts
from .metrics import Timings
from .wire import Feature

logger = logging.getLogger(__name__)
_TURN_S = 5.0
_PAGE = 64
_PAUSE_S = 0.5
_BUCKET = "garment-encoding"


class GarmentEncoding:
    """The background work of one ingress.

    Args:
        service: the ingress: its store, recommender and settings.
        clock: seconds since 1970.
    """

    def __init__(self, service: Any, own: GarmentFeatures, clock: Callable[[], float] = time.time) -> None:
        self._service, self._own, self._clock = service, own, clock
        self._wake, self._until, self._stopped = asyncio.Event(), 0.0, False
        self._slots = asyncio.Semaphore(service.settings.encode_slots)

    def wake(self) -> None:
        """Look at once whether something lacks: for those who have written garments."""
        self._wake.set()

    def stop(self) -> None:
        """End `run` after what it is at: for an ingress that closes before its application ends."""
        self._stopped = True
        self._wake.set()

    async def run(self) -> None:
        """Encode what lacks until stopped or cancelled, now and whenever woken or a while has passed."""
        while not self._stopped:
            self._wake.clear()
            try:
                await self.once()
            except (TryonError, RuntimeError) as err:
                logger.warning("encoding of the catalogue pauses: %s", err)
                await asyncio.sleep(_TURN_S)
                continue
            try:
                await asyncio.wait_for(self._wake.wait(), self._service.settings.encode_every_s)
            except TimeoutError:
                continue

    async def once(self) -> int:
        """Encode all that lacks under the present model; return how many parts this ingress has encoded.

        Raises:
            StoreError: the store does not answer.
            UnavailableError: an encoder is not there or serves another model.
        """
        features: Features = self._service.recommender.features
        return sum([await self._part(part, features) for part in garment_parts(features)])

    async def _part(self, part: str, features: Features) -> int:
        encoder, _ = features.encoder(part)
        done, cursor = 0, ""
        while True:
            await self._turn()
            records, cursor = await self._service.store.embeddings.lacking(part, encoder, cursor, _PAGE)
            lacking = [Lacking(record, part) for record in records]
            made, failed = await self._own.made(lacking, features, partial(self._encode, features))
            done += len(made)
            if failed is not None:
                raise failed
            if not cursor:
                return done

    async def _turn(self) -> None:
        """Return once it is this replica's turn; a turn is the first's who asks in each few seconds."""
        while (now := self._clock()) >= self._until:
            window = await self._service.store.counters.increment(_BUCKET, _TURN_S, now=now)
            left = (1 - window.elapsed) * _TURN_S
            if window.count <= 1:
                self._until = now + left
                return
            await asyncio.sleep(left + 0.01)

    async def _encode(self, features: Features, asset: Asset) -> Feature:
        """Return what an encoder says, beside what requests wait for: few at a time, and again where it is busy."""
        async with self._slots:
            while True:
                try:
                    return await features.encode(asset, Timings())
                except OverloadedError:
                    await asyncio.sleep(_PAUSE_S)

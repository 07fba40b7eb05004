"""The feature cache: a byte-bounded local tier before an optional Redis tier; losing either changes no answer.

A key is (part, encoder fingerprint, keyed content hash) and a value what the encoder said. A personal part (a photo's
silhouette) stays in the local tier, for minutes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from .wire import Feature

logger = logging.getLogger(__name__)
_ENTRY_OVERHEAD = 200
_BREAK_S = 1.0
_CONNECTIONS = 16


@dataclass(frozen=True)
class CacheKey:
    """The name of a feature and how it may be kept."""

    name: str
    dim: int
    """Length of the embedding; a value of another length is no value."""
    personal: bool = False
    """Kept in this process only, and for `photo_ttl_s` only."""


class SharedTier(Protocol):
    """A cache that other processes see."""

    async def get(self, names: Sequence[str]) -> list[bytes | None]:
        """Return the values, None where unknown; never raises."""
        ...

    async def put(self, values: Mapping[str, bytes]) -> None:
        """Keep values; never raises."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class LocalTier:
    """Least recently used features of this process, bounded in bytes, each with an end of life."""

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes, self._clock = max_bytes, clock
        self._entries: OrderedDict[str, tuple[Feature, float, int]] = OrderedDict()
        self.num_bytes = 0

    def get(self, name: str) -> Feature | None:
        """Return a feature that is known and alive."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        if entry[1] < self._clock():
            self._drop(name)
            return None
        self._entries.move_to_end(name)
        return entry[0]

    def put(self, name: str, feature: Feature, ttl_s: float) -> None:
        """Keep a feature, at the cost of those unused for longest."""
        self._drop(name)
        size = _ENTRY_OVERHEAD + len(name) + (0 if feature.embedding is None else feature.embedding.nbytes)
        self._entries[name] = (feature, self._clock() + ttl_s, size)
        self.num_bytes += size
        while self.num_bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        self.num_bytes -= entry[2] if entry else 0


class RedisTier:
    """A Redis that may be slow, full, read-only or gone: then it is as if it were empty, and it is left alone a while."""

    def __init__(self, url: str, *, timeout_ms: float, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        timeout_s = timeout_ms / 1000
        pool = redis_asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = redis_asyncio.Redis.from_pool(pool)
        self._timeout_s = timeout_s
        self._ttl_ms, self._clock, self._closed_until = int(ttl_s * 1000), clock, 0.0

    async def get(self, names: Sequence[str]) -> list[bytes | None]:
        """Return the values by one MGET."""
        if not names or self._clock() < self._closed_until:
            return [None] * len(names)
        try:
            async with asyncio.timeout(self._timeout_s):
                values = await self._redis.mget(list(names))
        except (RedisError, OSError, TimeoutError) as err:
            self._break(err)
            return [None] * len(names)
        return [value if isinstance(value, bytes) else None for value in values]

    async def put(self, values: Mapping[str, bytes]) -> None:
        """Keep values by one pipeline."""
        if not values or self._clock() < self._closed_until:
            return
        try:
            async with asyncio.timeout(self._timeout_s), self._redis.pipeline(transaction=False) as pipeline:
                for name, value in values.items():
                    pipeline.set(name, value, px=self._ttl_ms)
                await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as err:
            self._break(err)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _break(self, err: Exception) -> None:
        self._closed_until = self._clock() + _BREAK_S
        logger.warning("shared cache left alone for %.0f s: %s", _BREAK_S, err)


class FeatureCache:
    """Both tiers as one.

    Args:
        count: told (tier, hit or miss, how many) of every look-up.
    """

    def __init__(
        self,
        local: LocalTier,
        shared: SharedTier | None,
        *,
        ttl_s: float,
        photo_ttl_s: float,
        count: Callable[[str, str, int], None] = lambda tier, outcome, num: None,
    ) -> None:
        self._local, self._shared, self._count = local, shared, count
        self._ttl_s, self._photo_ttl_s = ttl_s, photo_ttl_s

    async def get(self, keys: Sequence[CacheKey]) -> dict[CacheKey, Feature]:
        """Return the features that are known, by one look-up in each tier."""
        found = {key: feature for key in keys if (feature := self._local.get(key.name)) is not None}
        self._count_lookups("local", len(found), len(keys))
        asked = [key for key in keys if key not in found and not key.personal]
        if self._shared is None or not asked:
            return found
        values = await self._shared.get([key.name for key in asked])
        shared = 0
        for key, value in zip(asked, values, strict=True):
            feature = Feature.from_bytes(value, key.dim) if isinstance(value, bytes) else None
            if feature is not None:
                shared += 1
                found[key] = feature
                self._local.put(key.name, feature, self._ttl_s)
        self._count_lookups("shared", shared, len(asked))
        return found

    async def put(self, features: Mapping[CacheKey, Feature]) -> None:
        """Keep features: all in this process, those that are not personal in the shared tier."""
        for key, feature in features.items():
            self._local.put(key.name, feature, self._photo_ttl_s if key.personal else self._ttl_s)
            if key.personal:  # gone at the end of its life, whether or not anyone asks again
                asyncio.get_running_loop().call_later(self._photo_ttl_s + 0.1, self._local.get, key.name)
        if self._shared is not None:
            await self._shared.put({k.name: f.to_bytes() for k, f in features.items() if not k.personal})

    async def close(self) -> None:
        """Let go of the shared tier."""
        if self._shared is not None:
            await self._shared.close()

    def _count_lookups(self, tier: str, hits: int, asked: int) -> None:
        self._count(tier, "hit", hits)
        self._count(tier, "miss", asked - hits)

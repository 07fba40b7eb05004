"""API keys and shared counters in Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..records import Window, dumps
from .client import Client


class RedisKeys:
    """See `store.Keys`."""

    def __init__(self, client: Client) -> None:
        self._client, self._key = client, client.key("keys")

    async def put(self, name: str, data: Mapping[str, Any]) -> None:
        """See `store.Keys`."""
        await self._client.ask("HSET", self._key, name, dumps(data))

    async def get(self, name: str) -> dict[str, Any] | None:
        """See `store.Keys`."""
        text = await self._client.ask("HGET", self._key, name)
        return None if text is None else dict(json.loads(text))

    async def all(self) -> dict[str, dict[str, Any]]:
        """See `store.Keys`."""
        found = await self._client.ask("HGETALL", self._key)
        return {name.decode(): json.loads(text) for name, text in sorted(found.items())}

    async def delete(self, name: str) -> bool:
        """See `store.Keys`."""
        return bool(await self._client.ask("HDEL", self._key, name))


class RedisCounters:
    """See `store.Counters`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def increment(self, bucket: str, window_s: float, by: float = 1.0, *, now: float) -> Window:
        """See `store.Counters`."""
        number, elapsed = divmod(now / window_s, 1.0)
        key, before = (self._client.key("counter", bucket, f"{number - back:.0f}") for back in (0, 1))
        commands = [("INCRBYFLOAT", key, by), ("PEXPIRE", key, int(2000 * window_s) + 1), ("GET", before)]
        count, _, previous = await self._client.ask_all(commands, whole=True)
        return Window(float(count), float(previous or 0.0), elapsed)

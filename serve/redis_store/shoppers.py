"""Shoppers, their advice and the log of their deletions in Redis, which itself drops what has expired."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import StoreError
from ..record_json import read_advice, read_shopper, write
from ..records import Advice, ShopperRecord
from ..store import TOMBSTONE_S, Deletion
from .client import Client
from .lines import RedisLines

logger = logging.getLogger(__name__)
_REWRITE_S = 3600.0
"""The append-only file is written anew at most so often where shoppers or customers were deleted,"""
_REWRITE_LATEST_S = 24 * 3600.0
"""and at least so often: until then it tells of what was deleted and what has expired."""


class RedisShoppers:
    """See `store.Shoppers`."""

    def __init__(self, client: Client, lines: RedisLines) -> None:
        self._client, self._lines = client, lines

    async def put(self, record: ShopperRecord) -> bool:
        """See `store.Shoppers`."""
        fields = ["record", write(record), *_fields(record.embeddings)]
        return bool(await self._client.run("put_shopper", record.id, int(record.expires_at * 1000), *fields))

    async def add_embeddings(self, shopper_id: str, embeddings: Mapping[tuple[str, str], bytes], *, now: float) -> bool:
        """See `store.Shoppers`."""
        key = f"shopper:{shopper_id}"
        if await self.get(shopper_id, now=now) is None:
            return False
        return bool(await self._client.run("add_fields", key, key, *_fields(embeddings)))

    async def get(self, shopper_id: str, *, now: float) -> ShopperRecord | None:
        """See `store.Shoppers`."""
        fields = await self._client.ask("HGETALL", self._client.key("shopper", shopper_id))
        if not fields:
            return None
        text, embeddings = fields.pop(b"record"), {}
        for name, value in fields.items():
            part, encoder = name.decode().split("\0")
            embeddings[part, encoder] = value
        record = read_shopper(text, embeddings)
        return record if record.expires_at > now else None

    async def delete(self, shopper_id: str, *, now: float) -> Deletion | None:
        """See `store.Shoppers`."""
        found = await self._client.run("delete_shopper", *self._lines.settings, shopper_id, now)
        if not found:
            return None
        number, num_advices, num_lines, *customers = found
        return Deletion(int(number), num_advices, num_lines, tuple(sorted(customer.decode() for customer in customers)))

    async def put_advice(self, advice: Advice) -> bool:
        """See `store.Shoppers`."""
        until = int(advice.expires_at * 1000)
        own = (advice.recommendation_id, advice.shopper_id, until, write(advice))
        return bool(await self._client.run("put_advice", *own))

    async def get_advices(self, recommendation_ids: Sequence[str], *, now: float) -> dict[str, Advice]:
        """See `store.Shoppers`."""
        texts = await self._client.ask_all([("GET", self._client.key("advice", own)) for own in recommendation_ids])
        found = {own: read_advice(text) for own, text in zip(recommendation_ids, texts, strict=True) if text is not None}
        return {own: advice for own, advice in found.items() if advice.expires_at > now}

    async def purge(self, *, now: float) -> int:
        """See `store.Shoppers`; it also has the append-only file written anew, which tells of what was deleted."""
        await self._rewrite(now)
        times, tombstones = self._client.key("tombstone-times"), self._client.key("tombstones")
        over = await self._client.ask("ZRANGEBYSCORE", times, "-inf", now - TOMBSTONE_S)
        if over:
            await self._client.ask_all([("ZREM", tombstones, *over), ("ZREM", times, *over)], whole=True)
        return len(over)

    async def _rewrite(self, now: float) -> None:
        meta = self._client.key("meta")
        deleted, at = await self._client.ask("HMGET", meta, "deleted", "rewritten")
        since = now - float(at or 0.0)
        if since < (_REWRITE_S if deleted else _REWRITE_LATEST_S):
            return
        await self._client.ask_all([("HDEL", meta, "deleted"), ("HSET", meta, "rewritten", now)], whole=True)
        try:
            await self._client.ask("BGREWRITEAOF")
        except StoreError as err:
            # As when one that began before the deletion is under way: the next purge tries again.
            await self._client.ask("HSET", meta, "deleted", 1, "rewritten", at or 0.0)
            logger.warning("the append-only file of the store's Redis still tells of what was deleted: %s", err)


class RedisTombstones:
    """See `store.Tombstones`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def since(self, number: int) -> tuple[list[str], int]:
        """See `store.Tombstones`."""
        key = self._client.key("tombstones")
        async with self._client.told():
            found: list[Any] = await self._client.redis.zrangebyscore(key, f"({number}", "+inf", withscores=True)
        return [own.decode() for own, _ in found], int(found[-1][1]) if found else number

    async def acknowledge(self, replica: str, number: int, *, now: float) -> None:
        """See `store.Tombstones`."""
        await self._client.ask("HSET", self._client.key("replicas"), replica, f"{number} {now!r}")

    async def reached(self, *, now: float, live_s: float) -> int | None:
        """See `store.Tombstones`."""
        key = self._client.key("replicas")
        told = {name: value.split() for name, value in (await self._client.ask("HGETALL", key)).items()}
        gone = [name for name, (_, at) in told.items() if float(at) <= now - TOMBSTONE_S]
        if gone:
            await self._client.ask("HDEL", key, *gone)
        return min((int(number) for number, at in told.values() if float(at) > now - live_s), default=None)


def _fields(embeddings: Mapping[tuple[str, str], bytes]) -> list[str | bytes]:
    return [told for (part, encoder), value in embeddings.items() for told in (f"{part}\0{encoder}", value)]

"""The shared store: one Redis for all nodes, which evicts nothing and writes an append-only file; not a cluster.

What was acknowledged outlives kill -9 of any process, and loss of power where Redis has `appendfsync always`; with
`everysec` the last second may go with the power. What is deleted is gone from memory at once; the append-only file, and
replicas' and backups' copies of it, tell of it until it is written anew, which purging asks for at most an hour after a
deletion and at least once a day.
"""

from __future__ import annotations

from tryon_core.errors import TryonError
from tryon_core.history import HistoryConfig

from ..store import Counters, Embeddings, Garments, Keys, OrderLines, Shoppers, Tombstones
from .client import Client
from .garments import RedisEmbeddings, RedisGarments
from .keys import RedisCounters, RedisKeys
from .lines import RedisLines
from .schema import migrate
from .shoppers import RedisShoppers, RedisTombstones


class RedisStore:
    """See `store.Store`. A record is changed by one script or transaction, so that none is ever seen half."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lines = RedisLines(client)
        self.garments: Garments = RedisGarments(client)
        self.embeddings: Embeddings = RedisEmbeddings(client)
        self.shoppers: Shoppers = RedisShoppers(client, self._lines)
        self.tombstones: Tombstones = RedisTombstones(client)
        self.lines: OrderLines = self._lines
        self.keys: Keys = RedisKeys(client)
        self.counters: Counters = RedisCounters(client)

    @classmethod
    async def open(cls, url: str, history: HistoryConfig | None) -> RedisStore:
        """Open the store.

        Raises:
            ConfigError: the server may lose things, or holds a later schema or another history than ours.
            StoreError: it does not answer.
        """
        store = cls(Client(url))
        try:
            await store._client.require_durable(url)
            await migrate(store._client)
            await store._lines.open(history)
        except TryonError:
            await store.close()
            raise
        return store

    async def check(self) -> None:
        """See `store.Store`."""
        await self._client.ask("PING")

    async def close(self) -> None:
        """See `store.Store`."""
        await self._client.close()

"""What the stores' tests share: records by the number, and both stores, each empty."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from serve.records import Advice, AdvisedItem, Consent, GarmentRecord, OrderLine, PhotoOutcome, ShopperRecord
from serve.store import Store, open_store
from tests.redis_server import RedisServer
from tryon_core.history import HistoryConfig

NOW = time.time()
DAY = 86400.0
KINDS = ("sqlite", "redis")


class Places:
    """Where an empty store of each kind can be opened."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        self._folder, self._redis = folder, redis

    def url(self, kind: str) -> str:
        """Return the URL of a store; Redis loses what it held."""
        if kind == "redis":
            with self._redis.client() as client:
                client.flushall()
            return self._redis.url
        self._sqlite = self._folder / str(time.monotonic_ns())
        return f"sqlite:///{self._sqlite}/store.db"

    def folder(self, kind: str) -> Path:
        """Return the folder of the files of the store that was opened last."""
        return self._redis.folder if kind == "redis" else self._sqlite

    async def forget(self, kind: str, store: Store) -> None:
        """Return once a store's files tell of nothing that was deleted, as they should: at once, or after Redis's rewrite."""
        if kind == "redis":
            await asyncio.to_thread(self._redis.wait_for_rewrite)  # of an earlier test
            await store.shoppers.purge(now=NOW)
            await asyncio.to_thread(self._redis.wait_for_rewrite)


@asynccontextmanager
async def opened(url: str, history: HistoryConfig | None = None) -> AsyncIterator[Store]:
    """An open store."""
    store = await open_store(url, history)
    try:
        yield store
    finally:
        await store.close()


def garment(n: int, *, now: float = NOW, image: str | None = None, **data: Any) -> GarmentRecord:
    """The n-th garment."""
    sizes = [{"label": label, "in_stock": True} for label in "SML"]
    told = {"title": f"Dress {n} 连衣裙", "brand": "Acme", "sizes": sizes, "price": "20.00 EUR"}
    return GarmentRecord.of(f"g{n:04d}", told | data, image=image, now=now)


def shopper(n: int = 1, **fields: Any) -> ShopperRecord:
    """The n-th shopper, who lives for a day from now."""
    told: dict[str, Any] = {
        "created_at": NOW,
        "expires_at": NOW + DAY,
        "owner": "key-1",
        "profile": {"height_cm": 165.0, "owned": []},
        "words": f"secretive words of shopper {n}",
        "photo": PhotoOutcome(used=True, encoder="e1"),
        "consent": Consent("2", NOW - 1),
        "embeddings": {("person_mask", "e1"): b"\x00secretive numbers\xff", ("shopper_words", "e2"): b"more"},
    }
    return ShopperRecord(**{"id": f"{n:032x}", **told, **fields})


def advice(n: int = 1, **fields: Any) -> Advice:
    """The n-th advice, kept for 120 days from now."""
    items = (AdvisedItem("g0001", "M", 0.75, (0.25, 0.5, 0.25)), AdvisedItem("g0002", None, 0.5, (0.0, 1.0, 0.0)))
    told: dict[str, Any] = {"items": items, "model": "m1", "created_at": NOW, "expires_at": NOW + 120 * DAY}
    return Advice(**{"recommendation_id": f"r{n}", "height_cm": 165, **told, **fields})


def line(n: int, **fields: Any) -> OrderLine:
    """The n-th order line: garment `style`, size M, kept a day ago."""
    told: dict[str, Any] = {
        "garment_id": "g0001",
        "history_id": "style",
        "size": "M",
        "outcome": "kept",
        "ordered_at": NOW - 10 * DAY,
        "occurred_at": NOW - DAY,
    }
    return OrderLine(**{"order_line_id": f"line-{n}", **told, **fields})

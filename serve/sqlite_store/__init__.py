"""The embedded store: one SQLite file that several processes of one machine share.

What was acknowledged outlives kill -9 of any process, and loss of power as far as the disk keeps what it says it has
(synchronous=FULL). What is deleted is overwritten in the file, and its log is emptied before a deletion of a shopper or a
customer returns; blocks that the disk itself has set aside are out of reach. The file must not lie on a network filesystem.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tryon_core.errors import ConfigError, TryonError
from tryon_core.history import HistoryConfig

from ..store import Counters, Embeddings, Garments, Keys, OrderLines, Shoppers, Tombstones
from .database import Database
from .garments import SqliteEmbeddings, SqliteGarments
from .keys import SqliteCounters, SqliteKeys
from .lines import SqliteLines
from .schema import STEPS, Step, migrate
from .shoppers import SqliteShoppers, SqliteTombstones

_COUNTERS: tuple[Step, ...] = (
    """
    CREATE TABLE counters (bucket TEXT NOT NULL, number INTEGER NOT NULL, count REAL NOT NULL, ends_at REAL NOT NULL,
        PRIMARY KEY (bucket, number)) WITHOUT ROWID
    """,
)


class SqliteStore:
    """See `store.Store`. Counters, which may lose their last second, are in a file of their own beside it."""

    def __init__(self, database: Database, counters: Database) -> None:
        self._databases = (database, counters)
        self._lines = SqliteLines(database)
        self.garments: Garments = SqliteGarments(database)
        self.embeddings: Embeddings = SqliteEmbeddings(database)
        self.shoppers: Shoppers = SqliteShoppers(database, self._lines)
        self.tombstones: Tombstones = SqliteTombstones(database)
        self.lines: OrderLines = self._lines
        self.keys: Keys = SqliteKeys(database)
        self.counters: Counters = SqliteCounters(counters)

    @classmethod
    async def open(cls, path: str, history: HistoryConfig | None, steps: Sequence[Step] = STEPS) -> SqliteStore:
        """Open the file, making it and its folder where they are not there yet.

        Raises:
            ConfigError: it is no SQLite file, cannot be written, or is of a later schema or another history than ours.
        """
        store = await asyncio.to_thread(cls._opened, path, steps)
        try:
            await store._lines.open(history)
        except TryonError:
            await store.close()
            raise
        return store

    @classmethod
    def _opened(cls, path: str, steps: Sequence[Step]) -> SqliteStore:
        try:
            Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise ConfigError(
                f"expected store sqlite:///PATH in a folder that can be made, got {path}: {err.strerror}"
            ) from err
        database, counters = Database(path, durable=True), Database(f"{path}-counters", durable=False)
        migrate(database, steps)
        migrate(counters, _COUNTERS)
        return cls(database, counters)

    async def check(self) -> None:
        """See `store.Store`."""
        await self._databases[0].rows("SELECT 1 FROM meta")

    async def close(self) -> None:
        """See `store.Store`."""
        for database in self._databases:
            await database.close()

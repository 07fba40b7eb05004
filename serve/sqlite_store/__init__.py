"""The embedded store: one SQLite file that several processes of one machine share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tryon_core.history import HistoryConfig

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

    def __init__(self, database: Database, counters: Database, history: HistoryConfig) -> None:
        self._databases = (database, counters)
        self.garments, self.embeddings = SqliteGarments(database), SqliteEmbeddings(database)
        self.lines = SqliteLines(database, history)
        self.shoppers, self.tombstones = SqliteShoppers(database, self.lines), SqliteTombstones(database)
        self.keys, self.counters = SqliteKeys(database), SqliteCounters(counters)

    @classmethod
    async def open(cls, path: str, history: HistoryConfig, steps: Sequence[Step] = STEPS) -> SqliteStore:
        """Open the file, making it and its folder where they are not there yet.

        Raises:
            ConfigError: it is no SQLite file, cannot be written, or is of a later schema than is known here.
        """

        def opened() -> SqliteStore:
            Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)
            database = Database(path, durable=True)
            migrate(database, steps)
            counters = Database(f"{path}-counters", durable=False)
            migrate(counters, _COUNTERS)
            return cls(database, counters, history)

        store = await asyncio.to_thread(opened)
        await store.lines.open()
        return store

    async def check(self) -> None:
        """See `store.Store`."""
        await self._databases[0].read(lambda db: db.execute("SELECT 1").fetchone())

    async def close(self) -> None:
        """See `store.Store`."""
        for database in self._databases:
            await database.close()

"""API keys and shared counters in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from ..records import Window, dumps
from .database import Database


class SqliteKeys:
    """See `store.Keys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, name: str, data: Mapping[str, Any]) -> None:
        """See `store.Keys`."""
        await self._database.execute("INSERT OR REPLACE INTO keys VALUES (?, ?)", (name, dumps(data)))

    async def get(self, name: str) -> dict[str, Any] | None:
        """See `store.Keys`."""
        rows = await self._database.rows("SELECT data FROM keys WHERE name = ?", (name,))
        return dict(json.loads(rows[0][0])) if rows else None

    async def all(self) -> dict[str, dict[str, Any]]:
        """See `store.Keys`."""
        rows = await self._database.rows("SELECT name, data FROM keys ORDER BY name")
        return {name: json.loads(data) for name, data in rows}

    async def delete(self, name: str) -> bool:
        """See `store.Keys`."""
        return await self._database.execute("DELETE FROM keys WHERE name = ?", (name,)) > 0


class SqliteCounters:
    """See `store.Counters`. Windows that are over are swept out now and then."""

    def __init__(self, database: Database) -> None:
        self._database, self._swept_at = database, 0.0

    async def increment(self, bucket: str, window_s: float, by: float = 1.0, *, now: float) -> Window:
        """See `store.Counters`."""
        number, elapsed = divmod(now / window_s, 1.0)

        def added(db: sqlite3.Connection) -> Window:
            if now > self._swept_at + window_s:
                self._swept_at = now
                db.execute("DELETE FROM counters WHERE ends_at < ?", (now,))
            query = "SELECT count FROM counters WHERE bucket = ? AND number = ?"
            before = db.execute(query, (bucket, int(number) - 1)).fetchone()
            query = (
                "INSERT INTO counters (bucket, number, count, ends_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET count = count + excluded.count RETURNING count"
            )
            ends_at = (number + 2) * window_s  # as the window before, it is asked for until then
            (count,) = db.execute(query, (bucket, int(number), by, ends_at)).fetchone()
            return Window(float(count), float(before[0]) if before else 0.0, elapsed)

        return await self._database.write(added)

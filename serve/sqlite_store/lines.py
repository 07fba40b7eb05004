"""Order lines and the counts of their verdicts in SQLite, always changed in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields

import numpy as np

from tryon_core.history import HistoryConfig

from ..records import Counts, OrderLine, Told
from ..store import LineOutcome
from ..verdicts import Changes, agreed, seen_from, settings_of, weight
from .database import Database, chunked

_COLUMNS = ", ".join(field.name if field.name != "order_line_id" else "id" for field in fields(OrderLine))
_KEEP = f"INSERT OR REPLACE INTO lines ({_COLUMNS}) VALUES ({', '.join('?' for _ in fields(OrderLine))})"
_LATEST = (
    f"SELECT {_COLUMNS} FROM lines WHERE customer = ? AND customer <> '' AND history_id = ? AND id <> ? "
    "AND (fit IS NOT NULL OR outcome = 'kept') ORDER BY occurred_at DESC, size DESC, coalesce(fit, 'fit') DESC LIMIT ?"
)
_SUMS = ("num", "small", "fit", "large", "num_small", "num_fit", "num_large")
_ADD = (
    f"INSERT INTO counts (history_id, size, {', '.join(_SUMS)}) VALUES (?, ?, {', '.join('?' for _ in _SUMS)}) "
    f"ON CONFLICT DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in _SUMS)}"
)
_SETTLED = "DELETE FROM counts WHERE history_id = ? AND size = ? AND num <= 0"


class SqliteLines:
    """See `store.OrderLines`."""

    def __init__(self, database: Database) -> None:
        self._database, self.history = database, HistoryConfig()

    async def open(self, history: HistoryConfig | None) -> None:
        """Note how verdicts age here, or take over how they do.

        Raises:
            ConfigError: the file's counts were made otherwise.
        """

        def noted(db: sqlite3.Connection) -> str:
            db.execute("INSERT OR IGNORE INTO meta VALUES ('history', ?)", (settings_of(history or HistoryConfig()),))
            return str(db.execute("SELECT value FROM meta WHERE name = 'history'").fetchone()[0])

        self.history = agreed(history, await self._database.write(noted))

    async def put_many(self, lines: Sequence[OrderLine]) -> list[LineOutcome]:
        """See `store.OrderLines`."""

        def put(db: sqlite3.Connection) -> list[LineOutcome]:
            changes = Changes(self.history)
            outcomes = [self._put(db, line, changes) for line in lines]
            _add(db, changes)
            return outcomes

        return await self._database.write(put)

    async def get_many(self, order_line_ids: Sequence[str]) -> dict[str, OrderLine]:
        """See `store.OrderLines`."""
        query = f"SELECT {_COLUMNS} FROM lines WHERE id IN ({{}})"
        rows = await self._database.read(lambda db: chunked(db, query, order_line_ids))
        return {row[0]: OrderLine(*row) for row in rows}

    async def of_customer(self, customer: str) -> list[OrderLine]:
        """See `store.OrderLines`."""
        return await self._database.read(lambda db: _of_customer(db, customer))

    async def page(self, cursor: str = "", limit: int = 1000) -> tuple[list[OrderLine], str]:
        """See `store.OrderLines`."""
        query = f"SELECT {_COLUMNS} FROM lines WHERE id > ? ORDER BY id LIMIT ?"
        lines = [OrderLine(*row) for row in await self._database.rows(query, (cursor, limit))]
        return lines, lines[-1].order_line_id if len(lines) == limit else ""

    async def delete_customer(self, customer: str) -> int:
        """See `store.OrderLines`."""

        def deleted(db: sqlite3.Connection) -> int:
            lines = _of_customer(db, customer)
            self.remove(db, lines)
            return len(lines)

        return await self._database.write(deleted, truncate=True)

    async def counts(self, history_ids: Sequence[str], *, day: float) -> Counts:
        """See `store.OrderLines`."""
        return {key: own.aged for key, own in (await self.told(history_ids, day=day)).items()}

    async def told(self, history_ids: Sequence[str], *, day: float) -> dict[tuple[str, str], Told]:
        """See `store.OrderLines`."""
        query = f"SELECT history_id, size, {', '.join(_SUMS)} FROM counts WHERE history_id IN ({{}})"
        rows = await self._database.read(lambda db: chunked(db, query, list(dict.fromkeys(history_ids))))
        sums = seen_from(np.array([row[3:6] for row in rows]).reshape(-1, 3), day, self.history.half_life_days)
        tallies = [row[6:] if sum(row[6:]) == row[2] else None for row in rows]  # what was seeded is one more, of no verdict
        return {(row[0], row[1]): Told(*each) for row, each in zip(rows, zip(sums, tallies, strict=True), strict=True)}

    async def seed(self, rows: Iterable[tuple[str, str, Sequence[float]]], *, day: float) -> bool:
        """See `store.OrderLines`."""
        scale = weight(day, self.history.half_life_days)
        given = [(history_id, size, 1, *(scale * float(n) for n in counts), 0, 0, 0) for history_id, size, counts in rows]

        def seeded(db: sqlite3.Connection) -> bool:
            if db.execute("SELECT 1 FROM meta WHERE name = 'seeded' UNION ALL SELECT 1 FROM lines LIMIT 1").fetchone():
                return False
            db.execute("INSERT INTO meta VALUES ('seeded', ?)", (str(day),))
            db.executemany(_ADD, given)
            return True

        return await self._database.write(seeded)

    def of_advices(self, db: sqlite3.Connection, recommendation_ids: Sequence[str]) -> list[OrderLine]:
        """Return the lines that came from advice."""
        query = f"SELECT {_COLUMNS} FROM lines WHERE recommendation_id IN ({{}})"
        return [OrderLine(*row) for row in chunked(db, query, recommendation_ids)]

    def remove(self, db: sqlite3.Connection, lines: Sequence[OrderLine]) -> None:
        """Forget lines; an older one of the same customer that the cap had silenced counts again."""
        changes = Changes(self.history)
        for line in lines:
            beside = self._beside(db, line)
            changes.settle([*beside, line], beside)
            db.execute("DELETE FROM lines WHERE id = ?", (line.order_line_id,))
        _add(db, changes)

    def _put(self, db: sqlite3.Connection, line: OrderLine, changes: Changes) -> LineOutcome:
        row = db.execute(f"SELECT {_COLUMNS} FROM lines WHERE id = ?", (line.order_line_id,)).fetchone()
        kept = OrderLine(*row) if row else None
        if kept == line:
            return "same"
        if kept and not line.supersedes(kept):
            return "older"
        if kept:
            beside = self._beside(db, kept)
            changes.settle([*beside, kept], beside)
        db.execute(_KEEP, line.to_row())
        beside = self._beside(db, line)
        changes.settle(beside, [*beside, line])
        return "superseded" if kept else "new"

    def _beside(self, db: sqlite3.Connection, line: OrderLine) -> list[OrderLine]:
        """Return those other lines that decide whether a line counts: its customer's latest on its garment."""
        values = (line.customer, line.history_id, line.order_line_id, self.history.shopper_cap)
        return [OrderLine(*row) for row in db.execute(_LATEST, values)] if line.customer else []


def _of_customer(db: sqlite3.Connection, customer: str) -> list[OrderLine]:
    query = f"SELECT {_COLUMNS} FROM lines WHERE customer = ? AND customer <> '' ORDER BY occurred_at, id"
    return [OrderLine(*row) for row in db.execute(query, (customer,))]


def _add(db: sqlite3.Connection, changes: Changes) -> None:
    db.executemany(_ADD, [(*key, *sums) for key, sums in changes.sums.items()])
    db.executemany(_SETTLED, [key for key, sums in changes.sums.items() if sums[0] < 0])

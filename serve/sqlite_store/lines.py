"""Order lines and the counts of their verdicts in SQLite, always changed in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields

import numpy as np

from tryon_core.errors import ConfigError
from tryon_core.history import HistoryConfig

from ..records import OrderLine
from ..store import Counts, LineOutcome
from ..verdicts import Changes, require_countable, seen_from, weight
from .database import Database
from .garments import chunked

_COLUMNS = ", ".join("id" if field.name == "order_line_id" else field.name for field in fields(OrderLine))
_ADD = (
    "INSERT INTO counts (history_id, size, num, small, fit, large) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "num = num + excluded.num, small = small + excluded.small, fit = fit + excluded.fit, large = large + excluded.large"
)


class SqliteLines:
    """See `store.OrderLines`."""

    def __init__(self, database: Database, history: HistoryConfig) -> None:
        require_countable(history)
        self._database, self._history = database, history

    async def open(self) -> None:
        """Note how verdicts age here.

        Raises:
            ConfigError: the file's counts were made otherwise.
        """
        ours = f"half life {self._history.half_life_days:g} days, cap {self._history.shopper_cap}"

        def noted(db: sqlite3.Connection) -> str:
            db.execute("INSERT OR IGNORE INTO meta VALUES ('history', ?)", (ours,))
            return str(db.execute("SELECT value FROM meta WHERE name = 'history'").fetchone()[0])

        theirs = await self._database.write(noted)
        if theirs != ours:
            raise ConfigError(f"expected history as the store has it, {theirs}, got {ours}")

    async def put_many(self, lines: Sequence[OrderLine]) -> list[LineOutcome]:
        """See `store.OrderLines`."""

        def put(db: sqlite3.Connection) -> list[LineOutcome]:
            changes = Changes(self._history)
            outcomes = [_put(db, line, changes) for line in lines]
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
        if not customer:
            return []
        query = f"SELECT {_COLUMNS} FROM lines WHERE customer = ? AND customer <> '' ORDER BY occurred_at, id"
        rows = await self._database.read(lambda db: db.execute(query, (customer,)).fetchall())
        return [OrderLine(*row) for row in rows]

    async def page(self, cursor: str = "", limit: int = 1000) -> tuple[list[OrderLine], str]:
        """See `store.OrderLines`."""
        query = f"SELECT {_COLUMNS} FROM lines WHERE id > ? ORDER BY id LIMIT ?"
        rows = await self._database.read(lambda db: db.execute(query, (cursor, limit)).fetchall())
        lines = [OrderLine(*row) for row in rows]
        return lines, lines[-1].order_line_id if len(lines) == limit else ""

    async def delete_customer(self, customer: str) -> int:
        """See `store.OrderLines`."""
        if not customer:
            return 0

        def deleted(db: sqlite3.Connection) -> int:
            query = f"SELECT {_COLUMNS} FROM lines WHERE customer = ? AND customer <> ''"
            lines = [OrderLine(*row) for row in db.execute(query, (customer,))]
            self.remove(db, lines)
            return len(lines)

        return await self._database.write(deleted, truncate=True)

    async def counts(self, history_ids: Sequence[str], *, day: float) -> Counts:
        """See `store.OrderLines`."""
        query = "SELECT history_id, size, small, fit, large FROM counts WHERE history_id IN ({})"
        rows = await self._database.read(lambda db: chunked(db, query, list(dict.fromkeys(history_ids))))
        return {(i, size): seen_from(np.array(sums), day, self._history.half_life_days) for i, size, *sums in rows}

    async def seed(self, rows: Iterable[tuple[str, str, Sequence[float]]], *, day: float) -> bool:
        """See `store.OrderLines`."""
        given = [(history_id, size, [float(count) for count in counts]) for history_id, size, counts in rows]
        scale = weight(day, self._history.half_life_days)

        def seeded(db: sqlite3.Connection) -> bool:
            done = db.execute("SELECT 1 FROM meta WHERE name = 'seeded'").fetchone()
            if done or db.execute("SELECT 1 FROM lines LIMIT 1").fetchone():
                return False
            db.execute("INSERT INTO meta VALUES ('seeded', ?)", (str(day),))
            for history_id, size, counts in given:
                db.execute("INSERT OR REPLACE INTO seeds VALUES (?, ?, ?, ?, ?, ?)", (history_id, size, day, *counts))
                db.execute(_ADD, (history_id, size, 1, *(scale * count for count in counts)))
            return True

        return await self._database.write(seeded)

    def of_advices(self, db: sqlite3.Connection, recommendation_ids: Sequence[str]) -> list[OrderLine]:
        """Return the lines that came from advice."""
        query = f"SELECT {_COLUMNS} FROM lines WHERE recommendation_id IN ({{}})"
        return [OrderLine(*row) for row in chunked(db, query, recommendation_ids)]

    def remove(self, db: sqlite3.Connection, lines: Sequence[OrderLine]) -> None:
        """Forget lines; an older one of the same customer that the cap had silenced counts again."""
        changes = Changes(self._history)
        for line in lines:
            before = _beside(db, line)
            changes.settle(before, [other for other in before if other.order_line_id != line.order_line_id])
            db.execute("DELETE FROM lines WHERE id = ?", (line.order_line_id,))
        _add(db, changes)


def _put(db: sqlite3.Connection, line: OrderLine, changes: Changes) -> LineOutcome:
    row = db.execute(f"SELECT {_COLUMNS} FROM lines WHERE id = ?", (line.order_line_id,)).fetchone()
    kept = OrderLine(*row) if row else None
    if kept == line:
        return "same"
    if kept and not line.supersedes(kept):
        return "older"
    for place in dict.fromkeys((old.history_id, old.customer) for old in (kept, line) if old):
        before = _beside(db, kept if kept and place == (kept.history_id, kept.customer) else line)
        after = [old for old in before if old.order_line_id != line.order_line_id]
        changes.settle(before, [*after, line] if place == (line.history_id, line.customer) else after)
    values = astuple(line)
    db.execute(f"INSERT OR REPLACE INTO lines ({_COLUMNS}) VALUES ({','.join('?' * len(values))})", values)
    return "superseded" if kept else "new"


def _beside(db: sqlite3.Connection, line: OrderLine) -> list[OrderLine]:
    """Return the kept lines among which it is settled whether a line counts: its customer's on its garment, or itself."""
    if line.customer:
        query = f"SELECT {_COLUMNS} FROM lines WHERE customer = ? AND customer <> '' AND history_id = ?"
        rows = db.execute(query, (line.customer, line.history_id))
    else:
        rows = db.execute(f"SELECT {_COLUMNS} FROM lines WHERE id = ? AND customer = ''", (line.order_line_id,))
    return [OrderLine(*row) for row in rows]


def _add(db: sqlite3.Connection, changes: Changes) -> None:
    db.executemany(_ADD, [(*key, *sums) for key, sums in changes.sums.items()])
    db.executemany(
        "DELETE FROM counts WHERE history_id = ? AND size = ? AND num <= 0",
        [key for key, sums in changes.sums.items() if sums[0] < 0],
    )

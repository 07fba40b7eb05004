"""Shoppers, their advice and the log of their deletions in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from ..record_json import read_advice, read_shopper, write
from ..records import Advice, ShopperRecord
from ..store import TOMBSTONE_S, Deletion
from .database import Database, chunked
from .lines import SqliteLines


class SqliteShoppers:
    """See `store.Shoppers`."""

    def __init__(self, database: Database, lines: SqliteLines) -> None:
        self._database, self._lines = database, lines

    async def put(self, record: ShopperRecord) -> bool:
        """See `store.Shoppers`."""

        def put(db: sqlite3.Connection) -> bool:
            query = "SELECT 1 FROM shoppers WHERE id = ? AND expires_at > ?"
            if _is_buried(db, record.id) or db.execute(query, (record.id, record.created_at)).fetchone():
                return False
            values = (record.id, record.expires_at, write(record))
            db.execute("INSERT OR REPLACE INTO shoppers (id, expires_at, record) VALUES (?, ?, ?)", values)
            _put_embeddings(db, record.id, record.embeddings)
            return True

        return await self._database.write(put)

    async def add_embeddings(self, shopper_id: str, embeddings: Mapping[tuple[str, str], bytes], *, now: float) -> bool:
        """See `store.Shoppers`."""

        def added(db: sqlite3.Connection) -> bool:
            query = "SELECT 1 FROM shoppers WHERE id = ? AND expires_at > ?"
            if db.execute(query, (shopper_id, now)).fetchone() is None:
                return False
            _put_embeddings(db, shopper_id, embeddings)
            return True

        return await self._database.write(added)

    async def get(self, shopper_id: str, *, now: float) -> ShopperRecord | None:
        """See `store.Shoppers`."""

        def got(db: sqlite3.Connection) -> ShopperRecord | None:
            query = "SELECT record FROM shoppers WHERE id = ? AND expires_at > ?"
            row = db.execute(query, (shopper_id, now)).fetchone()
            if row is None:
                return None
            query = "SELECT part, encoder, value FROM shopper_embeddings WHERE shopper_id = ?"
            found = db.execute(query, (shopper_id,)).fetchall()
            return read_shopper(row[0], {(part, encoder): value for part, encoder, value in found})

        return await self._database.read(got)

    async def delete(self, shopper_id: str, *, now: float) -> Deletion | None:
        """See `store.Shoppers`; one who is deleted again within a day has the same tombstone."""

        def deleted(db: sqlite3.Connection) -> Deletion | None:
            advices = [i for (i,) in db.execute("SELECT id FROM advices WHERE shopper_id = ?", (shopper_id,))]
            lines = self._lines.of_advices(db, advices)
            known = db.execute("SELECT 1 FROM shoppers WHERE id = ?", (shopper_id,)).fetchone() is not None
            buried = db.execute("SELECT number FROM tombstones WHERE shopper_id = ?", (shopper_id,)).fetchone()
            if not (known or advices or buried):
                return None
            self._lines.remove(db, lines)
            for table, column in (("advices", "shopper_id"), ("shopper_embeddings", "shopper_id"), ("shoppers", "id")):
                db.execute(f"DELETE FROM {table} WHERE {column} = ?", (shopper_id,))
            if buried is None:
                db.execute("INSERT INTO tombstones (shopper_id, at) VALUES (?, ?)", (shopper_id, now))
                buried = db.execute("SELECT number FROM tombstones WHERE shopper_id = ?", (shopper_id,)).fetchone()
            customers = tuple(sorted({line.customer for line in lines if line.customer}))
            return Deletion(int(buried[0]), len(advices), len(lines), customers)

        known = (
            "SELECT 1 FROM shoppers WHERE id = ?1 UNION ALL SELECT 1 FROM advices WHERE shopper_id = ?1 "
            "UNION ALL SELECT 1 FROM tombstones WHERE shopper_id = ?1 LIMIT 1"
        )
        if not await self._database.rows(known, (shopper_id,)):
            return None  # without the log being emptied for nobody
        return await self._database.write(deleted, truncate=True)

    async def put_advice(self, advice: Advice) -> bool:
        """See `store.Shoppers`."""
        values = (advice.recommendation_id, advice.shopper_id, advice.expires_at, write(advice))
        query = "INSERT OR REPLACE INTO advices (id, shopper_id, expires_at, record) VALUES (?, ?, ?, ?)"

        def put(db: sqlite3.Connection) -> bool:
            if _is_buried(db, advice.shopper_id):
                return False
            db.execute(query, values)
            return True

        return await self._database.write(put)

    async def get_advices(self, recommendation_ids: Sequence[str], *, now: float) -> dict[str, Advice]:
        """See `store.Shoppers`."""
        query = "SELECT id, record FROM advices WHERE expires_at > ? AND id IN ({})"
        rows = await self._database.read(lambda db: chunked(db, query, recommendation_ids, (now,)))
        return {found: read_advice(text) for found, text in rows}

    async def purge(self, *, now: float) -> int:
        """See `store.Shoppers`."""

        def purged(db: sqlite3.Connection) -> int:
            of_expired = "DELETE FROM shopper_embeddings WHERE shopper_id IN (SELECT id FROM shoppers WHERE expires_at <= ?)"
            db.execute(of_expired, (now,))
            queries = ("DELETE FROM shoppers WHERE expires_at <= ?", "DELETE FROM advices WHERE expires_at <= ?")
            num = sum(db.execute(query, (now,)).rowcount for query in queries)
            db.execute("DELETE FROM replicas WHERE at <= ?", (now - TOMBSTONE_S,))
            return num + db.execute("DELETE FROM tombstones WHERE at <= ?", (now - TOMBSTONE_S,)).rowcount

        over = (
            "SELECT 1 FROM shoppers WHERE expires_at <= ?1 UNION ALL SELECT 1 FROM advices WHERE expires_at <= ?1 "
            "UNION ALL SELECT 1 FROM tombstones WHERE at <= ?2 LIMIT 1"
        )
        if not await self._database.rows(over, (now, now - TOMBSTONE_S)):
            return 0
        return await self._database.write(purged, truncate=True)


class SqliteTombstones:
    """See `store.Tombstones`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, number: int) -> tuple[list[str], int]:
        """See `store.Tombstones`."""
        query = "SELECT number, shopper_id FROM tombstones WHERE number > ? ORDER BY number"
        rows = await self._database.rows(query, (number,))
        return [shopper_id for _, shopper_id in rows], rows[-1][0] if rows else number

    async def acknowledge(self, replica: str, number: int, *, now: float) -> None:
        """See `store.Tombstones`."""
        await self._database.execute("INSERT OR REPLACE INTO replicas VALUES (?, ?, ?)", (replica, number, now))

    async def reached(self, *, now: float, live_s: float) -> int | None:
        """See `store.Tombstones`."""
        ((number,),) = await self._database.rows("SELECT min(number) FROM replicas WHERE at > ?", (now - live_s,))
        return None if number is None else int(number)


def _is_buried(db: sqlite3.Connection, shopper_id: str) -> bool:
    return db.execute("SELECT 1 FROM tombstones WHERE shopper_id = ?", (shopper_id,)).fetchone() is not None


def _put_embeddings(db: sqlite3.Connection, shopper_id: str, embeddings: Mapping[tuple[str, str], bytes]) -> None:
    values = [(shopper_id, part, encoder, value) for (part, encoder), value in embeddings.items()]
    db.executemany("INSERT OR REPLACE INTO shopper_embeddings VALUES (?, ?, ?, ?)", values)

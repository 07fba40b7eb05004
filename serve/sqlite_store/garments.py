"""Garments and their embeddings in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import PreconditionError
from ..record_json import read_garment, write
from ..records import EmbeddingRow, GarmentRecord, dumps
from ..store import PutOutcome
from .database import Database, chunked

_DROPPED = 500
"""Rows that are dropped in one write, between which others get their turn."""


class SqliteGarments:
    """See `store.Garments`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, record: GarmentRecord, *, if_match: str | None = None) -> PutOutcome:
        """See `store.Garments`."""
        return await self._database.write(lambda db: _put(db, record, if_match))

    async def put_many(self, records: Sequence[GarmentRecord]) -> list[PutOutcome]:
        """See `store.Garments`."""
        return await self._database.write(lambda db: [_put(db, record, None) for record in records])

    async def patch(
        self,
        garment_id: str,
        *,
        in_stock: Mapping[str, bool | None] | None = None,
        price: Any = None,
        if_match: str | None = None,
        now: float,
    ) -> GarmentRecord | None:
        """See `store.Garments`."""

        def patched(db: sqlite3.Connection) -> GarmentRecord | None:
            kept = _many(db, [garment_id]).get(garment_id)
            _require(if_match, kept.etag if kept else None)
            if kept is None:
                return None
            changed = kept.patched(in_stock or {}, price, now)
            _put(db, changed, None)
            return changed if changed.etag != kept.etag else kept

        return await self._database.write(patched)

    async def get_many(self, garment_ids: Sequence[str]) -> dict[str, GarmentRecord]:
        """See `store.Garments`."""
        return await self._database.read(lambda db: _many(db, garment_ids))

    async def delete(self, garment_id: str, *, if_match: str | None = None) -> bool:
        """See `store.Garments`."""

        def deleted(db: sqlite3.Connection) -> bool:
            _require(if_match, _etag(db, garment_id))
            db.execute("DELETE FROM embeddings WHERE garment_id = ?", (garment_id,))
            return db.execute("DELETE FROM garments WHERE id = ?", (garment_id,)).rowcount > 0

        return await self._database.write(deleted)

    async def page(self, cursor: str = "", limit: int = 100) -> tuple[list[GarmentRecord], str]:
        """See `store.Garments`."""
        query = "SELECT record FROM garments WHERE id > ? ORDER BY id LIMIT ?"
        return _page(await self._database.rows(query, (cursor, limit)), limit)

    async def count(self) -> int:
        """See `store.Garments`."""
        return int((await self._database.rows("SELECT count(*) FROM garments"))[0][0])

    async def images_in_use(self, keys: Sequence[str]) -> set[str]:
        """See `store.Garments`."""
        query = "SELECT image FROM garments WHERE image IN ({})"
        return {image for (image,) in await self._database.read(lambda db: chunked(db, query, keys))}


class SqliteEmbeddings:
    """See `store.Embeddings`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_many(self, rows: Sequence[EmbeddingRow]) -> None:
        """See `store.Embeddings`."""
        query = (
            "INSERT OR REPLACE INTO embeddings (part, encoder, garment_id, content, value) "
            "SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM garments WHERE id = ?3)"
        )
        values = [(row.part, row.encoder, row.garment_id, row.content, row.value) for row in rows]
        await self._database.write(lambda db: db.executemany(query, values))

    async def get_many(self, garment_ids: Sequence[str], part: str, encoder: str) -> dict[str, EmbeddingRow]:
        """See `store.Embeddings`."""
        query = (
            "SELECT e.garment_id, e.content, e.value FROM embeddings e JOIN garments g ON g.id = e.garment_id "
            "WHERE e.part = ? AND e.encoder = ? AND e.content = g.contents ->> ('$.' || e.part) AND e.garment_id IN ({})"
        )
        rows = await self._database.read(lambda db: chunked(db, query, garment_ids, (part, encoder)))
        return {found: EmbeddingRow(found, part, encoder, content, value) for found, content, value in rows}

    async def lacking(self, part: str, encoder: str, cursor: str = "", limit: int = 100) -> tuple[list[GarmentRecord], str]:
        """See `store.Embeddings`."""
        query = (
            "SELECT g.record FROM garments g "
            "LEFT JOIN embeddings e ON e.part = ?1 AND e.encoder = ?2 AND e.garment_id = g.id "
            "WHERE g.id > ?3 AND g.contents ->> ('$.' || ?1) IS NOT NULL "
            "AND e.content IS NOT g.contents ->> ('$.' || ?1) ORDER BY g.id LIMIT ?4"
        )
        return _page(await self._database.rows(query, (part, encoder, cursor, limit)), limit)

    async def encoders(self) -> dict[tuple[str, str], int]:
        """See `store.Embeddings`."""
        rows = await self._database.rows("SELECT part, encoder, count(*) FROM embeddings GROUP BY part, encoder")
        return {(part, encoder): num for part, encoder, num in rows}

    async def drop(self, part: str, encoder: str) -> int:
        """See `store.Embeddings`."""
        query = (
            "DELETE FROM embeddings WHERE part = ?1 AND encoder = ?2 AND garment_id IN "
            "(SELECT garment_id FROM embeddings WHERE part = ?1 AND encoder = ?2 LIMIT ?3)"
        )
        total, num = 0, 1
        while num:
            num = await self._database.execute(query, (part, encoder, _DROPPED))
            total += num
        return total


def _put(db: sqlite3.Connection, record: GarmentRecord, if_match: str | None) -> PutOutcome:
    etag = _etag(db, record.id)
    _require(if_match, etag)
    if etag == record.etag:
        return "unchanged"
    values = (record.id, record.etag, record.image, dumps(record.contents), write(record))
    db.execute("INSERT OR REPLACE INTO garments (id, etag, image, contents, record) VALUES (?, ?, ?, ?, ?)", values)
    return "created" if etag is None else "updated"


def _many(db: sqlite3.Connection, garment_ids: Sequence[str]) -> dict[str, GarmentRecord]:
    rows = chunked(db, "SELECT id, record FROM garments WHERE id IN ({})", garment_ids)
    return {found: read_garment(text) for found, text in rows}


def _etag(db: sqlite3.Connection, garment_id: str) -> str | None:
    row = db.execute("SELECT etag FROM garments WHERE id = ?", (garment_id,)).fetchone()
    return row and str(row[0])


def _require(if_match: str | None, etag: str | None) -> None:
    if if_match is not None and (etag is None or if_match not in ("*", etag)):
        raise PreconditionError(f"expected the garment with etag {if_match}, got {etag or 'none'}")


def _page(rows: Sequence[tuple[str]], limit: int) -> tuple[list[GarmentRecord], str]:
    records = [read_garment(text) for (text,) in rows]
    return records, records[-1].id if len(records) == limit else ""

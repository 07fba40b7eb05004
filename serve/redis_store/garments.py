"""Garments and their embeddings in Redis."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from ..errors import PreconditionError, StoreError
from ..record_json import read_garment, write
from ..records import EmbeddingRow, GarmentRecord, dumps
from ..store import PutOutcome
from .client import Client

_ATTEMPTS = 20
_PAGE = 1000


class RedisGarments:
    """See `store.Garments`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def put(self, record: GarmentRecord, *, if_match: str | None = None) -> PutOutcome:
        """See `store.Garments`."""
        outcome, *etag = await self._client.run("put_garment", *_arguments(record), if_match or "")
        _require_unchanged(outcome, etag, if_match)
        told: PutOutcome = outcome.decode()
        return told

    async def put_many(self, records: Sequence[GarmentRecord]) -> list[PutOutcome]:
        """See `store.Garments`."""
        runs = [(*_arguments(record), "") for record in records]
        return [outcome.decode() for (outcome,) in await self._client.run_all("put_garment", runs)]

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
        for _ in range(_ATTEMPTS):
            kept = (await self.get_many([garment_id])).get(garment_id)
            if if_match is not None and (kept is None or if_match not in ("*", kept.etag)):
                raise _changed(if_match, kept.etag if kept else "")
            if kept is None:
                return None
            changed = kept.patched(in_stock or {}, price, now)
            if changed.etag == kept.etag:
                return kept
            try:
                await self.put(changed, if_match=kept.etag)
            except PreconditionError:
                continue
            return changed
        raise StoreError(f"garment {garment_id} is changed by others all the time")

    async def get_many(self, garment_ids: Sequence[str]) -> dict[str, GarmentRecord]:
        """See `store.Garments`."""
        texts = await self._client.fields([(f"garment:{own}", "record") for own in garment_ids])
        return {own: read_garment(text) for own, text in zip(garment_ids, texts, strict=True) if text is not None}

    async def delete(self, garment_id: str, *, if_match: str | None = None) -> bool:
        """See `store.Garments`."""
        outcome, *etag = await self._client.run("delete_garment", garment_id, if_match or "")
        _require_unchanged(outcome, etag, if_match)
        return bool(outcome == b"deleted")

    async def page(self, cursor: str = "", limit: int = 100) -> tuple[list[GarmentRecord], str]:
        """See `store.Garments`."""
        ids, following = await _ids(self._client, cursor, limit)
        return list((await self.get_many(ids)).values()), following

    async def count(self) -> int:
        """See `store.Garments`."""
        return int(await self._client.ask("ZCARD", self._client.key("garments")))

    async def images_in_use(self, keys: Sequence[str]) -> set[str]:
        """See `store.Garments`."""
        found = await self._client.ask("HMGET", self._client.key("images"), *keys) if keys else []
        return {key for key, num in zip(keys, found, strict=True) if num is not None}


class RedisEmbeddings:
    """See `store.Embeddings`."""

    def __init__(self, client: Client) -> None:
        self._client, self._garments = client, RedisGarments(client)

    async def put_many(self, rows: Sequence[EmbeddingRow]) -> None:
        """See `store.Embeddings`."""
        runs = [
            (f"garment:{row.garment_id}", f"embeddings:{row.garment_id}", _field(row.part, row.encoder), _value(row))
            for row in rows
        ]
        await self._client.run_all("add_fields", runs)

    async def get_many(self, garment_ids: Sequence[str], part: str, encoder: str) -> dict[str, EmbeddingRow]:
        """See `store.Embeddings`."""
        found: dict[str, EmbeddingRow] = {}
        for own, wanted, row in await self._rows(garment_ids, part, encoder):
            if row is not None and row.content == wanted:
                found[own] = row
        return found

    async def lacking(self, part: str, encoder: str, cursor: str = "", limit: int = 100) -> tuple[list[GarmentRecord], str]:
        """See `store.Embeddings`."""
        ids, following = await _ids(self._client, cursor, limit)
        rows = await self._rows(ids, part, encoder)
        lacking = [own for own, wanted, row in rows if wanted is not None and (row is None or row.content != wanted)]
        return list((await self._garments.get_many(lacking)).values()), following

    async def encoders(self) -> dict[tuple[str, str], int]:
        """See `store.Embeddings`."""
        nums: dict[tuple[str, str], int] = {}
        async for ids in self._pages():
            for fields in await self._client.ask_all([("HKEYS", self._client.key("embeddings", own)) for own in ids]):
                for field in fields:
                    part, _, encoder = field.decode().partition("\0")
                    nums[part, encoder] = nums.get((part, encoder), 0) + 1
        return nums

    async def drop(self, part: str, encoder: str) -> int:
        """See `store.Embeddings`."""
        field, num = _field(part, encoder), 0
        async for ids in self._pages():
            num += sum(await self._client.ask_all([("HDEL", self._client.key("embeddings", own), field) for own in ids]))
        return num

    async def _rows(
        self, garment_ids: Sequence[str], part: str, encoder: str
    ) -> list[tuple[str, str | None, EmbeddingRow | None]]:
        """Return each garment with the content that its part has, and the row that is kept."""
        wanted = [
            pair
            for own in garment_ids
            for pair in ((f"garment:{own}", "contents"), (f"embeddings:{own}", _field(part, encoder)))
        ]
        found = await self._client.fields(wanted)
        rows = []
        for own, contents, value in zip(garment_ids, found[::2], found[1::2], strict=True):
            row = None
            if value is not None:
                content, _, embedding = value.partition(b"\0")
                row = EmbeddingRow(own, part, encoder, content.decode(), embedding)
            rows.append((own, json.loads(contents or b"{}").get(part), row))
        return rows

    async def _pages(self) -> AsyncIterator[list[str]]:
        cursor, more = "", True
        while more:
            ids, cursor = await _ids(self._client, cursor, _PAGE)
            yield ids
            more = bool(cursor)


async def _ids(client: Client, cursor: str, limit: int) -> tuple[list[str], str]:
    first = f"({cursor}" if cursor else "-"
    found = await client.ask("ZRANGEBYLEX", client.key("garments"), first, "+", "LIMIT", 0, limit)
    ids = [own.decode() for own in found]
    return ids, ids[-1] if len(ids) == limit else ""


def _arguments(record: GarmentRecord) -> tuple[str, ...]:
    return record.id, record.etag, record.image or "", dumps(record.contents), write(record)


def _field(part: str, encoder: str) -> str:
    return f"{part}\0{encoder}"


def _value(row: EmbeddingRow) -> bytes:
    return row.content.encode() + b"\0" + row.value


def _require_unchanged(outcome: bytes, etag: Sequence[bytes], if_match: str | None) -> None:
    if outcome == b"changed":
        raise _changed(if_match or "", etag[0].decode())


def _changed(if_match: str, etag: str) -> PreconditionError:
    return PreconditionError(f"expected the garment with etag {if_match}, got {etag or 'none'}")

"""Shoppers, their advice and their deletion in both stores."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from serve.store import TOMBSTONE_S
from tests.store_cases import DAY, KINDS, NOW, Places, advice, line, opened, shopper

pytestmark = pytest.mark.parametrize("kind", KINDS)


def test_a_shopper_is_read_back_as_they_were_until_they_expire(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            plain = shopper(2, words=None, photo=None, consent=None, embeddings={}, owner="")
            for record in (shopper(1), plain):
                await store.shoppers.put(record)
                assert await store.shoppers.get(record.id, now=NOW) == record
                assert await store.shoppers.get(record.id, now=NOW + DAY - 1) == record
                assert await store.shoppers.get(record.id, now=NOW + DAY) is None
            assert await store.shoppers.get(f"{3:032x}", now=NOW) is None

    asyncio.run(check())


def test_embeddings_are_added_to_a_shopper_who_is_there_and_bring_nobody_back(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            record, more = shopper(), {("shopper_words", "e3"): b"\xff\x00", ("shopper_words", "e2"): b"other"}
            assert not await store.shoppers.add_embeddings(record.id, more, now=NOW)
            await store.shoppers.put(record)
            assert await store.shoppers.add_embeddings(record.id, more, now=NOW)
            found = await store.shoppers.get(record.id, now=NOW)
            assert found is not None
            assert found.embeddings == {**record.embeddings, **more}
            assert not await store.shoppers.add_embeddings(record.id, more, now=NOW + DAY)
            await store.shoppers.delete(record.id, now=NOW)
            assert not await store.shoppers.add_embeddings(record.id, more, now=NOW)
            assert await store.shoppers.get(record.id, now=NOW) is None

    asyncio.run(check())


def test_advice_is_read_back_as_it_was_until_it_expires(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            kept = [advice(1), advice(2, shopper_id=shopper().id, weight_kg=55, items=())]
            for one in kept:
                await store.shoppers.put_advice(one)
            ids = ["r1", "r2", "r3"]
            assert await store.shoppers.get_advices(ids, now=NOW) == {one.recommendation_id: one for one in kept}
            assert await store.shoppers.get_advices(ids, now=NOW + 120 * DAY) == {}

    asyncio.run(check())


def test_deleting_a_shopper_takes_their_advice_and_its_order_lines_out_of_the_counts(
    kind: str, store_places: Places
) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            record, other = shopper(1), shopper(2)
            for own in (record, other):
                await store.shoppers.put(own)
            await store.shoppers.put_advice(advice(1, shopper_id=record.id))
            await store.shoppers.put_advice(advice(2, shopper_id=record.id))
            await store.shoppers.put_advice(advice(3, shopper_id=other.id))
            lines = [
                line(1, recommendation_id="r1", customer="c1"),
                line(2, recommendation_id="r2", fit="small", outcome="returned"),
                line(3, recommendation_id="r3", fit="large", customer="c3"),
                line(4, customer="c1", size="L"),
            ]
            await store.lines.put_many(lines)
            deletion = await store.shoppers.delete(record.id, now=NOW)
            assert deletion is not None
            assert (deletion.num_advices, deletion.num_lines, deletion.customers) == (2, 2, ("c1",))
            assert await store.shoppers.get(record.id, now=NOW) is None
            assert await store.shoppers.get(other.id, now=NOW) == other
            assert list(await store.shoppers.get_advices(["r1", "r2", "r3"], now=NOW)) == ["r3"]
            assert set(await store.lines.get_many([f"line-{n}" for n in range(5)])) == {"line-3", "line-4"}
            counts = await store.lines.counts(["style"], day=lines[0].day)
            assert {key: own.round(9).tolist() for key, own in counts.items()} == {
                ("style", "M"): [0, 0, 1],
                ("style", "L"): [0, 1, 0],
            }
            assert await store.shoppers.delete(shopper(3).id, now=NOW) is None

    asyncio.run(check())


def test_advice_of_a_shopper_who_has_expired_can_still_be_deleted(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            await store.shoppers.put_advice(advice(1, shopper_id=shopper().id))
            deletion = await store.shoppers.delete(shopper().id, now=NOW)
            assert deletion is not None
            assert deletion.num_advices == 1
            assert await store.shoppers.get_advices(["r1"], now=NOW) == {}

    asyncio.run(check())


def test_deletions_are_told_in_order_and_once_and_deleting_again_tells_the_same_number(
    kind: str, store_places: Places
) -> None:
    async def check() -> None:
        url = store_places.url(kind)
        async with opened(url) as one, opened(url) as other:
            assert await one.tombstones.since(0) == ([], 0)
            for n in (1, 2, 3):
                await one.shoppers.put(shopper(n, expires_at=NOW + 90 * DAY))
            numbers = [deletion.tombstone for n in (2, 1) if (deletion := await one.shoppers.delete(shopper(n).id, now=NOW))]
            assert numbers == [1, 2]
            assert await other.tombstones.since(0) == ([shopper(2).id, shopper(1).id], 2)
            assert await other.tombstones.since(1) == ([shopper(1).id], 2)
            assert await other.tombstones.since(2) == ([], 2)
            again = await other.shoppers.delete(shopper(2).id, now=NOW + 1)
            assert again is not None
            assert again.tombstone == 1
            assert await other.shoppers.purge(now=NOW + TOMBSTONE_S - 1) >= 0
            assert await other.tombstones.since(1) == ([shopper(1).id], 2)
            await other.shoppers.purge(now=NOW + TOMBSTONE_S + 1)
            assert await other.tombstones.since(0) == ([], 0)
            later = await one.shoppers.delete(shopper(3).id, now=NOW)
            assert later is not None
            assert later.tombstone == 3  # numbers grow, whatever was purged

    asyncio.run(check())


def test_it_is_known_how_far_all_live_replicas_have_forgotten(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            assert await store.tombstones.reached(now=NOW, live_s=10) is None
            await store.tombstones.acknowledge("a", 5, now=NOW)
            await store.tombstones.acknowledge("b", 3, now=NOW - 5)
            assert await store.tombstones.reached(now=NOW + 1, live_s=10) == 3
            assert await store.tombstones.reached(now=NOW + 6, live_s=10) == 5  # b was not heard of
            await store.tombstones.acknowledge("b", 6, now=NOW + 6)
            assert await store.tombstones.reached(now=NOW + 7, live_s=10) == 5
            assert await store.tombstones.reached(now=NOW + 99, live_s=10) is None

    asyncio.run(check())


def _written(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def test_nothing_of_a_deleted_or_expired_shopper_is_left_in_the_stores_files(
    kind: str, store_places: Places, tmp_path: Path
) -> None:
    secrets = (b"secretive words", b"secretive numbers", b"secretive-customer", b"secretive reason")

    async def check() -> None:
        url, folder = store_places.url(kind), store_places.folder(kind)
        async with opened(url) as store, opened(url) as reader:
            for n in (1, 2):
                await store.shoppers.put(shopper(n))
                await store.shoppers.put_advice(advice(n, shopper_id=shopper(n).id))
            told = {"customer": "secretive-customer", "reason": "secretive reason"}
            lines = [line(n, recommendation_id="r1", **told) for n in range(30)]
            await store.lines.put_many(lines[:20])
            await reader.lines.put_many([line(n, occurred_at=NOW, recommendation_id="r1", **told) for n in range(30)])
            await reader.shoppers.get(shopper(1).id, now=NOW)
            assert all(secret in _written(folder) for secret in secrets)
            assert await store.shoppers.delete(shopper(1).id, now=NOW)
            assert await store.shoppers.delete(shopper(2).id, now=NOW)
            await store_places.forget(kind, store)
            assert [secret for secret in secrets if secret in _written(folder)] == []

    asyncio.run(check())

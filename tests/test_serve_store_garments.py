"""Garments, embeddings, keys and counters in both stores."""

from __future__ import annotations

import asyncio

import pytest

from serve.errors import PreconditionError
from serve.records import EmbeddingRow, GarmentRecord
from tests.store_cases import KINDS, NOW, Places, garment, opened
from tryon_core.errors import InputError

pytestmark = pytest.mark.parametrize("kind", KINDS)


def row(
    record: GarmentRecord, part: str = "garment_words", encoder: str = "e1", value: bytes = b"\x00v\xff"
) -> EmbeddingRow:
    """The embedding of a garment as it is."""
    return EmbeddingRow(record.id, part, encoder, record.contents[part], value)


def test_a_garment_is_created_left_as_it_is_and_updated_and_read_back_as_it_was(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            first, second = garment(1, image="blob-1"), garment(1, title="Other")
            assert await store.garments.put(first) == "created"
            assert await store.garments.get_many(["g0001", "nobody"]) == {"g0001": first}
            assert await store.garments.put(garment(1, image="blob-1", now=NOW + 9)) == "unchanged"
            assert await store.garments.get_many(["g0001"]) == {"g0001": first}
            assert await store.garments.put(second) == "updated"
            assert await store.garments.get_many(["g0001"]) == {"g0001": second}
            assert await store.garments.count() == 1

    asyncio.run(check())


def test_what_was_kept_is_there_when_the_store_is_opened_again(kind: str, store_places: Places) -> None:
    async def check() -> None:
        url = store_places.url(kind)
        async with opened(url) as store:
            await store.garments.put(garment(1))
        async with opened(url) as store:
            assert await store.garments.get_many(["g0001"]) == {"g0001": garment(1)}

    asyncio.run(check())


def test_a_write_on_condition_of_an_etag_fails_where_another_is_kept(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            first, second = garment(1), garment(1, title="Other")
            with pytest.raises(PreconditionError, match="got none"):
                await store.garments.put(first, if_match="*")
            await store.garments.put(first)
            with pytest.raises(PreconditionError, match=first.etag):
                await store.garments.put(second, if_match=second.etag)
            with pytest.raises(PreconditionError):
                await store.garments.delete(first.id, if_match=second.etag)
            with pytest.raises(PreconditionError):
                await store.garments.patch(first.id, price="1", if_match=second.etag, now=NOW)
            assert await store.garments.get_many([first.id]) == {first.id: first}
            assert await store.garments.put(second, if_match=first.etag) == "updated"
            assert await store.garments.put(first, if_match="*") == "updated"
            assert await store.garments.delete(first.id, if_match=first.etag)

    asyncio.run(check())


def test_stock_and_price_are_patched_and_embeddings_stay_up_to_date(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            kept = garment(1)
            await store.garments.put(kept)
            await store.embeddings.put_many([row(kept)])
            patched = await store.garments.patch(kept.id, in_stock={"S": False, "L": None}, price="9 EUR", now=NOW + 1)
            assert patched is not None
            assert [size["in_stock"] for size in patched.data["sizes"]] == [False, True, None]
            assert (patched.data["price"], patched.data["title"]) == ("9 EUR", kept.data["title"])
            assert patched.etag != kept.etag
            assert patched.updated_at == NOW + 1
            assert await store.garments.get_many([kept.id]) == {kept.id: patched}
            assert await store.embeddings.get_many([kept.id], "garment_words", "e1") == {kept.id: row(kept)}
            with pytest.raises(InputError, match="one of L, M, S"):
                await store.garments.patch(kept.id, in_stock={"XXS": True}, now=NOW)
            assert await store.garments.patch("nobody", price="1", now=NOW) is None

    asyncio.run(check())


def test_patches_at_the_same_time_are_all_kept(kind: str, store_places: Places) -> None:
    async def check() -> None:
        url = store_places.url(kind)
        async with opened(url) as one, opened(url) as other:
            await one.garments.put(garment(1))
            await asyncio.gather(
                *(
                    store.garments.patch("g0001", in_stock={label: False}, now=NOW)
                    for store, label in ((one, "S"), (other, "M"), (one, "L"))
                )
            )
            found = (await other.garments.get_many(["g0001"]))["g0001"]
            assert [size["in_stock"] for size in found.data["sizes"]] == [False, False, False]

    asyncio.run(check())


def test_of_writes_at_the_same_time_one_that_fails_takes_no_other_with_it(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            writes = [store.garments.put(garment(n), if_match="none" if n % 3 == 1 else None) for n in range(30)]
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
            assert [isinstance(outcome, PreconditionError) for outcome in outcomes] == [n % 3 == 1 for n in range(30)]
            found = await store.garments.get_many([f"g{n:04d}" for n in range(30)])
            assert list(found) == [f"g{n:04d}" for n in range(30) if n % 3 != 1]

    asyncio.run(check())


def test_many_are_put_at_once_and_listed_by_pages_in_the_order_of_their_ids(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            records = [garment(n) for n in range(25)]
            await store.garments.put(records[3])
            outcomes = await store.garments.put_many([*reversed(records), garment(0, title="last stays")])
            assert outcomes == ["unchanged" if n == 3 else "created" for n in reversed(range(25))] + ["updated"]
            seen, cursor, pages = [], "", 0
            while True:
                page, cursor = await store.garments.page(cursor, 10)
                seen, pages = seen + page, pages + 1
                if not cursor:
                    break
            assert pages == 3
            assert seen == [garment(0, title="last stays"), *records[1:]]

    asyncio.run(check())


def test_a_deleted_garment_is_gone_with_its_embeddings(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            kept, gone = garment(1, image="shared"), garment(2, image="shared")
            await store.garments.put_many([kept, gone])
            await store.embeddings.put_many([row(kept), row(gone), row(gone, "garment_image")])
            assert await store.garments.delete(gone.id)
            assert not await store.garments.delete(gone.id)
            assert await store.garments.count() == 1
            assert await store.embeddings.encoders() == {("garment_words", "e1"): 1}
            assert await store.garments.images_in_use(["shared", "other"]) == {"shared"}
            await store.embeddings.put_many([row(gone)])  # encoded while it was deleted
            await store.garments.put(gone)
            assert await store.embeddings.get_many([gone.id], "garment_words", "e1") == {}
            await store.garments.put_many([garment(1), garment(2)])
            assert await store.garments.images_in_use(["shared"]) == set()

    asyncio.run(check())


def test_an_embedding_of_what_a_garment_was_before_is_not_given_and_is_lacking(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            before, after = garment(1), garment(1, title="Other words")
            await store.garments.put(before)
            await store.embeddings.put_many([row(before)])
            assert await store.embeddings.lacking("garment_words", "e1") == ([], "")
            await store.garments.put(after)
            assert await store.embeddings.get_many([after.id], "garment_words", "e1") == {}
            assert await store.embeddings.lacking("garment_words", "e1") == ([after], "")
            await store.embeddings.put_many([row(before), row(after)])
            assert await store.embeddings.get_many([after.id], "garment_words", "e1") == {after.id: row(after)}

    asyncio.run(check())


def test_garments_that_lack_an_encoders_row_are_walked_through_once_each(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            records = [garment(n, image=f"blob-{n}" if n % 3 == 0 else None) for n in range(30)]
            await store.garments.put_many(records)
            await store.embeddings.put_many([row(r, "garment_image", "new") for r in records[:9:3]])
            await store.embeddings.put_many([row(r, "garment_image", "old") for r in records[::3]])
            seen, cursor = [], ""
            while True:
                page, cursor = await store.embeddings.lacking("garment_image", "new", cursor, 4)
                seen += page
                if not cursor:
                    break
            assert seen == records[9::3]
            assert await store.embeddings.drop("garment_image", "old") == 10
            assert await store.embeddings.encoders() == {("garment_image", "new"): 3}

    asyncio.run(check())


@pytest.mark.parametrize(
    "name", ["a:b", "../x", "连衣裙", "a b\n", "{tag}", "*", "x" * 200, "a\0b", "'; DROP TABLE garments"]
)
def test_any_id_is_kept_as_it_is(name: str, kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            record = GarmentRecord.of(name, {"title": name}, image=None, now=NOW)
            await store.garments.put(record)
            assert await store.garments.get_many([name]) == {name: record}
            assert await store.garments.page() == ([record], "")
            await store.keys.put(name, {"name": name})
            assert await store.keys.all() == {name: {"name": name}}
            assert await store.garments.delete(name)

    asyncio.run(check())


def test_key_records_are_put_read_listed_and_deleted(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            await store.keys.put("b", {"scope": "read", "n": 1.5})
            await store.keys.put("a", {"scope": "write"})
            await store.keys.put("a", {"scope": "admin"})
            assert await store.keys.get("a") == {"scope": "admin"}
            assert list((await store.keys.all()).items()) == [("a", {"scope": "admin"}), ("b", {"scope": "read", "n": 1.5})]
            assert await store.keys.delete("a")
            assert not await store.keys.delete("a")
            assert await store.keys.get("a") is None

    asyncio.run(check())


def test_counters_are_shared_and_start_anew_with_each_window(kind: str, store_places: Places) -> None:
    async def check() -> None:
        url, start = store_places.url(kind), 60.0 * (NOW // 60 + 10)
        async with opened(url) as one, opened(url) as other:
            await asyncio.gather(*(s.counters.increment("b", 60, 0.5, now=start + 15) for s in [one, other] * 5))
            window = await one.counters.increment("b", 60, 2.0, now=start + 30)
            assert (window.count, window.previous, window.elapsed) == (7.0, 0.0, 0.5)
            window = await other.counters.increment("b", 60, now=start + 60)
            assert (window.count, window.previous, window.elapsed) == (1.0, 7.0, 0.0)
            assert (await one.counters.increment("b", 60, now=start + 180)).previous == 0.0
            assert (await one.counters.increment("other", 60, now=start + 60)).count == 1.0

    asyncio.run(check())

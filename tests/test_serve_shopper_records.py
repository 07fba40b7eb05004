"""What the store promises of shoppers beyond keeping them: nobody comes back under an id that was deleted."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from serve.records import Advice, ShopperRecord
from serve.store import open_store
from tests.store_cases import KINDS, Places


def shopper_record(n: int) -> ShopperRecord:
    now = time.time()
    return ShopperRecord(f"{n:032x}", now, now + 3600, words=f"words of {n}")


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_of_two_shoppers_of_one_id_stays_and_one_who_was_deleted_is_not_made_again(
    kind: str, store_places: Places
) -> None:
    async def test() -> None:
        store, first = await open_store(store_places.url(kind)), shopper_record(1)
        second = replace(first, words="others")
        assert await store.shoppers.put(first) is True
        assert await store.shoppers.put(second) is False
        kept = await store.shoppers.get(first.id, now=time.time())
        assert kept is not None
        assert kept.words == "words of 1"
        if kind == "sqlite":  # Redis drops them itself, by its own clock
            later = replace(second, created_at=first.expires_at + 1, expires_at=first.expires_at + 10)
            assert await store.shoppers.put(later) is True  # the first one's time is over
        await store.shoppers.delete(first.id, now=time.time())
        assert await store.shoppers.put(second) is False
        advice = Advice("r1", (), "m", time.time(), time.time() + 9, shopper_id=first.id)
        assert await store.shoppers.put_advice(advice) is False
        assert await store.shoppers.put_advice(replace(advice, shopper_id="")) is True
        await store.close()

    asyncio.run(test())

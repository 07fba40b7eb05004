"""What the background does for a store."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from serve.blobs import Blobs
from serve.upkeep import Upkeep
from tests.in_process import service
from tests.serving import untrained_checkpoint, variant
from tests.store_cases import DAY, NOW, garment, opened, shopper


async def gone(kept: Callable[[], Awaitable[object]]) -> None:
    """Return once nothing is kept any more."""
    async with asyncio.timeout(60):
        while await kept() is not None:  # noqa: ASYNC110 - it is a file that is waited for
            await asyncio.sleep(0.01)


def test_what_has_expired_is_purged_and_pictures_without_a_garment_are_swept(tmp_path: Path) -> None:
    async def check() -> None:
        blobs, now = Blobs(f"{tmp_path}/blobs"), [NOW]
        async with opened(f"sqlite:///{tmp_path}/store.db") as store:
            await store.shoppers.put(shopper())
            used, unused, fresh = [await blobs.put(content) for content in (b"used", b"unused", b"fresh")]
            for key in (used, unused):
                os.utime(tmp_path / "blobs" / key[:2] / key, (NOW - DAY, NOW - DAY))
            await store.garments.put(garment(1, image=used))
            upkeep = Upkeep(store, blobs, every_s=0.01, clock=lambda: now[0])
            upkeep.start()
            now[0] = NOW + DAY - 2 * 3600
            await gone(lambda: blobs.get(unused))
            assert await store.shoppers.get(shopper().id, now=NOW) == shopper()
            now[0] = NOW + DAY
            await gone(lambda: store.shoppers.get(shopper().id, now=NOW))
            await upkeep.stop()
            assert await blobs.get(used) == b"used"
            assert await blobs.get(fresh) == b"fresh"

    asyncio.run(check())


def test_a_store_that_does_not_answer_is_asked_again_the_next_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        async with opened(f"sqlite:///{tmp_path}/store.db") as store:
            await store.close()
            with caplog.at_level(logging.WARNING):
                await Upkeep(store, Blobs(str(tmp_path))).once()
        assert "put off: the store is closed" in caplog.text

    asyncio.run(check())


def test_an_ingress_opens_its_store_once_and_keeps_it_from_one_start_to_the_next(tmp_path: Path) -> None:
    checkpoint = untrained_checkpoint(tmp_path / "model", variant("cnn", "gru", "concat"))

    async def check() -> None:
        places = {"store": f"sqlite:///{tmp_path}/kept/store.db", "blobs": f"{tmp_path}/kept/blobs"}
        async with service(checkpoint, **places) as (ingress, _):
            key = await ingress.blobs.put(b"picture")
            await ingress.store.garments.put(garment(1, image=key))
            store = ingress.store
            await ingress.reconfigure({"checkpoint": checkpoint})
            assert ingress.store is store
        async with service(checkpoint, **places) as (ingress, _):
            found = (await ingress.store.garments.get_many(["g0001"]))["g0001"]
            assert found == garment(1, image=key)
            assert await ingress.blobs.get(key) == b"picture"

    asyncio.run(check())

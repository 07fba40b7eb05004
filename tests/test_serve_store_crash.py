"""Writers and servers that are killed at any moment: what was acknowledged is there, and nothing is there by halves."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from serve.errors import StoreError
from serve.records import EmbeddingRow, OrderLine
from serve.store import Store
from tests.redis_server import RedisServer
from tests.store_cases import DAY, KINDS, NOW, Places, garment, line, opened, shopper
from tryon_core.history import FitEvent, History

AT_ONCE = 8
SPAN = 100_000
"""Numbers of a round."""
FEW_AND_MANY = [3, pytest.param(200, marks=pytest.mark.chaos)]


def reports(n: int) -> tuple[OrderLine, OrderLine]:
    """What number n tells of its line, and what the number after it does."""
    told = {"history_id": f"style-{n // SPAN}", "customer": f"customer-{n // SPAN}-{n // AT_ONCE % 3}"}
    return line(n, **told), line(n, **told, outcome="returned", fit="small", occurred_at=NOW, reason="tight")


def embedding(n: int) -> EmbeddingRow:
    """Number n's garment's."""
    record = garment(n)
    return EmbeddingRow(record.id, "garment_words", "e", record.contents["garment_words"], b"\0" * 64)


async def put(store: Store, n: int) -> None:
    """Write number n: by its rest a garment with its embedding, a shopper, one who is deleted again, or an order line."""
    if n % AT_ONCE in (0, 1):
        await store.garments.put(garment(n))
        await store.embeddings.put_many([embedding(n)])
    elif n % AT_ONCE in (2, 3):
        await store.shoppers.put(shopper(n))
        if n % AT_ONCE == 3:
            await store.shoppers.delete(shopper(n).id, now=NOW)
    elif n % 2:
        await store.lines.put_many([reports(n - 1)[1]])
    else:
        await store.lines.put_many([reports(n)[0]])


async def write(store: Store, start: int, acknowledged: Callable[[int], None]) -> None:
    """Write the numbers from one on, a few at the same time, and tell of each that is done."""

    async def one(n: int) -> None:
        await put(store, n)
        acknowledged(n)

    for first in count(start, AT_ONCE):
        ended = await asyncio.gather(*(one(n) for n in range(first, first + AT_ONCE)), return_exceptions=True)
        for error in filter(None, ended):
            raise error


async def verify(store: Store, start: int, acknowledged: set[int]) -> None:
    """Check what is there of a round's numbers: of those that were acknowledged everything, of all others all or nothing."""
    numbers = range(start, max(acknowledged, default=start) + 2 * AT_ONCE)
    garments = await store.garments.get_many([garment(n).id for n in numbers])
    rows = await store.embeddings.get_many([garment(n).id for n in numbers], "garment_words", "e")
    lines = await store.lines.get_many([line(n).order_line_id for n in numbers])
    buried = set((await store.tombstones.since(0))[0])
    for n in numbers:
        known = n in acknowledged
        if n % AT_ONCE in (0, 1):
            assert garments.get(garment(n).id) in ((garment(n),) if known else (garment(n), None))
            assert rows.get(garment(n).id) in ((embedding(n),) if known else (embedding(n), None))
        elif n % AT_ONCE in (2, 3):
            found = await store.shoppers.get(shopper(n).id, now=NOW)
            goes = n % AT_ONCE == 3
            assert found in (() if goes and known else (shopper(n),)) + (() if known and not goes else (None,))
            assert shopper(n).id in buried or not (known and goes)
        elif n % 2 == 0:
            before, after = reports(n)
            allowed = (after,) if n + 1 in acknowledged else (before, after) if known else (before, after, None)
            assert lines.get(before.order_line_id) in allowed
    await _same_counts(store, start, list(lines.values()))


async def _same_counts(store: Store, start: int, lines: list[OrderLine]) -> None:
    history, name = History(), f"style-{start // SPAN}"
    for own in lines:
        history.add(FitEvent(own.history_id, own.size, own.customer, str(own.verdict), own.day))
    found = (await store.lines.counts([name], day=NOW / DAY)).get((name, "M"), np.zeros(3))
    np.testing.assert_allclose(found, history.counts(("garment_size", name, "M"), NOW / DAY), atol=1e-9)


def _write_and_tell(url: str, start: int, pipe: int) -> None:
    async def run() -> None:
        async with opened(url) as store:
            await write(store, start, lambda n: os.write(pipe, f"{n}\n".encode()) and None)

    asyncio.run(run())


def _told(content: bytes, pipe: int) -> set[int]:
    while chunk := os.read(pipe, 65536):
        content += chunk
    return {int(number) for number in content.split(b"\n")[:-1]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounds", FEW_AND_MANY)
def test_a_writer_that_is_killed_leaves_no_half_record_and_nothing_acknowledged_is_lost(
    rounds: int, kind: str, store_places: Places
) -> None:
    url, chance, told = store_places.url(kind), random.Random(0), {}
    for start in range(0, rounds * SPAN, SPAN):
        reading, writing = os.pipe()
        writer = multiprocessing.get_context("fork").Process(target=_write_and_tell, args=(url, start, writing))
        writer.start()
        os.close(writing)
        first = os.read(reading, 1)  # it is at work
        time.sleep(chance.uniform(0.0, 0.3))
        assert writer.is_alive()
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        told[start] = _told(first, reading)
        os.close(reading)
        asyncio.run(_verify_at(url, start, told[start]))
    for start, numbers in told.items():
        asyncio.run(_verify_at(url, start, numbers))
    assert sum(map(len, told.values())) >= 2 * rounds


async def _verify_at(url: str, start: int, acknowledged: set[int]) -> None:
    async with opened(url) as store:
        await verify(store, start, acknowledged)


@pytest.mark.parametrize("rounds", FEW_AND_MANY)
def test_a_redis_that_is_killed_forgets_nothing_that_it_acknowledged(rounds: int, tmp_path: Path) -> None:
    server, chance, told = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always"), random.Random(0), {}

    async def one_round(start: int) -> set[int]:
        acknowledged: set[int] = set()
        async with opened(server.url) as store:
            killing = threading.Timer(chance.uniform(0.0, 0.3), server.kill)

            def acknowledge(n: int) -> None:
                acknowledged.add(n)
                if killing.ident is None:
                    killing.start()

            with pytest.raises(StoreError):
                await write(store, start, acknowledge)
            if killing.ident is None:  # it was too slow to acknowledge anything
                server.kill()
            else:
                killing.join()
            server.start()
            await verify(store, start, acknowledged)
        return acknowledged

    try:
        for start in range(0, rounds * SPAN, SPAN):
            told[start] = asyncio.run(one_round(start))
        for start, numbers in told.items():
            asyncio.run(_verify_at(server.url, start, numbers))
        assert sum(map(len, told.values())) >= 2 * rounds
    finally:
        server.kill()

"""Shares of a minute on a clock that the tests turn: never more than is told, soon again, by all replicas together."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.errors import StoreError
from serve.key_source import FileKeys
from serve.limits import WINDOW_S, FallbackCounters, Limit, Limits, LocalCounters
from serve.records import Window
from serve.store import Counters
from tests.doorway import SHOP, Caller, Clock, Doorway, Opening, make
from tests.serving import assert_problem

steps = st.lists(st.tuples(st.floats(0, 70), st.integers(1, 12), st.integers(0, 2)), min_size=1, max_size=60)
"""(seconds that pass, units asked for, of which replica)."""


many = st.lists(st.tuples(st.floats(0, 40), st.integers(1, 12) | st.integers(100, 500), st.just(0)), max_size=60)


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


class Counting:
    """Counters that count how often they are asked."""

    def __init__(self) -> None:
        self.inner, self.num_asked = LocalCounters(), 0
        self.buckets: set[str] = set()

    async def increment(self, bucket: str, window_s: float, by: float = 1.0, *, now: float) -> Window:
        self.num_asked += 1
        self.buckets.add(bucket)
        await asyncio.sleep(0)
        return await self.inner.increment(bucket, window_s, by, now=now)


class Broken:
    """Counters that do not answer until they are mended."""

    def __init__(self, inner: Counters, error: Exception | None) -> None:
        self.inner, self.error = inner, error

    async def increment(self, bucket: str, window_s: float, by: float = 1.0, *, now: float) -> Window:
        if self.error is not None:
            raise self.error
        return await self.inner.increment(bucket, window_s, by, now=now)


@given(limit=st.integers(12, 500), steps=steps, begun=st.floats(0, 120))
@settings(max_examples=150)
def test_in_no_stretch_is_more_let_through_than_the_limit_and_its_refill(
    limit: int, steps: list[tuple[float, int, int]], begun: float
) -> None:
    async def test() -> None:
        clock, counters = Clock(10_000 + begun), LocalCounters()
        replicas = [Limits(counters, b"s", clock) for _ in range(3)]
        taken: list[tuple[float, int]] = []
        for passed, by, replica in steps:
            clock.at += passed
            if not (await replicas[replica].take("a", Limit("requests", limit), by)).wait_s:
                taken.append((clock.at, by))
        for first in range(len(taken)):
            total = 0
            for at, by in taken[first:]:
                total += by
                assert total <= limit * (1 + (at - taken[first][0]) / WINDOW_S) + 1e-6

    asyncio.run(test())


@given(limit=st.integers(12, 500) | st.integers(500, 1500), steps=many, begun=st.floats(0, 120))
@settings(max_examples=150)
def test_who_waits_as_long_as_told_is_let_through(limit: int, steps: list[tuple[float, int, int]], begun: float) -> None:
    async def test() -> None:
        clock = Clock(10_000 + begun)
        limits = Limits(LocalCounters(), b"s", clock)
        for passed, asked, _ in steps:
            clock.at += passed
            by = min(asked, limit)
            refused = await limits.take("a", Limit("requests", limit), by)
            if refused.wait_s:
                assert 1 <= refused.wait_s <= 2 * WINDOW_S
                clock.at += refused.wait_s
                assert (await limits.take("a", Limit("requests", limit), by)).wait_s == 0

    asyncio.run(test())


@given(limit=st.integers(5, 300), bys=st.lists(st.integers(1, 5), min_size=1, max_size=50))
@settings(max_examples=100)
def test_one_replica_gives_the_whole_limit_in_a_minute_and_tells_what_is_left(limit: int, bys: list[int]) -> None:
    async def test() -> None:
        limits, left = Limits(LocalCounters(), b"s", Clock()), limit
        for by in bys:
            standing = await limits.take("a", Limit("requests", limit), by)
            assert (standing.wait_s == 0) == (by <= left)
            left -= by if by <= left else 0
            assert standing.remaining == left

    asyncio.run(test())


def test_many_at_once_over_replicas_get_the_limit_and_not_one_more() -> None:
    async def test() -> None:
        counters, clock = Counting(), Clock()
        replicas = [Limits(counters, b"s", clock) for _ in range(4)]
        asked = [replicas[n % 4].take("a", Limit("requests", 1000), 1) for n in range(3000)]
        let = sum(not standing.wait_s for standing in await asyncio.gather(*asked))
        lot = 1000 // 100
        assert 1000 - 4 * lot <= let <= 1000

    run(test)


def test_a_replica_asks_the_shared_counters_once_for_a_hundredth_of_a_limit() -> None:
    async def test() -> None:
        counters = Counting()
        limits = Limits(counters, b"s", Clock())
        for _ in range(5000):
            assert not (await limits.take("a", Limit("requests", 6000), 1)).wait_s
        assert counters.num_asked <= 1 + math.ceil(5000 / 60)
        told = counters.num_asked
        for _ in range(5000):
            await limits.take("a", Limit("requests", 6000), 1)
        assert counters.num_asked <= told + 20  # who is over the limit costs nobody anything

    run(test)


def test_callers_and_units_are_counted_apart_and_named_by_digests() -> None:
    async def test() -> None:
        counters = Counting()
        limits = Limits(counters, b"s", Clock())
        for caller in ("address 198.51.100.7", "key 0123456789abcdef"):
            for unit in ("requests", "garments"):
                assert not (await limits.take(caller, Limit(unit, 1), 1)).wait_s
                assert (await limits.take(caller, Limit(unit, 1), 1)).wait_s
        assert len(counters.buckets) == 4
        assert not any("198.51" in bucket or "0123456789abcdef" in bucket for bucket in counters.buckets)

    run(test)


@pytest.mark.parametrize("error", [StoreError("the store does not answer"), TimeoutError(), ConnectionResetError()])
def test_counters_that_fail_leave_each_replica_its_own_limit_and_are_asked_again(error: Exception) -> None:
    async def test() -> None:
        clock, shared = Clock(), Broken(LocalCounters(), error)

        async def opened() -> Counters:
            return shared

        replicas = [Limits(FallbackCounters(opened, LocalCounters(), clock), b"s", clock) for _ in range(2)]
        let = [not (await replicas[n % 2].take("a", Limit("requests", 10), 1)).wait_s for n in range(40)]
        assert sum(let) == 20
        shared.error = None
        clock.at += 2 * WINDOW_S
        let = [not (await replicas[n % 2].take("a", Limit("requests", 10), 1)).wait_s for n in range(40)]
        assert sum(let) == 10

    run(test)


def test_counters_that_hang_do_not_hold_a_request() -> None:
    async def test() -> None:
        async def never() -> Counters:
            await asyncio.Event().wait()
            raise AssertionError

        limits = Limits(FallbackCounters(never, LocalCounters()), b"s", Clock())
        async with asyncio.timeout(5):
            assert not (await limits.take("a", Limit("requests", 10), 1)).wait_s

    run(test)


def test_two_applications_over_one_store_share_a_keys_limit(tmp_path: Path) -> None:
    async def test() -> None:
        source, clock = FileKeys(tmp_path / "keys.json"), Clock()
        _, key = await make(source, "read", requests=30)
        openings = [Opening(f"sqlite:///{tmp_path / 'store.db'}") for _ in range(2)]
        clients = [
            Doorway(source, counters=FallbackCounters(opening.counters, LocalCounters()), clock=clock).client()
            for opening in openings
        ]
        for opening in openings:
            await opening.store()
        answers = [await clients[n % 2].get("/v1/garments", headers=Caller(key).headers) for n in range(40)]
        assert [answer.status_code for answer in answers] == [503] * 30 + [
            429
        ] * 10  # let through to a service without a store
        assert_problem(answers[-1], 429, "expected at most 30 requests a minute, got more")
        wait = int(answers[-1].headers["retry-after"])
        clock.at += wait
        assert (await clients[0].get("/v1/garments", headers=Caller(key).headers)).status_code == 503
        for client in clients:
            await client.aclose()
        for opening in openings:
            await opening.close()

    run(test)


def garments(num: int) -> dict[str, Any]:
    return {"garments": [{"id": f"g{n}"} for n in range(num)]}


def test_garments_are_counted_apart_from_requests_and_more_than_a_share_is_no_matter_of_waiting(tmp_path: Path) -> None:
    async def test() -> None:
        source = FileKeys(tmp_path / "keys.json")
        _, key = await make(source, "read", garments=10)
        async with Doorway(source).client() as http:

            async def ask(num: int) -> Any:
                return await http.post("/v1/recommendations", json=garments(num), headers=Caller(key).headers)

            first = await ask(7)
            assert first.status_code == 503  # let through to a service without a model
            assert first.headers["ratelimit"] == '"garments";r=3;t=60'
            assert first.headers["ratelimit-policy"] == '"garments";q=10;w=60'
            refused = await ask(4)
            assert_problem(refused, 429, "expected at most 10 garments a minute")
            assert int(refused.headers["retry-after"]) > 0
            assert (await ask(3)).status_code == 503
            never = await ask(11)
            assert_problem(never, 422, "a minute's share, got 11", pointer="/garments")
            assert "retry-after" not in never.headers

    run(test)


def test_addresses_have_their_shares_of_a_browsers_key_and_back_ends_share_none(tmp_path: Path) -> None:
    async def test() -> None:
        source = FileKeys(tmp_path / "keys.json")
        browser = Caller((await make(source, "shopper"))[1], SHOP)
        back_end = Caller((await make(source, "read"))[1])
        door = Doorway(source, address_requests=3)
        app_of = door.client()

        async def ask(peer: str, caller: Caller, num: int) -> list[int]:
            app_of._transport.client = (peer, 1)
            return [(await app_of.post("/v1/recommendations", headers=caller.headers)).status_code for _ in range(num)]

        assert await ask("198.51.100.1", browser, 4) == [400, 400, 400, 429]
        assert await ask("198.51.100.2", browser, 1) == [400]
        assert await ask("198.51.100.1", Caller(), 1) == [429]
        assert await ask("198.51.100.3", Caller("tryon_x"), 4) == [401, 401, 401, 429]
        assert await ask("198.51.100.1", back_end, 5) == [400] * 5
        await app_of.aclose()

    run(test)


def test_an_address_over_its_share_takes_nothing_of_what_the_key_has_for_all(tmp_path: Path) -> None:
    async def test() -> None:
        source = FileKeys(tmp_path / "keys.json")
        browser = Caller((await make(source, "shopper", requests=5))[1], SHOP)
        http = Doorway(source, address_requests=2).client()
        seen = []
        for peer in ["198.51.100.1"] * 10 + ["198.51.100.2", "198.51.100.3", "198.51.100.4", "198.51.100.5"]:
            http._transport.client = (peer, 1)
            seen.append((await http.post("/v1/recommendations", headers=browser.headers)).status_code)
        assert seen == [400, 400] + [429] * 8 + [400, 400, 400, 429]
        await http.aclose()

    run(test)

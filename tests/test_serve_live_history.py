"""History as the service reads it from a store is history as fitting counts it, of styles, of customers, as of now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serve.errors import StoreError
from serve.live_history import LiveHistory
from serve.records import GarmentRecord, OrderLine
from serve.store import Store, open_store
from tryon_core.garment import Garment, Size
from tryon_core.history import FitEvent, History, HistoryConfig
from tryon_core.offers import offers_of
from tryon_core.shopper import Owned

DAY_S = 86_400.0
TODAY = 20_500.0
SIZES = ("S", "M", "L")
CONFIG = HistoryConfig(half_life_days=90.0, shopper_cap=2)


def garment(name: str, style: str = "") -> Garment:
    return Garment(name, style_id=style, sizes=tuple(Size(label) for label in SIZES))


def line(number: int, **more: Any) -> OrderLine:
    told: dict[str, Any] = {"garment_id": "g", "history_id": "g", "size": "M", "outcome": "returned", "fit": "small"}
    told |= {"ordered_at": 0.0, "occurred_at": DAY_S * TODAY, "customer": f"c{number}"} | more
    return OrderLine(order_line_id=f"line-{number}", **told)


def with_store(folder: Path, test: Callable[[Store], Awaitable[None]], config: HistoryConfig | None = CONFIG) -> None:
    async def opened() -> None:
        store = await open_store(f"sqlite:///{folder}/store.db", config)
        try:
            await test(store)
        finally:
            await store.close()

    asyncio.run(asyncio.wait_for(opened(), 60))


def live(store: Store, fitted: History | None = None, at: float = TODAY, today: float = TODAY) -> LiveHistory:
    return LiveHistory(store, (fitted or History(CONFIG), at), clock=lambda: DAY_S * today)


def test_events_replayed_through_the_store_and_through_history_give_equal_features(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names, customers = [f"g{n}" for n in range(4)], ["", "a", "b", "c"]
    lines = [
        line(
            n,
            history_id=str(rng.choice(names)),
            size=str(rng.choice(SIZES)),
            fit=str(rng.choice(["small", "fit", "large"])),
            occurred_at=DAY_S * float(rng.uniform(TODAY - 400, TODAY)),
            customer=str(rng.choice(customers)),
        )
        for n in range(300)
    ]
    expected = History(CONFIG)
    for own in lines:
        expected.add(FitEvent(own.history_id, own.size, own.customer, str(own.fit), own.day))

    async def test(store: Store) -> None:
        for start in range(0, 300, 70):
            await store.lines.put_many(lines[start : start + 70])
        every = [garment(name) for name in names]
        for customer in ("a", "b", "c", "d"):
            seen = await live(store).of(every, customer=customer)
            got = offers_of(every, seen.history, None, seen.day, owned=seen.own).history
            wanted = [expected.features(name, size, customer, TODAY) for name in names for size in SIZES]
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)

    with_store(tmp_path, test)


def test_a_line_that_was_kept_and_came_back_counts_as_it_ended_and_old_ones_fade(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        kept = line(1, outcome="kept", fit=None, occurred_at=DAY_S * (TODAY - 10))
        assert await store.lines.put_many([kept]) == ["new"]
        before = (await live(store).of([garment("g")])).history.counts(("garment", "g"), TODAY)
        np.testing.assert_allclose(before, [0, 2 ** (-10 / 90), 0])
        assert await store.lines.put_many([line(1)]) == ["superseded"]
        now = await live(store).of([garment("g")])
        np.testing.assert_allclose(now.history.counts(("garment_size", "g", "M"), TODAY), [1, 0, 0], atol=1e-9)
        later = await live(store, today=TODAY + 90).of([garment("g")])
        np.testing.assert_allclose(later.history.counts(("garment", "g"), TODAY + 90), [0.5, 0, 0], atol=1e-9)

    with_store(tmp_path, test)


def test_one_customer_counts_up_to_the_cap_on_a_garment(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await store.lines.put_many([line(n, customer="one") for n in range(9)])
        await store.lines.put_many([line(9, customer="other", fit="large", outcome="returned")])
        counts = (await live(store).of([garment("g")])).history.counts(("garment", "g"), TODAY)
        np.testing.assert_allclose(counts, [CONFIG.shopper_cap, 0, 1], atol=1e-9)

    with_store(tmp_path, test)


def test_colours_of_a_style_share_history(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await store.lines.put_many([line(1, garment_id="red", history_id="style")])
        seen = await live(store).of([garment("blue", "style"), garment("green")])
        assert seen.history.counts(("garment", "style"), TODAY)[0] == pytest.approx(1)
        assert not seen.history.counts(("garment", "green"), TODAY).any()

    with_store(tmp_path, test)


def test_own_garments_count_under_their_style_and_what_is_told_comes_before_an_order_line_of_the_same(
    tmp_path: Path,
) -> None:
    async def test(store: Store) -> None:
        await store.garments.put(GarmentRecord.of("red", {"style_id": "style"}, image=None, now=0.0))
        ordered = [line(1, history_id="style", customer="me"), line(2, size="L", fit="fit", customer="me")]
        silent = line(3, size="S", outcome="returned", fit=None, customer="me")
        await store.lines.put_many([*ordered, silent])
        told = [Owned("M", garment_id="red", fit="large", days_ago=3.0), Owned("S", brand="Acme")]
        own = (await live(store).of([garment("g")], told, "me")).own
        assert [(one.garment_id, one.size, one.fit) for one in own] == [
            ("style", "M", "large"),
            ("g", "L", "fit"),
            ("", "S", "fit"),
        ]

    with_store(tmp_path, test)


def fitted_history() -> History:
    history = History(CONFIG)
    for n in range(10):
        history.add(FitEvent("g", "M", f"s{n}", "large", 700.0))
    return history


def test_an_empty_store_begins_once_with_what_fitting_found_and_feedback_adds_to_it(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        own = live(store, fitted_history(), at=700.0)
        assert await own.seed()
        assert not await own.seed()
        await store.lines.put_many([line(1)])
        counts = (await own.of([garment("g")])).history.counts(("garment_size", "g", "M"), TODAY)
        np.testing.assert_allclose(counts, [1, 0, 10], atol=1e-6)

    with_store(tmp_path, test)


def test_what_was_fitted_up_to_a_day_of_the_calendar_has_faded_since(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        history = History(CONFIG)
        history.add(FitEvent("g", "M", "s", "large", TODAY - 90))
        own = live(store, history, at=TODAY - 90)
        unseeded = (await own.of([garment("g")])).history.counts(("garment", "g"), TODAY)
        assert await own.seed()
        seeded = (await own.of([garment("g")])).history.counts(("garment", "g"), TODAY)
        np.testing.assert_allclose([unseeded, seeded], [[0, 0, 0.5]] * 2, atol=1e-9)

    with_store(tmp_path, test)


def test_a_garment_that_the_store_does_not_know_has_the_history_of_the_model(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await store.lines.put_many([line(1, history_id="other")])
        own = live(store, fitted_history(), at=700.0)
        assert not await own.seed()
        assert (await own.of([garment("g")])).history.counts(("garment", "g"), TODAY)[2] == pytest.approx(10)

    with_store(tmp_path, test)


def test_without_the_store_history_is_what_fitting_left_and_says_so(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await store.lines.put_many([line(1)])
        await store.close()
        with pytest.raises(StoreError):
            await store.lines.counts(["g"], day=TODAY)
        seen = await live(store, fitted_history(), at=700.0).of([garment("g")], [Owned("M", "x")])
        assert seen.missing
        assert seen.history.counts(("garment", "g"), TODAY)[2] == pytest.approx(10)
        assert [one.garment_id for one in seen.own] == ["x"]

    with_store(tmp_path, test)

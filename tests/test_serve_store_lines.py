"""Order lines and fit counts in both stores, against `tryon_core.history.History`."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.records import OrderLine
from serve.sqlite_store import SqliteStore
from serve.sqlite_store.schema import STEPS
from serve.store import Store
from tests.store_cases import DAY, KINDS, NOW, Places, line, opened
from tryon_core.errors import ConfigError, InputError
from tryon_core.history import FitEvent, History, HistoryConfig

CONFIG = HistoryConfig(half_life_days=90.0, shopper_cap=2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_is_new_then_the_same_then_superseded_and_an_earlier_report_changes_nothing(
    kind: str, store_places: Places
) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            kept = line(1, customer="c", recommendation_id="r")
            returned = line(1, outcome="returned", fit="small", reason="tight", occurred_at=NOW, customer="c", size="L")
            assert await store.lines.put_many([kept, kept, line(2)]) == ["new", "same", "new"]
            assert await store.lines.put_many([kept]) == ["same"]
            assert await store.lines.get_many(["line-1", "line-2", "line-3"]) == {"line-1": kept, "line-2": line(2)}
            assert await store.lines.put_many([returned, kept]) == ["superseded", "older"]
            assert await store.lines.get_many(["line-1"]) == {"line-1": returned}
            assert await store.lines.of_customer("c") == [returned]
            assert await store.lines.of_customer("") == []
            assert await counts(store) == {("style", "M"): [0.0, 0.996, 0.0], ("style", "L"): [1.0, 0.0, 0.0]}

    asyncio.run(check())


async def counts(store: Store, *history_ids: str, day: float = NOW / DAY) -> dict[tuple[str, str], list[float]]:
    """What the store counts, rounded, without sizes of which nothing counts."""
    found = await store.lines.counts(history_ids or ["style"], day=day)
    return {key: own.round(3).tolist() for key, own in found.items() if own.round(9).any()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_may_change_its_garment_and_its_customer(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            before = line(1, customer="c", history_id="wrong", occurred_at=NOW - 1)
            after = line(1, customer="d", occurred_at=NOW)
            assert await store.lines.put_many([before, after]) == ["new", "superseded"]
            assert await store.lines.of_customer("c") == []
            assert await store.lines.of_customer("d") == [after]
            assert await counts(store, "wrong", "style") == {("style", "M"): [0.0, 1.0, 0.0]}

    asyncio.run(check())


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_reports_of_one_moment_the_same_one_stays_in_whatever_order_they_come(
    kind: str, store_places: Places
) -> None:
    async def check() -> None:
        one, other = line(1, fit="small"), line(1, fit="large", outcome="returned")
        found = []
        for reports in ((one, other), (other, one)):
            async with opened(store_places.url(kind)) as store:
                for report in reports:
                    await store.lines.put_many([report])
                found.append((await store.lines.get_many(["line-1"]), await counts(store)))
        assert found[0] == found[1]

    asyncio.run(check())


@pytest.mark.parametrize("kind", KINDS)
def test_of_one_customer_the_latest_few_count_and_those_silenced_count_again_once_others_go(
    kind: str, store_places: Places
) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind), CONFIG) as store:
            fits = ["small", "small", "large", "fit", "fit"]
            lines = [line(n, customer="c", fit=fit, occurred_at=NOW - n) for n, fit in enumerate(fits)]
            await store.lines.put_many(lines)
            assert await counts(store) == {("style", "M"): [2.0, 0.0, 0.0]}
            await store.lines.put_many([line(0, customer="c", outcome="returned", occurred_at=NOW)])  # says nothing of fit
            assert await counts(store) == {("style", "M"): [1.0, 0.0, 1.0]}
            await store.lines.put_many([line(n, fit="large", occurred_at=NOW - n) for n in (10, 11, 12)])  # nobody's
            assert await counts(store) == {("style", "M"): [1.0, 0.0, 4.0]}
            assert await store.lines.delete_customer("c") == 5
            assert await store.lines.delete_customer("c") == 0
            assert await store.lines.delete_customer("") == 0
            assert await counts(store) == {("style", "M"): [0.0, 0.0, 3.0]}
            assert await store.lines.get_many(["line-0", "line-10"]) == {
                "line-10": line(10, fit="large", occurred_at=NOW - 10)
            }

    asyncio.run(check())


@pytest.mark.parametrize("kind", KINDS)
def test_lines_without_a_customer_all_count_and_old_ones_fade(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind), CONFIG) as store:
            await store.lines.put_many([line(n, fit="small", occurred_at=NOW - 90 * DAY) for n in range(8)])
            assert await counts(store) == {("style", "M"): [4.0, 0.0, 0.0]}
            assert await counts(store, day=NOW / DAY + 90) == {("style", "M"): [2.0, 0.0, 0.0]}
            assert await store.lines.counts(["nothing"], day=NOW / DAY) == {}

    asyncio.run(check())


@pytest.mark.parametrize("kind", KINDS)
def test_every_line_is_on_one_page(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            assert await store.lines.page() == ([], "")
            lines = [line(n) for n in range(300)]
            await store.lines.put_many(lines)
            seen, cursor, pages = [], "", 0
            while True:
                page, cursor = await store.lines.page(cursor, 50)
                assert len(page) <= 60
                seen, pages = seen + page, pages + 1
                if not cursor:
                    break
            assert pages >= 6
            assert sorted(seen, key=lambda own: own.order_line_id) == sorted(lines, key=lambda own: own.order_line_id)

    asyncio.run(check())


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_history_is_seeded_once(kind: str, store_places: Places) -> None:
    async def check() -> None:
        async with opened(store_places.url(kind), CONFIG) as store:
            rows = [("style", "M", (1.0, 2.0, 3.0)), ("style", "L", np.array([0.5, 0.0, 0.0])), ("other", "M", (1, 0, 0))]
            assert await store.lines.seed(rows, day=NOW / DAY - 90)
            assert not await store.lines.seed(rows, day=NOW / DAY)
            assert await counts(store) == {("style", "M"): [0.5, 1.0, 1.5], ("style", "L"): [0.25, 0.0, 0.0]}
            await store.lines.put_many([line(1, occurred_at=NOW, customer="c")])
            assert await counts(store) == {("style", "M"): [0.5, 2.0, 1.5], ("style", "L"): [0.25, 0.0, 0.0]}
            await store.lines.delete_customer("c")
            assert await counts(store) == {("style", "M"): [0.5, 1.0, 1.5], ("style", "L"): [0.25, 0.0, 0.0]}
        async with opened(store_places.url(kind)) as store:
            await store.lines.put_many([line(1)])
            assert not await store.lines.seed(rows, day=NOW / DAY)

    asyncio.run(check())


@pytest.mark.parametrize("kind", KINDS)
def test_verdicts_age_as_they_did_when_the_store_was_made(kind: str, store_places: Places) -> None:
    async def check() -> None:
        url = store_places.url(kind)
        async with opened(url, CONFIG) as store:
            assert store.lines.history == CONFIG
        async with opened(url) as store:
            assert (store.lines.history.half_life_days, store.lines.history.shopper_cap) == (90.0, 2)
        with pytest.raises(ConfigError, match=r'half_life_days":90.0,"shopper_cap":2}, got .*half_life_days":180.0'):
            async with opened(url, HistoryConfig()):
                pass
        with pytest.raises(ConfigError, match="half life of at least 30 days, got 3"):
            async with opened(url, HistoryConfig(half_life_days=3)):
                pass

    asyncio.run(check())


@pytest.mark.parametrize("moment", [-1.0, float("nan"), float("inf"), 1e12])
def test_a_line_of_no_moment_is_refused(moment: float) -> None:
    with pytest.raises(InputError, match="a moment from 1970 to 2100"):
        line(1, occurred_at=moment)


def latest(reports: Iterable[OrderLine]) -> list[OrderLine]:
    """What is known of each line after all reports."""
    lines: dict[str, OrderLine] = {}
    for report in reports:
        known = lines.get(report.order_line_id)
        if known is None or report.supersedes(known):
            lines[report.order_line_id] = report
    return list(lines.values())


def reference(lines: Iterable[OrderLine]) -> History:
    """The core's history of lines."""
    history = History(CONFIG)
    for own in lines:
        if own.verdict:
            history.add(FitEvent(own.history_id, own.size, own.customer, own.verdict, own.day))
    return history


REPORTS = st.lists(
    st.builds(
        line,
        st.integers(0, 6),
        customer=st.sampled_from(["", "c", "c", "d"]),
        history_id=st.sampled_from(["style", "style", "other"]),
        size=st.sampled_from(["M", "L", "中"]),
        outcome=st.sampled_from(["kept", "returned", "exchanged"]),
        fit=st.sampled_from([None, "small", "fit", "large"]),
        occurred_at=st.integers(0, 5).map(lambda n: NOW - 50 * DAY * n),
    ),
    max_size=14,
)


@pytest.mark.parametrize("kind", KINDS)
def test_any_reports_in_any_order_and_twice_give_the_counts_of_the_core(kind: str, store_places: Places) -> None:
    examples = count()

    async def same(store: Store, history: History, prefix: str) -> None:
        garments = [prefix + "style", prefix + "other"]
        found = await store.lines.counts(garments, day=NOW / DAY)
        for key in ((garment, size) for garment in garments for size in ("M", "L", "中")):
            expected = history.counts(("garment_size", *key), NOW / DAY)
            np.testing.assert_allclose(found.get(key, np.zeros(3)), expected, atol=1e-9)

    async def replay(store: Store, reports: Sequence[OrderLine], chance: random.Random) -> None:
        prefix = f"{next(examples)}-"
        own = [_within(prefix, report) for report in reports]
        for _ in range(2):
            chance.shuffle(own)
            at = chance.randint(0, len(own))
            await store.lines.put_many(own[:at])
            await store.lines.put_many(own[at:])
            await same(store, reference(latest(own)), prefix)
        for customer in ("c", "d"):
            await store.lines.delete_customer(prefix + customer)
        await same(store, reference(one for one in latest(own) if not one.customer), prefix)

    with asyncio.Runner() as runner:
        context = opened(store_places.url(kind), CONFIG)
        store = runner.run(context.__aenter__())

        @settings(max_examples=40)
        @given(REPORTS, st.randoms(use_true_random=False))
        def each(reports: list[OrderLine], chance: random.Random) -> None:
            runner.run(replay(store, reports, chance))

        each()
        runner.run(context.__aexit__(None, None, None))


def _within(prefix: str, report: OrderLine) -> OrderLine:
    """A report of an example's own line, garment and customer."""
    names = {"order_line_id": prefix + report.order_line_id, "history_id": prefix + report.history_id}
    return OrderLine(**{**vars(report), **names, "customer": report.customer and prefix + report.customer})


@pytest.mark.parametrize("kind", KINDS)
def test_whole_numbers_stand_behind_the_counts_unless_some_were_seeded(kind: str, store_places: Places) -> None:
    async def tally(store: Store) -> tuple[int, int, int] | None:
        return (await store.lines.told(["style"], day=NOW / DAY))["style", "M"].tally

    def small(n: int, days: float = 20.0) -> OrderLine:
        return line(n, outcome="returned", fit="small", customer=f"c{n}", occurred_at=NOW - days * DAY)

    async def check() -> None:
        async with opened(store_places.url(kind), CONFIG) as store:
            await store.lines.put_many([*(small(n) for n in range(10)), line(10), line(11, customer="c")])
            assert await tally(store) == (10, 2, 0)
            await store.lines.put_many([line(0, outcome="returned", fit="large", customer="c0", occurred_at=NOW)])
            assert await tally(store) == (9, 2, 1)
            assert await store.lines.delete_customer("c1") == 1
            assert await tally(store) == (8, 2, 1)
        async with opened(store_places.url(kind), CONFIG) as store:
            assert await store.lines.seed([("style", "M", (3.5, 1.0, 0.0))], day=NOW / DAY)
            assert await tally(store) is None
            await store.lines.put_many([small(1)])
            assert await tally(store) is None

    asyncio.run(check())


def test_verdicts_that_were_counted_before_there_were_whole_numbers_are_told_without(store_places: Places) -> None:
    async def check() -> None:
        path = store_places.url("sqlite").removeprefix("sqlite:///")
        older = await SqliteStore.open(path, CONFIG, STEPS[:1])
        await older.close()
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("INSERT INTO counts (history_id, size, num, small, fit, large) VALUES ('style', 'M', 2, 0, 9.0, 0)")
        async with opened(f"sqlite:///{path}") as store:
            await store.lines.put_many([line(1)])
            told = (await store.lines.told(["style"], day=NOW / DAY))["style", "M"]
            assert told.tally is None
            assert told.aged[1] > 0

    asyncio.run(check())

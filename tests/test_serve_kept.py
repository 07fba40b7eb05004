"""How many kept what they ordered: who is similar, whose orders count, and what is not waited for."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import pytest

from serve.errors import UnavailableError
from serve.kept import ENOUGH, Kept, KeptRates, OrderOutcome, Peers, peers_of
from tryon_core.garment import Garment, Size

MANY = ENOUGH + 2


class Shelf:
    """Orders in memory, which may be slow or out of reach."""

    def __init__(self, **orders: Sequence[OrderOutcome]) -> None:
        self.orders, self.num_reads, self.gone = orders, 0, False
        self.ready = asyncio.Event()
        self.ready.set()

    async def outcomes(self, style: str, size: str, most: int) -> Sequence[OrderOutcome]:
        self.num_reads += 1
        await self.ready.wait()
        if self.gone:
            raise UnavailableError("the store does not answer")
        return self.orders.get(f"{style}_{size}", ())[:most]


def lines(
    num: int, kept: int, height: float | None = 165.0, weight: float | None = 60.0, who: str = "c"
) -> list[OrderOutcome]:
    return [OrderOutcome(n < kept, f"{who}{n}", height, weight) for n in range(num)]


def rate(orders: Sequence[OrderOutcome], height: float = math.nan, weight: float = math.nan) -> Kept | None:
    (found,) = asyncio.run(KeptRates(Shelf(a_M=orders), wait_s=5).rates([Peers("a", "M", height, weight)]))
    return found


@pytest.mark.parametrize(
    ("height", "weight", "similar"),
    [
        (165, 60, True),
        (168, 57, True),
        (172.4, 64, True),
        (172.5, 60, False),
        (165, 68, False),
        (150, 60, False),
        (165, math.nan, False),
    ],
)
def test_similar_are_those_whose_height_and_weight_are_within_one_step(height: float, weight: float, similar: bool) -> None:
    assert rate(lines(MANY, 7), height, weight) == Kept(7, MANY, similar)


def test_shoppers_of_whom_nothing_is_on_record_are_similar_to_nobody() -> None:
    assert rate(lines(MANY, 7, None, None), 165, 60) == Kept(7, MANY, False)


def test_similar_shoppers_are_told_alone_where_there_are_enough_of_them() -> None:
    others = lines(50, 10, 190.0, 100.0, who="o")
    assert rate(lines(ENOUGH, 9) + others, 165, 60) == Kept(9, ENOUGH, True)
    assert rate(lines(ENOUGH - 1, 9) + others, 165, 60) == Kept(19, 50 + ENOUGH - 1, False)


def test_too_few_orders_are_not_told() -> None:
    assert rate(lines(ENOUGH - 1, 3), 165, 60) is None
    assert rate([]) is None


def test_of_a_customers_orders_the_latest_counts_and_nobody_outvotes_the_others() -> None:
    again = [OrderOutcome(False, "c0", 165.0, 60.0), *lines(ENOUGH, ENOUGH), *[OrderOutcome(True, "c0")] * 90]
    assert rate(again) == Kept(ENOUGH - 1, ENOUGH, False)
    assert rate([OrderOutcome(True)] * MANY) == Kept(MANY, MANY, False)  # those who gave no key are not one person


def test_orders_are_read_once_for_a_while_however_many_ask() -> None:
    async def test() -> None:
        now, shelf = [0.0], Shelf(a_M=lines(MANY, 7))
        rates = KeptRates(shelf, wait_s=5, ttl_s=60, clock=lambda: now[0])
        asked = [Peers("a", "M"), Peers("a", "M", 165, 60)]
        await asyncio.gather(*(rates.rates(asked) for _ in range(5)))
        assert shelf.num_reads == 1
        now[0] = 61.0
        shelf.orders = {"a_M": lines(MANY, 2)}
        assert (await rates.rates(asked))[0] == Kept(2, MANY, False)
        assert shelf.num_reads == 2
        rates.forget()
        shelf.orders = {}
        assert await rates.rates(asked) == [None, None]

    asyncio.run(test())


def test_a_slow_store_is_not_waited_for_and_read_on_for_the_next() -> None:
    async def test() -> None:
        shelf = Shelf(a_M=lines(MANY, 7))
        rates = KeptRates(shelf, wait_s=0.01)
        shelf.ready.clear()
        assert await rates.rates([Peers("a", "M")]) == [None]
        shelf.ready.set()
        await asyncio.sleep(0.01)
        assert await rates.rates([Peers("a", "M")]) == [Kept(7, MANY, False)]
        assert shelf.num_reads == 1

    asyncio.run(test())


def test_a_store_out_of_reach_is_told() -> None:
    async def test() -> None:
        shelf = Shelf()
        shelf.gone = True
        with pytest.raises(UnavailableError):
            await KeptRates(shelf, wait_s=5).rates([Peers("a", "M")])

    asyncio.run(test())


def test_what_is_remembered_is_bounded() -> None:
    async def test() -> None:
        shelf = Shelf()
        rates = KeptRates(shelf, wait_s=5, entries=3)
        for n in range(6):
            await rates.rates([Peers(str(n), "M")])
        await rates.rates([Peers("5", "M"), Peers("0", "M")])
        assert shelf.num_reads == 7

    asyncio.run(test())


def test_told_numbers_come_before_predicted_ones() -> None:
    pairs = [(Garment("g", style_id="a", sizes=(Size("S"), Size("M"))), 1)]
    body = {"height_cm": 170.0, "weight_kg": 70.0}
    assert peers_of(pairs, "165 cm, likes blue", body) == [Peers("a", "M", 165.0, 70.0)]
    (unknown,) = peers_of(pairs, None, {})
    assert math.isnan(unknown.height_cm)
    assert math.isnan(unknown.weight_kg)

"""The simulated shop's orders as feedback, told week by week to a store, and history as the service reads it from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serve.live_history import LiveHistory
from serve.records import OrderLine
from serve.store import open_store
from train.data.sim import Shop
from train.sim_rows import garment_of
from tryon_core.batch import FIT_CLASSES
from tryon_core.history import History

Ints = npt.NDArray[np.int64]
_OPENED = 1_735_689_600.0
"""2025-01-01, seconds since 1970: when the shop opens."""
_DAY_S = 86_400.0
_FIRST_REPLY, _LAST_REPLY = 3.0, 14.0
"""Days until the outcome of an order is known."""


@dataclass(frozen=True)
class Shown:
    """Garments in sizes whose history is asked for."""

    garment: Ints
    size: Ints

    @classmethod
    def of(cls, shop: Shop, orders: Ints) -> Shown:
        """Return the garments and sizes of orders."""
        return cls(shop.orders.garment[orders], shop.orders.size[orders])


def order_lines(shop: Shop, chosen: Ints) -> list[OrderLine]:
    """Return orders as the shop reports them, in the order in which their outcomes were known."""
    orders = shop.orders
    known = orders.day[chosen] + np.random.default_rng([shop.config.seed, 2]).uniform(_FIRST_REPLY, _LAST_REPLY, len(chosen))
    lines = []
    for at in np.argsort(known, kind="stable").tolist():
        order = int(chosen[at])
        garment, fit = shop.garments[orders.garment[order]], int(orders.fit[order])
        line = OrderLine(
            order_line_id=f"order-{order}",
            garment_id=garment.id,
            history_id=garment.style_id,
            size=garment.sizes[orders.size[order]][0],
            outcome="kept" if orders.kept[order] else "returned",
            ordered_at=_OPENED + _DAY_S * float(orders.day[order]),
            occurred_at=_OPENED + _DAY_S * float(known[at]),
            fit=FIT_CLASSES[fit] if fit >= 0 else None,  # type: ignore[arg-type]
            customer=shop.shoppers[orders.shopper[order]].key,
        )
        lines.append(line)
    return lines


async def weekly(
    path: str, shop: Shop, lines: Sequence[OrderLine], weeks: int, *shown: Shown
) -> tuple[list[npt.NDArray[np.float32]], ...]:
    """Return part `history` before any line and after each week, a list for each of `shown`; last, how many lines had come.

    Args:
        path: of a new store.
    """
    store, now = await open_store(f"sqlite:///{path}"), _OPENED
    live = LiveHistory(store, (History(store.lines.history), 0.0), clock=lambda: now)
    garments = [garment_of(shop, number) for number in range(len(shop.garments))]
    found: tuple[list[npt.NDArray[np.float32]], ...] = tuple([] for _ in shown)
    told, counts = 0, list[int]()
    try:
        for week in range(weeks + 1):
            now = _OPENED + 7 * week * _DAY_S
            upto = told + sum(line.occurred_at <= now for line in lines[told:])
            await store.lines.put_many(lines[told:upto])
            told = upto
            counts.append(told)
            seen = await live.of(garments)
            for own, features in zip(shown, found, strict=True):
                names = ((shop.garments[g], int(s)) for g, s in zip(own.garment, own.size, strict=True))
                each = [seen.history.features(g.style_id, g.sizes[s][0], None, seen.day) for g, s in names]
                features.append(np.stack(each))
    finally:
        await store.close()
    return (*found, counts)  # type: ignore[return-value]

"""What only the simulated shop can tell of its orders: oracles' chances, groups, and every size that was on offer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tryon_core.batch import FIT_CLASSES, Column
from tryon_core.garment import Garment, size_numbers
from tryon_core.history import History

from .data import labels
from .data.sim import Shop, truth
from .data.untold import blind_oracle
from .offered import Offered
from .replay import Line
from .rows import Array

Ids = npt.NDArray[np.int64]
_FIT = FIT_CLASSES.index("fit")
_THIRDS = ("smallest third", "middle third", "largest third")
_BMI = {"under 18.5": 0.0, "18.5 to 25": 18.5, "25 to 30": 25.0, "30 and more": 30.0}
"""Least body mass index of each range, kg/m²."""

_DEPARTMENT = {"female": "women", "male": "men"}


class SizesOffered:
    """Looks at every size of the garments of chosen orders, while orders are replayed.

    Args:
        garments: in the shop's order.
        chosen: int64[M], orders of interest, ascending; of them those count that were kept and called a fit.
    """

    def __init__(self, shop: Shop, garments: Sequence[Garment], chosen: Ids) -> None:
        orders = shop.orders
        right = (orders.fit[chosen] == _FIT) & (orders.kept[chosen] > 0)
        self._shop, self._garments, self._chosen = shop, garments, chosen[right]
        self._row = {int(order): int(row) for row, order in zip(np.flatnonzero(right), chosen[right], strict=True)}
        self._kept: dict[str, Array] = {}
        self._seen: list[tuple[Array, Array]] = []

    def __call__(self, number: int, line: Line, history: History) -> None:
        """Look at an order before its verdict counts, and count what is kept."""
        orders = self._shop.orders
        garment = self._garments[orders.garment[number]]
        kept = self._kept.setdefault(garment.history_id, np.zeros(len(garment.sizes)))
        if number in self._row:
            sizes = [history.features(line.garment, size.label, line.shopper, line.day) for size in garment.sizes]
            self._seen.append((np.stack(sizes), kept.copy()))
        kept[orders.size[number]] += orders.kept[number]

    def result(self) -> Offered | None:
        """Return the offers; None where no order was kept and called a fit."""
        if not len(self._chosen):
            return None
        orders, chosen = self._shop.orders, self._chosen
        nums = np.array([len(kept) for _, kept in self._seen])
        each, size = np.repeat(chosen, nums), np.concatenate([np.arange(num) for num in nums])
        shopper, garment = orders.shopper[each], orders.garment[each]
        history = np.concatenate([features for features, _ in self._seen])
        kept = np.concatenate([kept for _, kept in self._seen])
        middle = np.abs(2 * size / (np.repeat(nums, nums) - 1) - 1)
        return Offered(
            row=np.repeat([self._row[int(order)] for order in chosen], nums),
            size=_sizes(self._garments, garment, size),
            history=Column(history, np.arange(len(history))),
            right=size == orders.size[each],
            usual=-_misfit_of_usual(self._shop, shopper, garment, size),
            kept=kept - 1e-3 * middle,
            oracle=truth(self._shop, shopper, garment, size)[0][:, _FIT],
        )


def extra_of(shop: Shop, chosen: Ids) -> dict[str, Array]:
    """Return `Rows.extra` of the chosen orders: oracles with and without what is untold, shoppers and their groups.

    Every other shopper set aside is to be calibrated on, the rest to be scored.
    """
    orders = shop.orders
    shopper, garment, size = orders.shopper[chosen], orders.garment[chosen], orders.size[chosen]
    told = np.array([labels.CUT_EASE[own.cut] for own in shop.garments])
    height, weight = (shop.bodies.column(name)[shopper].astype(np.float64) for name in ("height_cm", "weight_kg"))
    last = np.array([len(own.sizes) - 1 for own in shop.garments])[garment]
    return {
        "oracle_fit": orders.oracle_fit[chosen],
        "oracle_match": orders.oracle_kept[chosen],
        "oracle_blind_fit": blind_oracle(shop.truth, told, shopper, garment, size),
        "shopper": shopper,
        "calibrate": shop.holdout[shopper] & (shopper % 2 == 0),
        "group_brand": np.where(shop.unseen[garment], "unseen", "seen"),
        "group_sex": np.array([own.sex for own in shop.shoppers])[shopper],
        "group_size": np.array(_THIRDS)[np.minimum(3 * size // (last + 1), 2)],
        "group_bmi": _named(weight / (height / 100) ** 2, _BMI),
        "group_category": np.array([own.category for own in shop.garments])[garment],
    }


def _named(values: Array, ranges: dict[str, float]) -> Array:
    return np.array([*ranges])[np.searchsorted([*ranges.values()], values, side="right") - 1]


def _sizes(garments: Sequence[Garment], garment: Ids, size: Ids) -> Column[Array]:
    """Return part `size` of garments in sizes."""
    pairs, index = np.unique(np.stack([garment, size], axis=1), axis=0, return_inverse=True)
    numbers = np.stack([size_numbers(garments[g], s) for g, s in pairs.tolist()])
    return Column(numbers, index.reshape(-1).astype(np.int64))


def _misfit_of_usual(shop: Shop, shopper: Ids, garment: Ids, size: Ids) -> Array:
    """Return how far, in cm, the body that a typical brand makes a size for is from that of the shopper's usual size."""
    usual = np.array([labels.typical_girth(_DEPARTMENT[own.sex], own.usual_size) for own in shop.shoppers])
    offered = [[labels.typical_girth(own.department, label) for label, _ in own.sizes] for own in shop.garments]
    own = np.array([offered[g][s] for g, s in zip(garment.tolist(), size.tolist(), strict=True)])
    return np.asarray(np.abs(own - usual[shopper]))

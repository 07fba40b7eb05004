"""The simulated shop as rows: what its people and garments look like, say and are, and how their orders ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.batch import LOOKS, Column
from tryon_core.config import ImageTower, ModelConfig, TextTower
from tryon_core.errors import ConfigError, expected_one_of
from tryon_core.garment import Garment, Size, garment_words, size_numbers
from tryon_core.person import frame_mask
from tryon_core.photo import prepare
from tryon_core.text import text_arrays

from .data.sim import Shop, SimConfig, build_shop, image_of, mask_of, photo_of
from .replay import Line, replay
from .rows import Array, Rows, tastes, told_apart, used_by
from .sim_truth import SizesOffered, extra_of
from .sources import Data

Ids = npt.NDArray[np.int64]
Make = Callable[[Ids], Any]
"""From the numbers of shoppers, garments or garments' sizes to a part's values."""


def sim_data(config: ModelConfig, options: SimConfig, splits: Sequence[str]) -> Data:
    """Draw a shop and return its orders, of people who are either fitted on or scored on.

    Those fitted on have no row of a brand set aside; such orders only make history, as they do in a shop whose model is
    older than a brand. The grouping `brand` tells those of brands set aside; cameras set aside took all of ``val``.
    """
    shop = build_shop(options)
    garments = [garment_of(shop, j) for j in range(len(shop.garments))]
    held = shop.holdout[shop.orders.shopper]
    makers = _makers(shop, config, garments)
    unseen = shop.unseen[shop.orders.garment]
    chosen = {name: np.flatnonzero(held if name == "val" else ~held & ~unseen) for name in splits}
    for name, orders in chosen.items():
        if not len(orders):
            raise ConfigError(f"expected a shop with orders to {name} on, got none: {options.shoppers} shoppers are too few")
    extra = {name: extra_of(shop, orders) for name, orders in chosen.items()}
    sizes = _sizes_offered(shop, garments, chosen, extra)
    features, history, day = replay(_lines(shop, garments), look=sizes)
    rows = {name: _rows(shop, makers, features, orders, extra[name]) for name, orders in chosen.items()}
    found = sizes.result()
    about = {"source": "sim"} | {name: value for name, value in asdict(options).items() if value != ""}
    return Data(rows, history, day, about, {} if found is None else {"val": found})


def _sizes_offered(
    shop: Shop, garments: Sequence[Garment], chosen: dict[str, Ids], extra: dict[str, dict[str, Array]]
) -> SizesOffered:
    """Return what looks at the sizes on offer to those who are scored."""
    orders = chosen.get("val", np.zeros(0, dtype=np.int64))
    apart = extra["val"]["calibrate"] if "val" in extra else np.zeros(0, dtype=bool)
    return SizesOffered(shop, garments, orders[~apart] if told_apart(apart) else orders)


def _rows(shop: Shop, makers: dict[str, Make], history: Array, chosen: Ids, extra: dict[str, Array]) -> Rows:
    """Return the chosen orders; only what they need is drawn."""
    orders = shop.orders
    shopper, garment = orders.shopper[chosen], orders.garment[chosen]
    said = np.array([bool(person.words) for person in shop.shoppers])
    numbers = {
        "person_mask": shopper,
        "photo": shopper,
        "shopper_words": np.where(said[shopper], shopper, -1),
        "garment_image": garment,
        "garment_words": garment,
        "size": _first_sizes(shop)[garment] + orders.size[chosen],
    }
    parts: dict[str, Column[Any]] = {"history": Column(history[chosen], np.arange(len(chosen)))}
    for part, make in makers.items():
        used, index = used_by(numbers[part])
        parts[part] = Column(make(used), index)
    looks = {name: np.array([names.index(getattr(g, name)) for g in shop.garments]) for name, names in LOOKS.items()}
    fit, kept = orders.fit[chosen], orders.kept[chosen].astype(np.float32)
    targets: dict[str, Array] = {
        "fit": fit,
        "match": kept,
        "body": shop.bodies.measurements()[shopper],
        **{name: classes[garment] for name, classes in looks.items()},
        **{f"taste_{name}": tastes(kept, fit, looks[name][garment], len(LOOKS[name])) for name in LOOKS},
    }
    return Rows(parts, targets, extra)


def _makers(shop: Shop, config: ModelConfig, garments: Sequence[Garment]) -> dict[str, Make]:
    """Return how the values of each part are made that the model uses and the shop has; others are missing in its rows.

    Raises:
        ConfigError: the model uses none of the shop's parts.
    """
    if not any(part in _DRAWN for part in config.parts):
        raise ConfigError(expected_one_of("part of the simulated shop", " and ".join(config.parts), _DRAWN))
    found: dict[str, Make] = {}
    for part, tower_name in config.parts.items():
        tower = config.towers[tower_name]
        if part in _IMAGES and isinstance(tower, ImageTower):
            found[part] = _pictures(partial(_IMAGES[part], shop, tower))
        elif isinstance(tower, TextTower) and part in ("shopper_words", "garment_words"):
            texts = [s.words for s in shop.shoppers] if part == "shopper_words" else [garment_words(g) for g in garments]
            found[part] = _texts(texts, tower)
        elif part == "size":
            found[part] = _all_sizes(garments)
    return found


def _pictures(draw: Callable[[int], Array]) -> Make:
    return lambda ids: np.stack([draw(number) for number in ids.tolist()])


def _texts(texts: Sequence[str | None], tower: TextTower) -> Make:
    return lambda ids: text_arrays([texts[i] or "" for i in ids], tower.rows, tower.max_tokens)


def _all_sizes(garments: Sequence[Garment]) -> Make:
    numbers = np.stack([size_numbers(garment, s) for garment in garments for s in range(len(garment.sizes))])
    return lambda ids: numbers[ids]


def _prepared(pixels: Array, tower: ImageTower) -> Array:
    return prepare(pixels, tower.height, tower.width, denoise_sigma=tower.denoise_sigma)


_IMAGES: dict[str, Callable[[Shop, ImageTower, int], Array]] = {
    "person_mask": lambda shop, tower, i: frame_mask(mask_of(shop, i), tower.height, tower.width),
    "photo": lambda shop, tower, i: _prepared(photo_of(shop, i), tower),
    "garment_image": lambda shop, tower, j: _prepared(image_of(shop, j, max(tower.height, tower.width)), tower),
}
"""How each image part is drawn, prepared as serving prepares it."""
_DRAWN = (*_IMAGES, "shopper_words", "garment_words", "size", "history")
"""What the shop has."""


def _first_sizes(shop: Shop) -> Ids:
    """Return int64[G], the number of each garment's first size among all garments' sizes."""
    return np.cumsum([0, *(len(garment.sizes) for garment in shop.garments[:-1])]).astype(np.int64)


def garment_of(shop: Shop, number: int) -> Garment:
    """Return one of the shop's garments as a shop describes it."""
    told = shop.garments[number]
    sizes = tuple(Size(label, chart=chart) for label, chart in told.sizes)
    texts = {name: getattr(told, name) for name in ("title", "brand", "department", "category", "description", "style_id")}
    return Garment(id=told.id, sizes=sizes, **texts)


def _lines(shop: Shop, garments: Sequence[Garment]) -> Iterator[Line]:
    orders = shop.orders
    columns = (orders.shopper, orders.garment, orders.size, orders.day, orders.fit)
    for shopper, garment, size, day, fit in zip(*(column.tolist() for column in columns), strict=True):
        bought = garments[garment]
        yield Line(bought.history_id, bought.sizes[size].label, shop.shoppers[shopper].key, day, fit)

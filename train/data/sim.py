"""The simulated shop: people, garments and dated orders with known truth, and their pictures on demand.

It joins what the other modules draw and knows no model. Every picture and word depends on the shop's seed and its own
place alone, so that neither the order of calls nor the process changes it. Some shoppers, brands and cameras are set
aside: nobody is fitted on them, and the cameras photograph the shoppers set aside and nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.batch import CUTS, DEPARTMENTS, PATTERNS
from tryon_core.errors import ConfigError

from . import labels
from .bodies import SEXES, Bodies, draw_bodies
from .cameras import Rig, draw_rig
from .faults import blemish
from .figures import render_mask, render_photo
from .orders import draw_orders
from .phrases import Facts, shopper_words
from .products import CLOTHES, render_product
from .stock import CLOTHES_OF, COLOUR_NAMES, SimGarment, draw_stock
from .streams import Stream, stream_rng
from .survey import read_survey
from .views import View, draw_view

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

_AVOIDED_SHARE = 0.4
"""Share of the shoppers who want none of something."""


@dataclass(frozen=True)
class SimConfig:
    """How large a shop is drawn, and from which seed."""

    seed: int = 0
    shoppers: int = 40_000
    garments: int = 2_000
    brands: int = 60
    cameras: int = 40
    orders: int = 150_000
    days: float = 730.0
    """Orders are spread evenly over [0, days)."""
    spread: float = 1.1
    """How much wider than the survey's soldiers the public is."""
    female_share: float = 0.6
    chartless_share: float = 0.2
    """Share of the styles whose size charts aren't published."""
    silent_share: float = 0.25
    """Share of the orders whose shopper told no fit."""
    holdout_share: float = 0.15
    """Share of the shoppers set aside."""
    unseen_share: float = 0.2
    """Share of the brands, and of the cameras, that are set aside."""
    bodies: str = ""
    """Folder with a survey's files (see `survey`), about whose people bodies are drawn; empty for the shipped statistics."""

    def __post_init__(self) -> None:
        for name in ("shoppers", "garments", "brands", "cameras", "orders"):
            if getattr(self, name) < 1:
                raise ConfigError(f"expected {name} of at least 1, got {getattr(self, name)}")
        for name in ("female_share", "chartless_share", "silent_share", "holdout_share", "unseen_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"expected {name} in [0, 1], got {getattr(self, name)}")
        if self.seed < 0 or self.days <= 0 or self.spread <= 0:
            raise ConfigError(f"expected seed >= 0, days > 0, spread > 0, got {self.seed}, {self.days}, {self.spread}")


@dataclass(frozen=True, kw_only=True)
class SimShopper(Facts):
    """A person with their facts and taste, in the order of `Shop.bodies`."""

    key: str
    words: str
    view: View


@dataclass(frozen=True)
class Shop:
    """A simulated shop."""

    config: SimConfig
    bodies: Bodies
    shoppers: list[SimShopper]
    garments: list[SimGarment]
    orders: labels.Orders
    holdout: npt.NDArray[np.bool_]
    """bool[shoppers], people set aside."""
    unseen: npt.NDArray[np.bool_]
    """bool[garments], those of brands set aside."""
    rigs: list[Rig]
    """Cameras; those set aside come first."""
    truth: labels.Truth
    """What decides, behind `truth`."""


def build_shop(config: SimConfig) -> Shop:
    """Return the shop of a config; the same config gives the same shop in every process.

    Raises:
        InputError: the config names a survey with a fault.
    """
    rng = stream_rng(config.seed, Stream.BODY)
    people = read_survey(config.bodies) if config.bodies else None
    bodies = draw_bodies(config.shoppers, rng, female_share=config.female_share, spread=config.spread, people=people)
    holdout = rng.random(config.shoppers) < config.holdout_share
    rigs = [draw_rig(stream_rng(config.seed, Stream.CAMERA, index)) for index in range(config.cameras)]
    shoppers = [
        _draw_shopper(config, bodies, index, _rigs_for(rigs, config, bool(holdout[index])))
        for index in range(config.shoppers)
    ]
    garments, ladders = draw_stock(config.seed, config.garments, config.brands, config.chartless_share)
    aside = stream_rng(config.seed, Stream.UNSEEN).permutation(config.brands)[
        : _set_aside(config.brands, config.unseen_share)
    ]
    unseen = np.isin([garment.brand_number for garment in garments], aside)
    truth = _truth_of(bodies, shoppers, garments, ladders)
    rng = stream_rng(config.seed, Stream.ORDER)
    orders = draw_orders(truth, config.orders, rng, days=config.days, silent_share=config.silent_share)
    return Shop(config, bodies, shoppers, garments, orders, holdout, unseen, rigs, truth)


def truth(shop: Shop, shopper_rows: Ints, garment_rows: Ints, size_rows: Ints) -> tuple[Array, Array]:
    """Return P(small, fit, large), float64[N, 3], and P(kept), float64[N], of shoppers with garments in sizes.

    Arguments are int64[N] that broadcast together. Raises:
        InputError: a garment has no such size.
    """
    return labels.oracle(shop.truth, *np.broadcast_arrays(shopper_rows, garment_rows, size_rows))


def mask_of(shop: Shop, index: int, height: int = 384, width: int = 256, *, take: int = 0) -> Pixels:
    """Return a shopper's silhouette with a segmenter's faults, uint8[height, width], 0 or 255.

    Take 0 is of the same shot as `photo_of`; each other take has a pose, clothes and a camera of its own.
    """
    rng = stream_rng(shop.config.seed, Stream.MASK, index, take)
    shopper = shop.shoppers[index]
    view = shopper.view
    if take:
        rigs = _rigs_for(shop.rigs, shop.config, bool(shop.holdout[index]))
        view = draw_view(rng, shopper.sex == "female", rigs[int(rng.integers(len(rigs)))])
    return blemish(render_mask(shop.bodies.row(index), view, height, width), rng)


def photo_of(shop: Shop, index: int, height: int = 384, width: int = 256) -> Pixels:
    """Return a shopper's photo, RGB uint8[height, width, 3]."""
    return render_photo(shop.bodies.row(index), shop.shoppers[index].view, height, width)


def image_of(shop: Shop, index: int, size: int = 96) -> Pixels:
    """Return a garment's product photo, RGB uint8[size, size, 3]."""
    garment = shop.garments[index]
    rng = stream_rng(shop.config.seed, Stream.IMAGE, index)
    looks = garment.category, garment.colour, garment.pattern, garment.cut
    return render_product(*looks, rng, size, weave=garment.fabric.weave)


def _set_aside(num: int, share: float) -> int:
    """Return how many of `num` are set aside: some wherever a share is asked for, and never all."""
    return min(max(round(share * num), int(share > 0)), num - 1)


def _rigs_for(rigs: list[Rig], config: SimConfig, held_out: bool) -> list[Rig]:
    """Return the cameras that photograph people set aside, or those of everybody else."""
    aside = _set_aside(config.cameras, config.unseen_share)
    return rigs[:aside] if held_out and aside else rigs[aside:]


def _draw_shopper(config: SimConfig, bodies: Bodies, index: int, rigs: list[Rig]) -> SimShopper:
    rng = stream_rng(config.seed, Stream.SHOPPER, index)
    sex, body = SEXES[bodies.sex[index]], bodies.row(index)
    kinds = CLOTHES_OF[_DEPARTMENT_OF[sex]]
    usual, other = labels.usual_sizes(_DEPARTMENT_OF[sex], np.array([body[key] for key in labels.GIRTHS]), rng)
    taste: dict[str, Any] = {
        "colours": tuple(COLOUR_NAMES[at] for at in rng.permutation(len(COLOUR_NAMES))[: int(rng.integers(2, 4))]),
        "cut": CUTS[int(rng.integers(3))] if rng.random() < 0.7 else "",
        "pattern": PATTERNS[int(rng.integers(5))] if rng.random() < 0.65 else "",
        "category": kinds[int(rng.integers(len(kinds)))] if rng.random() < 0.7 else "",
    }
    facts = Facts(
        sex=sex,
        height_cm=body["height_cm"],
        weight_kg=body["weight_kg"],
        usual_size=usual,
        other_size=other if rng.random() < 0.3 else "",
        avoids=_avoided(taste, rng) if rng.random() < _AVOIDED_SHARE else (),
        **taste,
    )
    words, view = shopper_words(facts, rng), draw_view(rng, sex == "female", rigs[int(rng.integers(len(rigs)))])
    return SimShopper(**vars(facts), key=f"shopper-{config.seed}-{index}", words=words, view=view)


def _avoided(taste: Mapping[str, Any], rng: np.random.Generator) -> tuple[str, ...]:
    """Return one or two of the patterns, colours and cuts that are not liked; patterns more often than not."""
    liked = {taste["cut"], taste["pattern"], *taste["colours"]}
    kinds = (PATTERNS, PATTERNS, COLOUR_NAMES, CUTS)
    found: list[str] = []
    for _ in range(int(rng.integers(1, 3))):
        choices = [name for name in kinds[int(rng.integers(len(kinds)))] if name not in liked]
        found.append(choices[int(rng.integers(len(choices)))])
    return tuple(dict.fromkeys(found))


_DEPARTMENT_OF = {"female": "women", "male": "men"}


def _truth_of(
    bodies: Bodies, shoppers: list[SimShopper], garments: list[SimGarment], ladders: list[labels.Ladder]
) -> labels.Truth:
    columns = [*COLOUR_NAMES, *CUTS, *PATTERNS, *CLOTHES]
    place = {name: at for at, name in enumerate(columns)}
    liked, traits = np.zeros((len(shoppers), len(columns))), np.zeros((len(garments), len(columns)))
    for row, shopper in enumerate(shoppers):
        asked = {
            "colour": shopper.colours,
            "cut": [shopper.cut],
            "pattern": [shopper.pattern],
            "category": [shopper.category],
        }
        told = {kind: [place[name] for name in names if name] for kind, names in asked.items()}
        total = sum(labels.LIKING[kind] for kind, places in told.items() if places)
        for kind, places in told.items():
            liked[row, places] = labels.LIKING[kind] / total
        liked[row, [place[name] for name in shopper.avoids]] = -labels.DISLIKING
    centres = np.full((len(garments), max(len(ladder.labels) for ladder in ladders), 3), np.nan)
    for row, (garment, ladder) in enumerate(zip(garments, ladders, strict=True)):
        traits[row, [place[name] for name in (garment.colour, garment.cut, garment.pattern, garment.category)]] = 1
        centres[row, : len(ladder.labels)] = ladder.centres
    return labels.Truth(
        girths=np.stack([bodies.column(key) for key in labels.GIRTHS], axis=1).astype(np.float64),
        liked=liked,
        traits=traits,
        centres=centres,
        steps=np.stack([ladder.steps for ladder in ladders]),
        relevance=np.array([labels.RELEVANCE[garment.category] for garment in garments]),
        hidden=np.array([garment.hidden for garment in garments]),
        stretch=np.array([garment.fabric.stretch for garment in garments]),
        shops_in=np.array([DEPARTMENTS.index(_DEPARTMENT_OF[shopper.sex]) for shopper in shoppers]),
        department=np.array([DEPARTMENTS.index(garment.department) for garment in garments]),
    )

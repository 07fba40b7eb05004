"""The simulated shop: people, garments and dated orders with known truth, and their pictures on demand.

It joins what the other modules draw and knows no model. Every picture and word depends on the shop's seed and its own
place alone, so that neither the order of calls nor the process changes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from tryon_core.batch import DEPARTMENTS, PATTERNS
from tryon_core.errors import ConfigError

from . import labels
from .bodies import SEXES, Bodies, draw_bodies
from .faults import blemish
from .figures import View, draw_view, render_mask, render_photo
from .orders import draw_orders
from .phrases import Facts, brand_name, garment_description, garment_title, shopper_words
from .products import CLOTHES, COLOURS, CUTS, render_product

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

_COLOURS, _CUTS = tuple(COLOURS), tuple(CUTS)
_BODY, _SHOPPER, _GARMENT, _ORDER, _MASK, _IMAGE, _BRAND = range(7)
"""Streams of random numbers."""


@dataclass(frozen=True)
class SimConfig:
    """How large a shop is drawn, and from which seed."""

    seed: int = 0
    shoppers: int = 20_000
    garments: int = 2_000
    brands: int = 60
    orders: int = 120_000
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

    def __post_init__(self) -> None:
        for name in ("shoppers", "garments", "brands", "orders"):
            if getattr(self, name) < 1:
                raise ConfigError(f"expected {name} of at least 1, got {getattr(self, name)}")
        for name in ("female_share", "chartless_share", "silent_share", "holdout_share"):
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
class SimGarment:
    """A garment of one colour."""

    id: str
    style_id: str
    """Shared by the colours of a style, which are cut alike."""
    title: str
    brand: str
    category: str
    department: str
    """women or men"""
    description: str
    colour: str
    pattern: str
    cut: str
    sizes: tuple[tuple[str, dict[str, tuple[float, float]]], ...]
    """Label, and the chart of the body it is made for, cm; an empty chart is not published."""
    hidden: float
    """Steps by which it is untoldly made for larger bodies: the brand's bias, the style's offset and the cut."""


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
    truth: labels.Truth
    """What decides, behind `truth`."""


def build_shop(config: SimConfig) -> Shop:
    """Return the shop of a config; the same config gives the same shop in every process."""
    rng = _rng(config.seed, _BODY)
    bodies = draw_bodies(config.shoppers, rng, female_share=config.female_share, spread=config.spread)
    holdout = rng.random(config.shoppers) < config.holdout_share
    shoppers = [_draw_shopper(config, bodies, index) for index in range(config.shoppers)]
    garments, ladders = _draw_garments(config)
    truth = _truth_of(bodies, shoppers, garments, ladders)
    orders = draw_orders(truth, config.orders, _rng(config.seed, _ORDER), days=config.days, silent_share=config.silent_share)
    return Shop(config, bodies, shoppers, garments, orders, holdout, truth)


def truth(shop: Shop, shopper_rows: Ints, garment_rows: Ints, size_rows: Ints) -> tuple[Array, Array]:
    """Return P(small, fit, large), float64[N, 3], and P(kept), float64[N], of shoppers with garments in sizes.

    Arguments are int64[N] that broadcast together. Raises:
        InputError: a garment has no such size.
    """
    return labels.oracle(shop.truth, *np.broadcast_arrays(shopper_rows, garment_rows, size_rows))


def mask_of(shop: Shop, index: int, height: int = 384, width: int = 256, *, take: int = 0) -> Pixels:
    """Return a shopper's silhouette with a segmenter's faults, uint8[height, width], 0 or 255.

    It is drawn at twice the size, since the outline of a polygon is drawn up to a pixel too wide: at a height of 192, a
    figure would be 8 % broader than in its photo.
    Take 0 is of the same shot as `photo_of`; each other take has a pose, clothes and a camera of its own.
    """
    rng = _rng(shop.config.seed, _MASK, index, take)
    shopper = shop.shoppers[index]
    view = draw_view(rng, shopper.sex == "female") if take else shopper.view
    double = Image.fromarray(render_mask(shop.bodies.row(index), view, 2 * height, 2 * width))
    return blemish(np.where(np.asarray(double.reduce(2)) >= 128, 255, 0).astype(np.uint8), rng)


def photo_of(shop: Shop, index: int, height: int = 384, width: int = 256) -> Pixels:
    """Return a shopper's photo, RGB uint8[height, width, 3]."""
    return render_photo(shop.bodies.row(index), shop.shoppers[index].view, height, width)


def image_of(shop: Shop, index: int, size: int = 96) -> Pixels:
    """Return a garment's product photo, RGB uint8[size, size, 3]."""
    garment = shop.garments[index]
    rng = _rng(shop.config.seed, _IMAGE, index)
    return render_product(garment.category, garment.colour, garment.pattern, garment.cut, rng, size)


def _rng(*key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(key))


def _draw_shopper(config: SimConfig, bodies: Bodies, index: int) -> SimShopper:
    rng = _rng(config.seed, _SHOPPER, index)
    sex, body = SEXES[bodies.sex[index]], bodies.row(index)
    kinds = _CLOTHES_OF[_DEPARTMENT_OF[sex]]
    facts = Facts(
        sex=sex,
        height_cm=body["height_cm"],
        weight_kg=body["weight_kg"],
        usual_size=labels.usual_size(_DEPARTMENT_OF[sex], np.array([body[key] for key in labels.GIRTHS]), rng),
        colours=tuple(_COLOURS[at] for at in rng.permutation(len(_COLOURS))[: int(rng.integers(2, 4))]),
        cut=_CUTS[int(rng.integers(3))] if rng.random() < 0.7 else "",
        pattern=PATTERNS[int(rng.integers(5))] if rng.random() < 0.5 else "",
        category=kinds[int(rng.integers(len(kinds)))] if rng.random() < 0.6 else "",
    )
    words, view = shopper_words(facts, rng), draw_view(rng, sex == "female")
    return SimShopper(**vars(facts), key=f"shopper-{config.seed}-{index}", words=words, view=view)


_DEPARTMENT_OF = {"female": "women", "male": "men"}
_CLOTHES_OF = {"women": CLOTHES, "men": tuple(kind for kind in CLOTHES if kind not in ("dress", "skirt"))}


def _draw_garments(config: SimConfig) -> tuple[list[SimGarment], list[labels.Ladder]]:
    """Return the garments, style by style, and the ladder of each."""
    rngs = [_rng(config.seed, _BRAND, index) for index in range(config.brands)]
    brands = [(brand_name(rng), labels.draw_brand(rng)) for rng in rngs]
    garments: list[SimGarment] = []
    ladders: list[labels.Ladder] = []
    style = 0
    while len(garments) < config.garments:
        rng = _rng(config.seed, _GARMENT, style)
        name, brand = brands[int(rng.integers(len(brands)))]
        department = "women" if rng.random() < 0.55 else "men"
        key, charted = f"{config.seed}-{style}", rng.random() >= config.chartless_share
        garments += _draw_style(key, name, brand, department, charted, rng)
        ladder = brand.ladders[department]
        ladders += [ladder] * (len(garments) - len(ladders))
        style += 1
    return garments[: config.garments], ladders[: config.garments]


def _draw_style(
    key: str, name: str, brand: labels.Brand, department: str, charted: bool, rng: np.random.Generator
) -> list[SimGarment]:
    """Return one style in one to three colours."""
    kinds, ladder = _CLOTHES_OF[department], brand.ladders[department]
    category, cut = kinds[int(rng.integers(len(kinds)))], _CUTS[int(rng.integers(3))]
    pattern = PATTERNS[int(rng.integers(1, 5))] if rng.random() < 0.55 else "plain"
    hidden = brand.bias + rng.normal(0, labels.OFFSET_STEPS) + labels.CUT_EASE[cut]
    keys = labels.relevant_girths(category) if charted else ()
    sizes = tuple((label, ladder.chart(at, keys)) for at, label in enumerate(ladder.labels))
    return [
        SimGarment(
            id=f"garment-{key}-{_COLOURS[at]}",
            style_id=f"style-{key}",
            title=garment_title(name, category, _COLOURS[at], pattern, cut, rng),
            brand=name,
            category=category,
            department=department,
            description=garment_description(category, _COLOURS[at], pattern, cut, rng),
            colour=_COLOURS[at],
            pattern=pattern,
            cut=cut,
            sizes=sizes,
            hidden=hidden,
        )
        for at in rng.permutation(len(_COLOURS))[: int(rng.integers(1, 4))]
    ]


def _truth_of(
    bodies: Bodies, shoppers: list[SimShopper], garments: list[SimGarment], ladders: list[labels.Ladder]
) -> labels.Truth:
    columns = [*_COLOURS, *_CUTS, *PATTERNS, *CLOTHES]
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
        shops_in=np.array([DEPARTMENTS.index(_DEPARTMENT_OF[shopper.sex]) for shopper in shoppers]),
        department=np.array([DEPARTMENTS.index(garment.department) for garment in garments]),
    )

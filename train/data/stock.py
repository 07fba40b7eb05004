"""What the simulated shop sells: brands, styles in colours, cloths and size charts; knows no shopper and no picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tryon_core.batch import CUTS, PATTERNS

from . import labels
from .blurbs import Looks, brand_name, garment_description, garment_title
from .fabrics import Fabric, draw_fabric
from .products import CLOTHES, COLOURS
from .streams import Stream, stream_rng

COLOUR_NAMES = tuple(COLOURS)
CLOTHES_OF = {"women": CLOTHES, "men": tuple(kind for kind in CLOTHES if kind not in ("dress", "skirt"))}
"""Department to its categories."""
_WOMENS_SHARE, _PLAIN_SHARE = 0.55, 0.45


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
    fabric: Fabric
    sizes: tuple[tuple[str, dict[str, tuple[float, float]]], ...]
    """Label, and the chart of the body it is made for, cm; an empty chart is not published."""
    hidden: float
    """Steps by which it is untoldly made for larger bodies: the brand's bias, the style's offset and the cut."""
    brand_number: int
    """Which brand of the shop's it is."""


def draw_stock(seed: int, num: int, num_brands: int, chartless_share: float) -> tuple[list[SimGarment], list[labels.Ladder]]:
    """Return garments, style by style, and the ladder of each; what a style is depends on the seed and its place alone."""
    brands = _draw_brands(seed, num_brands)
    garments: list[SimGarment] = []
    ladders: list[labels.Ladder] = []
    style = 0
    while len(garments) < num:
        rng = stream_rng(seed, Stream.GARMENT, style)
        number = int(rng.integers(num_brands))
        department = "women" if rng.random() < _WOMENS_SHARE else "men"
        ladder = brands[number][1].ladders[department]
        garments += _draw_style(f"{seed}-{style}", number, brands[number], department, rng.random() >= chartless_share, rng)
        ladders += [ladder] * (len(garments) - len(ladders))
        style += 1
    return garments[:num], ladders[:num]


def _draw_brands(seed: int, num: int) -> list[tuple[str, labels.Brand]]:
    """Return brands of different names, so that a name never tells of another brand's bias."""
    brands: dict[str, labels.Brand] = {}
    for index in range(num):
        rng = stream_rng(seed, Stream.BRAND, index)
        name = brand_name(rng)
        while name in brands:
            name = brand_name(rng)
        brands[name] = labels.draw_brand(rng)
    return list(brands.items())


def _draw_style(
    key: str, number: int, brand: tuple[str, labels.Brand], department: str, charted: bool, rng: np.random.Generator
) -> list[SimGarment]:
    """Return one style in one to three colours."""
    name, sizing = brand
    kinds, ladder = CLOTHES_OF[department], sizing.ladders[department]
    category, cut = kinds[int(rng.integers(len(kinds)))], CUTS[int(rng.integers(3))]
    pattern = "plain" if rng.random() < _PLAIN_SHARE else PATTERNS[int(rng.integers(1, len(PATTERNS)))]
    fabric = draw_fabric(category, rng)
    keys = labels.relevant_girths(category) if charted else ()
    style: dict[str, Any] = {
        "style_id": f"style-{key}",
        "brand": name,
        "category": category,
        "department": department,
        "pattern": pattern,
        "cut": cut,
        "fabric": fabric,
        "sizes": tuple((label, ladder.chart(at, keys)) for at, label in enumerate(ladder.labels)),
        "hidden": sizing.bias + rng.normal(0, labels.OFFSET_STEPS) + labels.CUT_EASE[cut],
        "brand_number": number,
    }
    return [
        SimGarment(
            id=f"garment-{key}-{colour}",
            title=garment_title(name, looks, fabric, rng),
            description=garment_description(looks, fabric, rng),
            colour=colour,
            **style,
        )
        for at in rng.permutation(len(COLOUR_NAMES))[: int(rng.integers(1, 4))]
        for colour in (COLOUR_NAMES[at],)
        for looks in (Looks(category, colour, pattern, cut),)
    ]

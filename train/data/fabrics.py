"""What garments are made of and how far it gives; knows no picture, no word and no fit."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from tryon_core.errors import ConfigError, expected_one_of

WEAVES = {"woven": 0.0, "denim": 0.0, "jersey": 0.35, "knit": 0.5, "rib": 0.65}
"""How far a cloth gives by the way it is made, without elastane, in [0, 1]."""
_PER_ELASTANE = 0.08
"""How much further a cloth gives for each per cent of elastane."""
_ELASTANE, _ELASTANE_ODDS = (0, 2, 3, 5, 8), (0.5, 0.2, 0.1, 0.15, 0.05)
"""Per cent, and how common it is."""
_WEAVE_ODDS: dict[str, dict[str, float]] = {
    "t-shirt": {"jersey": 0.75, "rib": 0.15, "woven": 0.1},
    "longsleeve": {"jersey": 0.5, "knit": 0.3, "rib": 0.2},
    "shirt": {"woven": 0.8, "jersey": 0.1, "denim": 0.1},
    "dress": {"woven": 0.5, "jersey": 0.3, "knit": 0.2},
    "outwear": {"woven": 0.7, "denim": 0.15, "knit": 0.15},
    "pants": {"woven": 0.45, "denim": 0.35, "jersey": 0.2},
    "shorts": {"woven": 0.45, "denim": 0.3, "jersey": 0.25},
    "skirt": {"woven": 0.55, "denim": 0.2, "jersey": 0.15, "rib": 0.1},
}
_FIBRES: dict[str, tuple[str, ...]] = {
    "woven": ("cotton", "linen", "viscose", "polyester", "wool"),
    "denim": ("cotton",),
    "jersey": ("cotton", "viscose", "polyester"),
    "knit": ("wool", "cotton", "acrylic"),
    "rib": ("cotton", "viscose"),
}


@dataclass(frozen=True)
class Fabric:
    """A cloth."""

    weave: str
    """One of `WEAVES`."""
    fibre: str
    elastane: int
    """Per cent of the cloth; the rest is the fibre."""

    def __post_init__(self) -> None:
        if self.weave not in WEAVES:
            raise ConfigError(expected_one_of("weave", self.weave, WEAVES))
        if not 0 <= self.elastane < 100:
            raise ConfigError(f"expected elastane in [0, 100) per cent, got {self.elastane}")

    @property
    def stretch(self) -> float:
        """How far the cloth gives, in [0, 1]: 0 not at all, 1 as far as clothes are made to."""
        return min(1.0, WEAVES[self.weave] + _PER_ELASTANE * self.elastane)


def draw_fabric(category: str, rng: np.random.Generator) -> Fabric:
    """Return a fabric that is usual in a category.

    Raises:
        ConfigError: the category is unknown.
    """
    if category not in _WEAVE_ODDS:
        raise ConfigError(expected_one_of("category", category, _WEAVE_ODDS))
    odds = _WEAVE_ODDS[category]
    weave = tuple(odds)[bisect(list(accumulate(tuple(odds.values())[:-1])), rng.random())]
    fibres = _FIBRES[weave]
    elastane = _ELASTANE[bisect(list(accumulate(_ELASTANE_ODDS[:-1])), rng.random())]
    return Fabric(weave, fibres[int(rng.integers(len(fibres)))], elastane)

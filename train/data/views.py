"""How a person stands, is dressed and is photographed, and where; knows nothing of bodies, garments or words."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from .cameras import Rig, Shot, draw_rig, take_shot

Array = npt.NDArray[np.float64]
Colour = tuple[int, int, int]
_PALETTES: dict[str, tuple[Colour, ...]] = {
    "skin": ((245, 208, 180), (226, 178, 142), (198, 142, 104), (150, 100, 70), (105, 68, 48), (74, 48, 36)),
    "hair": ((30, 24, 22), (62, 42, 30), (110, 74, 44), (190, 150, 90), (120, 116, 112), (130, 60, 36)),
    "shoes": ((25, 25, 28), (90, 60, 40), (70, 72, 80), (150, 30, 40)),
}
_RANGES = {"turn_rad": (-0.35, 0.35), "fill": (0.7, 0.97), "shift_x": (0.2, 0.8), "shift_y": (0.2, 0.8)}
_RANGES |= {"flare": (0.0, 0.5), "hem": (-0.03, 0.08), "top_length": (0.0, 1.0)}
_BOTTOMS, _HAIRDOS = ("trousers", "shorts", "skirt", "dress"), ("bald", "short", "bob", "long")
_ODDS = {True: ((0.5, 0.12, 0.16, 0.22), (0.0, 0.25, 0.3, 0.45)), False: ((0.75, 0.25, 0, 0), (0.1, 0.85, 0.04, 0.01))}
"""Of bottoms and hairdos, of women and of men."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One pose, camera, outfit and scene; lengths in statures, angles in radians, pairs are (left, right)."""

    rig: Rig
    shot: Shot
    fill: float
    """Share of the picture's height or width, whichever binds first, that the person takes."""
    shift_x: float
    shift_y: float
    turn_rad: float
    """Of the body about its height: mixes depth into breadth."""
    arms_rad: tuple[float, float]
    elbows_rad: tuple[float, float]
    legs_rad: tuple[float, float]
    looseness: float
    """How much the clothes widen the waist, as a share; other parts follow."""
    bottoms: str
    """trousers, shorts, skirt or dress"""
    sleeves: str
    """short or long"""
    hairdo: str
    """bald, short, bob or long"""
    flare: float
    hem: float
    top_length: float
    colours: Mapping[str, Colour]
    """Of skin, hair, top, bottom, shoes, and of the wall at its foot and head."""
    seed: int
    """Of the photo's noise."""


def draw_view(rng: np.random.Generator, female: bool, rig: Rig | None = None) -> View:
    """Draw a view, by a rig of its own unless one is given, in which every colour stands out from the background."""
    rig = rig or draw_rig(rng)
    draws = zip(_RANGES.items(), rng.random(len(_RANGES)).tolist(), strict=True)
    parts: dict[str, Any] = {name: low + (high - low) * draw for (name, (low, high)), draw in draws}
    angles = np.abs(rng.normal(0, 1, 6) * (0.14, 0.14, 0.1, 0.1, 0.03, 0.03) + (0.26, 0.26, 0, 0, 0.05, 0.05))
    arms, elbows, legs = (tuple(pair) for pair in angles.clip(0.0, 0.75).reshape(3, 2).tolist())
    return View(
        **parts,
        rig=rig,
        shot=take_shot(rig, rng),
        arms_rad=arms,
        elbows_rad=elbows,
        legs_rad=legs,
        looseness=float(rng.gamma(2.0, 0.025)),
        bottoms=_pick(rng, _BOTTOMS, _ODDS[female][0]),
        sleeves=_pick(rng, ("short", "long"), (0.5, 0.5)),
        hairdo=_pick(rng, _HAIRDOS, _ODDS[female][1]),
        colours=_draw_colours(rng),
        seed=int(rng.integers(2**32)),
    )


def _pick(rng: np.random.Generator, names: tuple[str, ...], odds: tuple[float, ...]) -> str:
    return names[bisect(list(accumulate(odds[:-1])), rng.random())]


def _draw_colours(rng: np.random.Generator) -> dict[str, Colour]:
    wall = _tint(rng.normal(rng.uniform(205, 250) if rng.random() < 0.7 else rng.uniform(120, 215), 7, 3))
    colours = {"wall_foot": wall, "wall_head": _tint(np.array(wall) + rng.normal(0, 8))}
    for name, palette in _PALETTES.items():
        choices = [colour for colour in palette if _apart(colour, wall)]
        colours[name] = choices[int(rng.integers(len(choices)))]
    for name in ("top", "bottom"):
        while name not in colours or not _apart(colours[name], wall):
            colours[name] = _tint(rng.uniform(15, 245, 3))
    return colours


def _tint(values: Array) -> Colour:
    red, green, blue = (min(max(int(value), 0), 255) for value in values.tolist())
    return red, green, blue


def _apart(colour: Colour, wall: Colour) -> bool:
    return any(abs(a - b) >= 60 for a, b in zip(colour, wall, strict=True))

"""How garments are cut: the outline of each category in each cut, and its seams; knows no colour and no cloth.

Points are shares of the picture: x from the middle to the right, y down.
"""

from __future__ import annotations

import numpy as np

Point = tuple[float, float]

CUTS = {"slim": 0.84, "regular": 1.0, "loose": 1.19}
"""Width of the garment in the picture, as a share of the regular cut's."""
_WAIST = {"slim": 0.9, "regular": 1.0, "loose": 1.05}
"""Width of a top's waist, as a share of its chest's."""
_LEG = {"slim": 0.8, "regular": 1.0, "loose": 1.2}
"""Width of a leg's end, as a share of the regular cut's, on top of the cut's width."""
_DROP = {"slim": -0.01, "regular": 0.0, "loose": 0.025}
"""How much lower hems are."""
_TOPS: dict[str, tuple[float, float, float, float]] = {
    "t-shirt": (0.42, 0.79, 0.07, 0.175),
    "longsleeve": (0.8, 0.81, 0.07, 0.17),
    "shirt": (0.81, 0.85, 0.055, 0.16),
    "outwear": (0.82, 0.9, 0.06, 0.165),
}
"""Of each top: where its sleeves and its hem end, half its neck's width, and how deep the neck is."""


def half_outline(category: str, cut: str, rng: np.random.Generator) -> list[Point]:
    """Return the right half of the outline from the top down; its ends, and no other points, are on the middle."""
    width, drift = CUTS[cut] * rng.uniform(0.985, 1.015), rng.uniform(-0.02, 0.02) + _DROP[cut]
    if category in _TOPS:
        half = _top(category, cut, drift, rng)
    elif category == "dress":
        half = _dress(cut, drift, rng)
    elif category == "skirt":
        flare = rng.choice((0.17, 0.22, 0.28))
        half = [(0.0, 0.19), (0.15, 0.19), (0.2, 0.34), (flare, 0.76 + 3 * drift), (0.0, 0.77 + 3 * drift)]
    else:
        half = _legs(category, cut, drift)
    return [(x * width, y) for x, y in half]


def _top(category: str, cut: str, drift: float, rng: np.random.Generator) -> list[Point]:
    sleeve, hem, neck, deep = _TOPS[category]
    v_neck = category in ("t-shirt", "longsleeve") and rng.random() < 0.3
    deep += 0.05 if v_neck else 0.0
    bulk = 0.015 if category == "outwear" else 0.0
    wide = 0.02 if cut == "loose" else 0.0
    if category == "t-shirt":
        arm = [(0.36 + wide, 0.37 + wide), (0.29, 0.44 + wide)]
    else:
        arm = [(0.41 + bulk, sleeve - 0.03), (0.345 - bulk - wide, sleeve)]
    throat = [(0.0, deep)] if v_neck else [(0.0, deep), (0.6 * neck, deep - 0.015)]
    body = [(0.205, 0.36 + wide), (0.195 * _WAIST[cut], 0.58), (0.205, hem + drift), (0.0, hem + drift)]
    return [*throat, (neck, 0.125), (0.215 + bulk, 0.175), *arm, *body]


def _dress(cut: str, drift: float, rng: np.random.Generator) -> list[Point]:
    waist = 0.13 * _WAIST[cut]
    skirt = [(waist, 0.46), (0.17, 0.58), (rng.choice((0.18, 0.24, 0.29)), 0.92 + drift), (0.0, 0.93 + drift)]
    if rng.random() < 0.45:
        return [(0.0, 0.15), (0.06, 0.1), (0.17, 0.13), (0.27, 0.27), (0.21, 0.32), (0.165, 0.25), (0.16, 0.32), *skirt]
    return [(0.0, 0.17), (0.07, 0.12), (0.08, 0.07), (0.12, 0.07), (0.14, 0.2), (0.18, 0.28), *skirt]


def _legs(category: str, cut: str, drift: float) -> list[Point]:
    hem, middle = (0.93, 0.115) if category == "pants" else (0.6, 0.14)
    half = (0.075 if category == "pants" else 0.1) * _LEG[cut]
    ends = [(middle + half, hem + drift), (max(middle - half, 0.012), hem + drift)]
    return [(0.0, 0.08), (0.16, 0.08), (0.2, 0.28), *ends, (0.0, 0.37)]


def seams(category: str, half: list[Point], rng: np.random.Generator) -> tuple[list[list[Point]], list[Point]]:
    """Return the lines and the buttons of a garment with that outline."""
    if category in _TOPS:
        return _top_seams(category, half, rng)
    (_, top), (edge, _) = half[0], half[1]
    if category == "dress":
        waist = next(x for x, y in half if y == 0.46)
        return [[(-waist, 0.46), (waist, 0.46)]], []
    band = [(-1.1 * edge, top + 0.045), (1.1 * edge, top + 0.045)]
    if category == "skirt":
        pleats = [[(x * edge, top + 0.05), (1.5 * x * edge, half[-1][1])] for x in (-0.6, 0.0, 0.6)]
        return [band, *(pleats if rng.random() < 0.6 else [])], []
    pockets = [[(side * 0.55 * edge, top + 0.05), (side * 1.15 * edge, top + 0.13)] for side in (-1, 1)]
    fly = [(0.0, top + 0.045), (0.0, half[-1][1])]
    return [band, fly, *pockets], [(0.0, top + 0.022)]


def _top_seams(category: str, half: list[Point], rng: np.random.Generator) -> tuple[list[list[Point]], list[Point]]:
    middle, bottom = half[0][1], half[-1][1]
    at = next(index for index, (_, y) in enumerate(half) if y == 0.125)
    neck, shoulder, cuff, inner, armpit = half[at][0], half[at + 1], half[at + 2], half[at + 3], half[at + 4]
    sleeves = [[(side * shoulder[0], shoulder[1]), (side * armpit[0], armpit[1])] for side in (-1, 1)]
    cuffs = [[_towards(cuff, shoulder, side), _towards(inner, armpit, side)] for side in (-1, 1)]
    if category in ("t-shirt", "longsleeve"):
        collar = [(-1.35 * neck, 0.13), (0.0, middle + 0.028), (1.35 * neck, 0.13)]
        return [*sleeves, *cuffs, collar, [(-0.3, bottom - 0.025), (0.3, bottom - 0.025)]], []
    front = [(0.0, middle), (0.0, bottom)]
    if category == "shirt":
        collar = [(-neck, 0.125), (-0.7 * neck, 0.225), (0.0, middle), (0.7 * neck, 0.225), (neck, 0.125)]
        pocket = [(0.05, 0.36), (0.05, 0.45), (0.13, 0.45), (0.13, 0.36), (0.05, 0.36)]
        return [*sleeves, *cuffs, front, collar, *([pocket] if rng.random() < 0.5 else [])], _buttons(0.25, bottom)
    pockets = [[(side * 0.07, 0.66), (side * 0.17, 0.63)] for side in (-1, 1)]
    if rng.random() < 0.5:
        lapels = [(-neck, 0.125), (-1.6 * neck, 0.3), (0.0, 0.48), (1.6 * neck, 0.3), (neck, 0.125)]
        return [*sleeves, *cuffs, *pockets, [(0.0, 0.48), (0.0, bottom)], lapels], _buttons(0.54, min(bottom, 0.8))
    stand = [(-1.3 * neck, 0.15), (0.0, middle + 0.03), (1.3 * neck, 0.15)]
    return [*sleeves, *cuffs, *pockets, front, [(0.012, middle), (0.012, bottom)], stand], []


def _towards(end: Point, start: Point, side: int) -> Point:
    """Return a point a little up a sleeve's edge."""
    return side * (0.9 * end[0] + 0.1 * start[0]), 0.9 * end[1] + 0.1 * start[1]


def _buttons(first: float, last: float) -> list[Point]:
    return [(0.0, float(y)) for y in np.arange(first, last - 0.04, 0.1)]

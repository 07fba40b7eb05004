"""How a person stands, is dressed and is photographed, and where; knows nothing of bodies, garments or words."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from .cameras import Rig, Shot, draw_rig, take_shot
from .poses import Pose, draw_pose
from .scenes import Colour, Scene, draw_scene, tint

_PALETTES: dict[str, tuple[Colour, ...]] = {
    "skin": ((245, 208, 180), (226, 178, 142), (198, 142, 104), (150, 100, 70), (105, 68, 48), (74, 48, 36)),
    "hair": ((30, 24, 22), (62, 42, 30), (110, 74, 44), (190, 150, 90), (120, 116, 112), (130, 60, 36)),
    "shoes": ((25, 25, 28), (90, 60, 40), (70, 72, 80), (150, 30, 40), (225, 222, 218)),
}
_QUIET = ((28, 30, 36), (40, 48, 84), (92, 96, 104), (226, 224, 218), (60, 84, 130), (120, 96, 76))
"""Colours that most clothes have."""
_BOTTOMS = ("trousers", "shorts", "skirt", "dress")
_HAIRDOS = ("bald", "short", "bob", "long", "bun", "curly")
_ODDS = {
    True: ((0.5, 0.12, 0.16, 0.22), (0.0, 0.2, 0.22, 0.36, 0.12, 0.1)),
    False: ((0.75, 0.25, 0, 0), (0.1, 0.78, 0.03, 0.01, 0.01, 0.07)),
}
"""Of bottoms and hairdos, of women and of men."""
_BAREFOOT_SHARE, _BAG_SHARE, _BAGGY_SHARE, _JACKET_SHARE = 0.4, 0.03, 0.04, 0.02
_HEELED_SHARE, _HEEL, _SOLE = {True: 0.12, False: 0.02}, (0.015, 0.055), (0.004, 0.018)
"""Share of the shod in heels, of women and of men; how high heels and soles lift a person, in statures."""


@dataclass(frozen=True, kw_only=True)
class Outfit:
    """What a person wears; lengths in statures."""

    looseness: float
    """How much the clothes widen the waist, as a share; other parts follow."""
    boxiness: float
    """How far the top hangs straight down from the chest, in [0, 1], and so hides the waist."""
    jacket: bool
    bottoms: str
    """trousers, shorts, skirt or dress"""
    sleeves: str
    """none, short or long"""
    flare: float
    """How much wider a skirt's hem is than the hip, and a leg's than the leg, as a share."""
    hem: float
    """How far over the knee skirts and shorts end."""
    top_length: float
    """Of the top over the trousers, in [0, 1]."""
    lift: float
    """How far shoes lift the heel; the shod are taller in the picture by this."""
    barefoot: bool
    hairdo: str
    """bald, short, bob, long, bun or curly"""
    bag: bool
    """Held in the right hand; no part of the person."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One pose, camera, outfit and scene."""

    rig: Rig
    shot: Shot
    fill: float
    """Share of the picture's height or width, whichever binds first, that the person takes."""
    shift: tuple[float, float]
    """Where the person stands in what room is left, from the left and from the top, in [0, 1]."""
    pose: Pose
    outfit: Outfit
    colours: Mapping[str, Colour]
    """Of skin, hair, top, bottom and shoes."""
    scene: Scene
    seed: int
    """Of the photo's noise."""


def draw_view(rng: np.random.Generator, female: bool, rig: Rig | None = None) -> View:
    """Draw a view, by a rig of its own unless one is given, in which every colour stands out from the wall."""
    rig = rig or draw_rig(rng)
    scene = draw_scene(rng)
    return View(
        rig=rig,
        shot=take_shot(rig, rng),
        fill=float(rng.uniform(0.7, 0.97)),
        shift=(float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.2, 0.8))),
        pose=draw_pose(rng),
        outfit=draw_outfit(rng, female),
        colours=_draw_colours(rng, scene.wall),
        scene=scene,
        seed=int(rng.integers(2**32)),
    )


def draw_outfit(rng: np.random.Generator, female: bool) -> Outfit:
    """Draw what somebody wears for a photo that asks for clothes that fit closely; a minority comes in loose ones."""
    jacket, baggy = rng.random() < _JACKET_SHARE, rng.random() < _BAGGY_SHARE
    looseness = float(rng.gamma(2.0, 0.006)) + (float(rng.uniform(0.03, 0.12)) if baggy or jacket else 0.0)
    barefoot = rng.random() < _BAREFOOT_SHARE
    heeled = rng.random() < _HEELED_SHARE[female]
    lift = float(rng.uniform(*(_HEEL if heeled else _SOLE)))
    return Outfit(
        looseness=looseness,
        boxiness=float(rng.uniform(0.3, 0.9)) if baggy or jacket else float(rng.beta(1.0, 40.0)),
        jacket=jacket,
        bottoms=_pick(rng, _BOTTOMS, _ODDS[female][0]),
        sleeves="long" if jacket else _pick(rng, ("none", "short", "long"), (0.12, 0.48, 0.4)),
        flare=float(rng.uniform(0, 0.5)) if rng.random() < 0.5 else float(rng.uniform(0, 0.15)),
        hem=float(rng.uniform(-0.03, 0.08)),
        top_length=float(rng.random()),
        lift=0.0 if barefoot else lift,
        barefoot=barefoot,
        hairdo=_pick(rng, _HAIRDOS, _ODDS[female][1]),
        bag=rng.random() < _BAG_SHARE,
    )


def _pick(rng: np.random.Generator, names: tuple[str, ...], odds: tuple[float, ...]) -> str:
    return names[bisect(list(accumulate(odds[:-1])), rng.random())]


def _draw_colours(rng: np.random.Generator, wall: Colour) -> dict[str, Colour]:
    colours: dict[str, Colour] = {}
    for name, palette in _PALETTES.items():
        choices = [colour for colour in palette if _apart(colour, wall)] or list(palette)
        colours[name] = choices[int(rng.integers(len(choices)))]
    for name in ("top", "bottom"):
        while name not in colours or not _apart(colours[name], wall):
            quiet = np.array(_QUIET[int(rng.integers(len(_QUIET)))]) + rng.normal(0, 8, 3)
            colours[name] = tint(quiet if rng.random() < 0.5 else rng.uniform(15, 245, 3))
    return colours


def _apart(colour: Colour, wall: Colour) -> bool:
    return any(abs(a - b) >= 60 for a, b in zip(colour, wall, strict=True))

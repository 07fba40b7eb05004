"""Where a photo is taken: walls, floors, things that stand about, and light; knows nothing of people.

Places are shares of the picture from its left and top, so that a scene suits any size. It is as rich as a segmenter
feels it and no richer: lines, corners and shadows near a person, and light from one side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from .cameras import Rig

Colour = tuple[int, int, int]
Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
_PLAIN_SHARE = 0.35
_SHADED = 48
"""Height in pixels at which shadows are blurred: they are soft, and small pictures are fast."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A place and its light."""

    wall: Colour
    """At its middle."""
    fall: tuple[float, float]
    """Grey levels by which the wall is lighter at its right than at its left, and at its head than at its foot."""
    floor: Colour | None
    """None where the wall has no end, as a photographer's paper."""
    floor_rise: float
    """How far over the feet the floor ends, as a share of the person's height."""
    things: tuple[tuple[float, float, float, float, Colour], ...]
    """Boxes at the wall: left, top, right, bottom, and colour."""
    light: float
    """From where it comes: -1 left to 1 right."""
    shadow: float
    """How dark the person's shadow is, in [0, 1]."""


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw a place: a third are plain, the others have a floor and things."""
    wall = tint(rng.normal(rng.uniform(205, 250) if rng.random() < 0.7 else rng.uniform(120, 215), 7, 3))
    plain = rng.random() < _PLAIN_SHARE
    floor = None if plain else tint(np.array(wall) * rng.uniform(0.45, 0.95) + rng.normal(0, 12, 3))
    things = [] if plain else [thing for _ in range(int(rng.integers(0, 4))) for thing in _draw_thing(rng, wall)]
    return Scene(
        wall=wall,
        fall=(float(rng.normal(0, 7)), float(rng.normal(0, 8))),
        floor=floor,
        floor_rise=float(rng.uniform(0.02, 0.16)),
        things=tuple(things),
        light=float(rng.uniform(-1, 1)),
        shadow=float(rng.uniform(0, 0.12 if plain else 0.3)),
    )


def _draw_thing(rng: np.random.Generator, wall: Colour) -> list[tuple[float, float, float, float, Colour]]:
    """Return a door, a picture, a cupboard or a window: a box in a frame."""
    left, top = rng.uniform(-0.1, 0.9), rng.choice((0.0, 0.1, 0.25, 0.5))
    width, height = rng.uniform(0.1, 0.4), rng.choice((0.15, 0.3, 0.7, 1.0))
    frame, inside = (tint(np.array(wall) + rng.normal(0, 32) + rng.normal(0, 10, 3)) for _ in range(2))
    right, bottom, edge = left + width, min(top + height, 0.94), rng.uniform(0.008, 0.025)
    outer = (float(left), float(top), float(right), float(bottom), frame)
    return [outer, (float(left + edge), float(top + edge), float(right - edge), float(bottom), inside)]


def tint(values: npt.NDArray[np.float64]) -> Colour:
    """Return a colour from numbers that may be out of range."""
    red, green, blue = (min(max(int(value), 0), 255) for value in values.tolist())
    return red, green, blue


def paint_scene(scene: Scene, person: Image.Image, feet: float, tall: float) -> Image.Image:
    """Return the place without the person, an RGB image of the size of `person`.

    Args:
        person: the silhouette, an L image, which throws a shadow.
        feet: where the feet stand, in pixels from the top.
        tall: height of the person in pixels.
    """
    width, height = person.size
    canvas = Image.new("RGB", (width, height), scene.wall)
    draw = ImageDraw.Draw(canvas)
    for left, top, right, bottom, colour in scene.things:
        draw.rectangle((left * width, top * height, right * width, bottom * height), fill=colour)
    if scene.floor is not None:
        line = feet - scene.floor_rise * tall
        draw.rectangle((0, line, width, height), fill=scene.floor)
        draw.rectangle((0, line - 0.012 * tall, width, line), fill=tint(np.array(scene.floor) * 0.9 + 20.0))
    shade = _shadow(person, scene)
    canvas.paste((30, 30, 36), (0, 0), shade)
    return canvas


def _shadow(person: Image.Image, scene: Scene) -> Image.Image:
    """Return how dark the person's shadow on wall and floor is: what they hide of the light, away from it and soft."""
    width, height = person.size
    small = person.resize((max(1, _SHADED * width // height), _SHADED), Image.Resampling.BOX)
    aside = round(-scene.light * 0.08 * small.width)
    moved = Image.new("L", small.size)
    moved.paste(small, (aside, 1))
    soft = moved.filter(ImageFilter.GaussianBlur(1.6)).point(lambda value: int(value * scene.shadow))
    return soft.resize(person.size, Image.Resampling.BILINEAR)


def lit(pixels: Pixels, person: Image.Image, scene: Scene, rig: Rig, seed: int) -> Pixels:
    """Return what a camera makes of a picture, uint8[H, W, 3]: light from one side, round bodies, its tone and noise.

    Args:
        person: the silhouette, an L image of the same size.
    """
    height, width, _ = pixels.shape
    across, down = (np.linspace(-1, 1, num, dtype=np.float32) for num in (width, height))
    fall = 0.5 * (scene.fall[0] * across[None, :] - scene.fall[1] * down[:, None])
    volume = _volume(person, scene.light)
    light = rig.exposure * volume * (1 - 0.5 * rig.vignette * (across[None, :] ** 2 + down[:, None] ** 2))
    tone = np.array([rig.warmth, 0.0, -rig.warmth], dtype=np.float32)
    noise = np.random.default_rng(seed).standard_normal(pixels.shape, dtype=np.float32)
    return np.clip((pixels + fall[..., None]) * light[..., None] + tone + rig.grain * noise, 0, 255).astype(np.uint8)


def _volume(person: Image.Image, light: float) -> Floats:
    """Return how much light falls where, float32[H, W], about 1: bodies are round, darker to their edge and away from it."""
    width, height = person.size
    small = person.resize((max(1, 2 * _SHADED * width // height), 2 * _SHADED), Image.Resampling.BOX)
    soft = np.asarray(small.filter(ImageFilter.GaussianBlur(2.5)), dtype=np.float32) / 255
    side = np.gradient(soft, axis=1)
    shade = 0.78 + 0.26 * soft - 1.1 * light * side
    grown = Image.fromarray(shade.astype(np.float32)).resize(person.size, Image.Resampling.BILINEAR)
    inside = np.asarray(person, dtype=np.float32) / 255
    return np.asarray(1 + (np.asarray(grown) - 1) * inside, dtype=np.float32)

"""Draws a garment's product photo from category, colour, pattern, cut and weave; knows nothing of sizes, people or words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from tryon_core.batch import CATEGORIES, PATTERNS
from tryon_core.errors import ConfigError, expected_one_of

from .cloths import Colour, rgb, smoothly, weave_cloth
from .cuts import CUTS, Point, half_outline, seams
from .fabrics import WEAVES

CLOTHES = CATEGORIES[:8]
"""The categories that are drawn."""

COLOURS: dict[str, Colour] = {
    "black": (32, 32, 36),
    "white": (236, 236, 232),
    "grey": (136, 138, 142),
    "navy": (32, 42, 88),
    "blue": (52, 104, 196),
    "green": (52, 132, 78),
    "red": (190, 38, 44),
    "pink": (232, 148, 172),
    "yellow": (232, 196, 62),
    "orange": (226, 120, 42),
    "purple": (112, 62, 146),
    "brown": (112, 74, 48),
}
"""RGB in [0, 255] of a colour's middle; a photo strays from it a little."""
_BACKDROPS = ((250, 250, 250), (238, 236, 232), (226, 230, 234), (236, 226, 214), (214, 208, 202), (206, 214, 208))
_BACKDROP_ODDS = (0.4, 0.15, 0.15, 0.12, 0.1, 0.08)
_COARSE = 48
"""Side at which smooth light is computed."""
_STITCH: Colour = (206, 150, 70)
"""Of denim's seams."""


def render_product(
    category: str,
    colour: str,
    pattern: str,
    cut: str,
    rng: np.random.Generator,
    size: int = 96,
    *,
    weave: str = "woven",
) -> npt.NDArray[np.uint8]:
    """Return a product photo on a light background, RGB uint8[size, size, 3].

    Raises:
        ConfigError: a name is unknown.
    """
    _check(category, colour, pattern, cut, weave)
    side = 2 * size
    half = half_outline(category, cut, rng)
    base = np.clip(np.array(COLOURS[colour]) + rng.normal(0, 9, 3), 0, 255)
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).polygon(_placed(_mirrored(half), side), fill=255)
    cloth = weave_cloth(base, pattern, weave, side, rng)
    _sew(cloth, category, half, _STITCH if weave == "denim" else _ink(base), side, rng)
    return _photographed(_hung(_rounded(cloth, mask), mask, rng), rng)


def _hung(cloth: Image.Image, mask: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return a cloth a little askew before a backdrop, on which it throws a shadow; at half its size."""
    side = cloth.width
    turn = float(rng.normal(0, 2.5))
    moved = (round(rng.normal(0, 0.01) * side), round(rng.normal(0, 0.01) * side))
    wall = _backdrop(side, rng)
    hung = mask.rotate(turn, translate=moved)
    shade = (
        hung.reduce(2)
        .filter(ImageFilter.GaussianBlur(side / 100))
        .point(lambda value: int(value * 0.24))
        .resize((side, side))
    )
    wall.paste((70, 70, 76), (round(rng.uniform(-0.012, 0.014) * side), side // 70), shade)
    wall.paste(cloth.rotate(turn, translate=moved), (0, 0), hung)
    return wall.reduce(2)


def _photographed(scene: Image.Image, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return a scene as a camera has it, in light of some tone and with noise."""
    photo = np.asarray(scene, dtype=np.float32)
    tone = (rng.uniform(0.93, 1.03) + rng.normal(0, 0.008, 3)).astype(np.float32)
    noise = rng.standard_normal(photo.shape, dtype=np.float32)
    return (photo * tone + 1.5 * noise).clip(0, 255).astype(np.uint8)


def _check(category: str, colour: str, pattern: str, cut: str, weave: str) -> None:
    named = (("colour", colour, COLOURS), ("pattern", pattern, PATTERNS), ("cut", cut, CUTS), ("weave", weave, WEAVES))
    for what, name, known in (*named, ("category", category, CLOTHES)):
        if name not in known:
            raise ConfigError(expected_one_of(what, name, known))


def _backdrop(side: int, rng: np.random.Generator) -> Image.Image:
    """Return what a garment lies on or hangs before: paper, a wall or pale boards, lighter to one corner."""
    chosen = _BACKDROPS[int(rng.choice(len(_BACKDROPS), p=_BACKDROP_ODDS))]
    across = np.linspace(-1, 1, _COARSE)
    light = rng.normal(0, 4) * across + rng.normal(0, 4) * across[:, None]
    tint = np.array(chosen) + rng.normal(0, 3, 3)
    pixels = smoothly(light, side)[..., None] + tint.astype(np.float32)
    if rng.random() < 0.12:
        pixels[:, np.mod(np.arange(side) / side * rng.uniform(4, 8), 1) < 0.05] -= 10
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _rounded(cloth: Image.Image, mask: Image.Image) -> Image.Image:
    """Return cloth that is a little darker to the garment's edge, as what is filled or hangs is."""
    small = mask.resize((_COARSE, _COARSE), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(_COARSE / 60))
    light = 0.84 + 0.16 / 255 * smoothly(np.asarray(small, dtype=np.float64), mask.width)
    return Image.fromarray((np.asarray(cloth) * light[..., None]).astype(np.uint8))


def _sew(cloth: Image.Image, category: str, half: list[Point], ink: Colour, side: int, rng: np.random.Generator) -> None:
    """Draw the lines that show how a garment is made."""
    draw = ImageDraw.Draw(cloth)
    lines, dots = seams(category, half, rng)
    for line in lines:
        draw.line(_placed(line, side), fill=ink, width=max(1, side // 95))
    for x, y in _placed(dots, side):
        draw.ellipse((x - 0.009 * side, y - 0.009 * side, x + 0.009 * side, y + 0.009 * side), fill=ink)


def _ink(base: npt.NDArray[np.float64]) -> Colour:
    return rgb(base * 0.6 if base.mean() > 70 else base + 60)


def _mirrored(half: list[Point]) -> list[Point]:
    left = [(-x, y) for x, y in reversed(half) if x > 0]
    return half + left


def _placed(points: list[Point], side: int) -> list[Point]:
    return [((0.5 + x) * side, y * side) for x, y in points]

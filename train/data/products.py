"""Draws a garment's product photo from category, colour, pattern and cut; knows nothing of sizes, people or words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from tryon_core.batch import CATEGORIES, PATTERNS
from tryon_core.errors import ConfigError, expected_one_of

CLOTHES = CATEGORIES[:8]
"""The categories that are drawn."""

Colour = tuple[int, int, int]
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

CUTS = {"slim": 0.86, "regular": 1.0, "loose": 1.17}
"""Width of the garment in the picture, as a share of the regular cut's."""

Point = tuple[float, float]
_SLEEVES: dict[str, list[Point]] = {
    "short": [(0.36, 0.36), (0.29, 0.42), (0.21, 0.34)],
    "long": [(0.41, 0.76), (0.345, 0.78), (0.225, 0.38)],
}
_TOPS = {"t-shirt": ("short", 0.80), "longsleeve": ("long", 0.82), "shirt": ("long", 0.84), "outwear": ("long", 0.88)}
"""Sleeve and hem of each top; y down, both axes in [0, 1], x from the middle."""


def render_product(
    category: str, colour: str, pattern: str, cut: str, rng: np.random.Generator, size: int = 96
) -> npt.NDArray[np.uint8]:
    """Return a product photo on a light background, RGB uint8[size, size, 3].

    Raises:
        ConfigError: a name is unknown.
    """
    for what, name, known in (("colour", colour, COLOURS), ("pattern", pattern, PATTERNS), ("cut", cut, CUTS)):
        if name not in known:
            raise ConfigError(expected_one_of(what, name, known))
    if category not in CLOTHES:
        raise ConfigError(expected_one_of("category", category, CLOTHES))
    side = 2 * size
    outline = _mirrored(_half_outline(category, rng), CUTS[cut] * rng.uniform(0.985, 1.015))
    base = np.clip(np.array(COLOURS[colour]) + rng.normal(0, 9, 3), 0, 255)
    cloth = _cloth(base, pattern, side, rng)
    _details(cloth, category, base, side)
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).polygon([(x * side, y * side) for x, y in outline], fill=255)
    turn = float(rng.normal(0, 2))
    wall = Image.new("RGB", (side, side), tuple(int(v) for v in rng.uniform(238, 254) + rng.uniform(-4, 1, 3)))
    shade = mask.rotate(turn).filter(ImageFilter.GaussianBlur(side / 50)).point(lambda value: value * 0.22)
    wall.paste((70, 70, 76), (side // 90, side // 70), shade)
    wall.paste(cloth.rotate(turn), (0, 0), mask.rotate(turn))
    photo = np.asarray(wall.reduce(2), dtype=np.float64)
    return np.clip(photo * rng.uniform(0.95, 1.03) + rng.normal(0, 1.5, photo.shape), 0, 255).astype(np.uint8)


def _half_outline(category: str, rng: np.random.Generator) -> list[Point]:
    """Return the right half of the outline from the top down, x from the middle; the last point may lie on it."""
    drift = rng.uniform(-0.02, 0.02)
    if category in _TOPS:
        sleeve, hem = _TOPS[category]
        neck = 0.07 if category in ("t-shirt", "longsleeve") else 0.055
        return [(0.0, 0.17), (neck, 0.13), (0.22, 0.19), *_SLEEVES[sleeve], (0.195, 0.6), (0.21, hem + drift)]
    if category == "dress":
        waist = [(0.18, 0.3), (0.125, 0.46), (0.16, 0.58)]
        return [(0.0, 0.17), (0.07, 0.12), (0.08, 0.07), (0.12, 0.07), (0.14, 0.2), *waist, (0.25, 0.92 + drift)]
    if category == "skirt":
        return [(0.0, 0.2), (0.15, 0.2), (0.2, 0.34), (0.26, 0.76 + 3 * drift)]
    hem, width = (0.93, 0.17) if category == "pants" else (0.62, 0.22)
    return [(0.0, 0.08), (0.16, 0.08), (0.205, 0.3), (width + 0.02, hem + drift), (0.06, hem + drift), (0.0, 0.38)]


def _mirrored(half: list[Point], width: float) -> list[Point]:
    right = [(0.5 + x * width, y) for x, y in half]
    left = [(0.5 - x * width, y) for x, y in reversed(half) if x > 0]
    return right + left


def _cloth(base: npt.NDArray[np.float64], pattern: str, side: int, rng: np.random.Generator) -> Image.Image:
    """Return the patterned fabric with soft folds, to be cut out."""
    cloth = Image.new("RGB", (side, side), _rgb(base))
    draw = ImageDraw.Draw(cloth)
    second = base + (95 if base.mean() < 128 else -85)
    if pattern in _PATTERNS:
        _PATTERNS[pattern](draw, _rgb(second), side, rng)
    folds = np.cumsum(rng.normal(0, 1, side))
    folds = 1 + 0.05 * np.sin(np.linspace(0, 9, side) + rng.uniform(0, 6)) + 0.02 * (folds / np.abs(folds).max())
    return Image.fromarray(np.clip(np.asarray(cloth) * folds[None, :, None], 0, 255).astype(np.uint8))


def _striped(draw: ImageDraw.ImageDraw, colour: Colour, side: int, rng: np.random.Generator) -> None:
    step = side / rng.uniform(12, 18)
    upright = rng.random() < 0.35
    for start in np.arange(0, side, step):
        end = start + 0.4 * step
        draw.rectangle((start, 0, end, side) if upright else (0, start, side, end), fill=colour)


def _checked(draw: ImageDraw.ImageDraw, colour: Colour, side: int, rng: np.random.Generator) -> None:
    step = side / rng.uniform(9, 13)
    for start in np.arange(0, side, step):
        draw.rectangle((start, 0, start + 0.25 * step, side), fill=colour)
        draw.rectangle((0, start, side, start + 0.25 * step), fill=colour)


def _dotted(draw: ImageDraw.ImageDraw, colour: Colour, side: int, rng: np.random.Generator) -> None:
    step = side / rng.uniform(12, 17)
    for row, y in enumerate(np.arange(0, side, step)):
        for x in np.arange(step / 2 * (row % 2), side, step):
            draw.ellipse((x, y, x + 0.5 * step, y + 0.5 * step), fill=colour)


def _floral(draw: ImageDraw.ImageDraw, colour: Colour, side: int, rng: np.random.Generator) -> None:
    petal = side / 55
    heart: Colour = (238, 190, 70)
    for x, y in rng.uniform(0, side, (70, 2)):
        for angle in np.linspace(0, 2 * np.pi, 5, endpoint=False) + rng.uniform(0, 1):
            at = (x + 1.4 * petal * np.cos(angle), y + 1.4 * petal * np.sin(angle))
            draw.ellipse((at[0] - petal, at[1] - petal, at[0] + petal, at[1] + petal), fill=colour)
        draw.ellipse((x - petal, y - petal, x + petal, y + petal), fill=heart)


_PATTERNS: dict[str, Callable[[ImageDraw.ImageDraw, Colour, int, np.random.Generator], None]] = {
    "striped": _striped,
    "checked": _checked,
    "dotted": _dotted,
    "floral": _floral,
}

_SEAMS: dict[str, list[list[Point]]] = {
    "t-shirt": [[(0.42, 0.14), (0.5, 0.195), (0.58, 0.14)]],
    "longsleeve": [[(0.42, 0.14), (0.5, 0.195), (0.58, 0.14)]],
    "shirt": [[(0.5, 0.17), (0.5, 0.9)], [(0.44, 0.13), (0.47, 0.23), (0.5, 0.18), (0.53, 0.23), (0.56, 0.13)]],
    "outwear": [[(0.5, 0.17), (0.5, 0.9)], [(0.44, 0.13), (0.42, 0.3), (0.5, 0.46), (0.58, 0.3), (0.56, 0.13)]],
    "dress": [[(0.36, 0.46), (0.64, 0.46)]],
    "skirt": [[(0.3, 0.245), (0.7, 0.245)], [(0.45, 0.25), (0.41, 0.8)], [(0.55, 0.25), (0.59, 0.8)]],
    "pants": [[(0.28, 0.125), (0.72, 0.125)], [(0.5, 0.125), (0.5, 0.38)]],
    "shorts": [[(0.28, 0.125), (0.72, 0.125)], [(0.5, 0.125), (0.5, 0.38)]],
}


def _details(cloth: Image.Image, category: str, base: npt.NDArray[np.float64], side: int) -> None:
    draw = ImageDraw.Draw(cloth)
    ink = _rgb(base * 0.55 if base.mean() > 70 else base + 70)
    for seam in _SEAMS[category]:
        draw.line([(x * side, y * side) for x, y in seam], fill=ink, width=max(1, side // 90))
    if category == "shirt":
        for y in np.arange(0.26, 0.8, 0.1) * side:
            draw.ellipse((0.49 * side, y, 0.51 * side, y + 0.02 * side), fill=ink)


def _rgb(values: npt.NDArray[np.float64]) -> Colour:
    red, green, blue = np.clip(values, 0, 255).astype(int).tolist()
    return red, green, blue

"""Draws cloth: its colour, its pattern, how it is woven and how it falls; knows no garment."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Draw = ImageDraw.ImageDraw
_COARSE = 48
"""Side at which what is smooth is computed."""


def weave_cloth(base: Array, pattern: str, weave: str, side: int, rng: np.random.Generator) -> Image.Image:
    """Return a square of patterned cloth with soft folds, an RGB image.

    Args:
        base: float64[3], its colour in [0, 255].
        pattern: one of `tryon_core.batch.PATTERNS`.
        weave: one of `fabrics.WEAVES`; only those show that do in life.
        side: in pixels.
    """
    cloth = Image.new("RGB", (side, side), rgb(base))
    second = base + (95 if base.mean() < 128 else -85) + rng.normal(0, 6, 3)
    if pattern in _PATTERNS:
        _PATTERNS[pattern](ImageDraw.Draw(cloth), rgb(second), side, rng)
    light = _folds(side, rng) * _WEAVES[weave](side) if weave in _WEAVES else _folds(side, rng)
    return Image.fromarray(np.clip(np.asarray(cloth) * light[..., None], 0, 255).astype(np.uint8))


def rgb(values: Array) -> Colour:
    """Return a colour from numbers that may be out of range."""
    red, green, blue = np.clip(values, 0, 255).astype(int).tolist()
    return red, green, blue


def _folds(side: int, rng: np.random.Generator) -> Floats:
    """Return light on cloth that falls, float32[side, side], about 1: upright waves that lean and lose themselves."""
    coarse = np.linspace(0, 1, _COARSE)
    down = coarse[:, None]
    waves = np.zeros((_COARSE, _COARSE))
    for _ in range(3):
        lean, many, at = rng.normal(0, 0.25), rng.uniform(8, 28), rng.uniform(0, 6)
        waves += rng.uniform(0.01, 0.035) * np.sin(many * (coarse + lean * down) + at) * (0.4 + down)
    return smoothly(1 + waves, side)


def smoothly(values: Array, side: int) -> Floats:
    """Return a coarse square of numbers as a fine one, float32[side, side]."""
    fine = Image.fromarray(values.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(fine, dtype=np.float32)


def _ribs(side: int) -> Floats:
    return np.repeat(1 + 0.04 * np.sin(1.2 * np.arange(side, dtype=np.float32))[None, :], side, axis=0)


def _twill(side: int) -> Floats:
    line = np.arange(side, dtype=np.float32)
    return np.asarray(1 + 0.05 * np.sin(1.1 * (line + line[:, None])))


def _stitches(side: int) -> Floats:
    wave = np.sin(0.9 * np.arange(side, dtype=np.float32))
    return np.asarray(1 + 0.07 * wave * wave[:, None])


_WEAVES: dict[str, Callable[[int], Floats]] = {"rib": _ribs, "denim": _twill, "knit": _stitches}


def _striped(draw: Draw, colour: Colour, side: int, rng: np.random.Generator) -> None:
    step, share = side / rng.uniform(10, 20), rng.uniform(0.25, 0.5)
    upright = rng.random() < 0.35
    for start in np.arange(0, side, step):
        end = start + share * step
        draw.rectangle((start, 0, end, side) if upright else (0, start, side, end), fill=colour)


def _checked(draw: Draw, colour: Colour, side: int, rng: np.random.Generator) -> None:
    step, share = side / rng.uniform(8, 14), rng.uniform(0.15, 0.4)
    for start in np.arange(0, side, step):
        draw.rectangle((start, 0, start + share * step, side), fill=colour)
        draw.rectangle((0, start, side, start + share * step), fill=colour)


def _dotted(draw: Draw, colour: Colour, side: int, rng: np.random.Generator) -> None:
    step, share = side / rng.uniform(11, 18), rng.uniform(0.35, 0.55)
    for row, y in enumerate(np.arange(0, side, step)):
        for x in np.arange(step / 2 * (row % 2), side, step):
            draw.ellipse((x, y, x + share * step, y + share * step), fill=colour)


def _floral(draw: Draw, colour: Colour, side: int, rng: np.random.Generator) -> None:
    petal, heart = side / rng.uniform(45, 65), (238, 190, 70)
    for x, y in rng.uniform(0, side, (75, 2)):
        for angle in np.linspace(0, 2 * np.pi, 5, endpoint=False) + rng.uniform(0, 1):
            at = (x + 1.4 * petal * np.cos(angle), y + 1.4 * petal * np.sin(angle))
            draw.ellipse((at[0] - petal, at[1] - petal, at[0] + petal, at[1] + petal), fill=colour)
        draw.ellipse((x - petal, y - petal, x + petal, y + petal), fill=heart)


_PATTERNS: dict[str, Callable[[Draw, Colour, int, np.random.Generator], None]] = {
    "striped": _striped,
    "checked": _checked,
    "dotted": _dotted,
    "floral": _floral,
}

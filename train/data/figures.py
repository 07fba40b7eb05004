"""Draws a person as a silhouette and as a photo, from one view; knows nothing of girths, garments or words.

A figure tells the body's shape and never its scale.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from .anatomy import ASIDE, Piece, outlines
from .scenes import Colour, lit, paint_scene
from .views import View, draw_view

__all__ = ["draw_view", "render_mask", "render_photo"]

Array = npt.NDArray[np.float64]
_OVERSAMPLING = 2
_INK: Colour = (70, 40, 36)
"""Of eyes, brows and mouth."""
_BAG: Colour = (96, 70, 52)


def render_mask(body: Mapping[str, float], view: View, height: int = 192, width: int = 128) -> npt.NDArray[np.uint8]:
    """Return a person's silhouette, uint8[height, width], 0 or 255; `body` is one row of `Bodies`, in cm."""
    silhouette = _silhouette(_framed(body, view, height, width), height, width)
    return np.where(np.asarray(silhouette) >= 128, 255, 0).astype(np.uint8)


def render_photo(body: Mapping[str, float], view: View, height: int = 384, width: int = 256) -> npt.NDArray[np.uint8]:
    """Return the photo that `render_mask` is the silhouette of, RGB uint8[height, width, 3]."""
    pieces = _framed(body, view, height, width)
    person = _silhouette(pieces, height, width)
    ends = np.concatenate([outline[:, 1] for role, outline in pieces if role not in ASIDE]) / _OVERSAMPLING
    place = paint_scene(view.scene, person, float(ends.max()), float(np.ptp(ends)))
    canvas = place.resize((width * _OVERSAMPLING, height * _OVERSAMPLING), Image.Resampling.NEAREST)
    draw, colours = ImageDraw.Draw(canvas), _colours(view)
    for role, outline in pieces:
        draw.polygon(outline.ravel().tolist(), fill=colours[role])
    return lit(np.asarray(canvas.reduce(_OVERSAMPLING)), person, view.scene, view.rig, view.seed)


def _colours(view: View) -> dict[str, Colour]:
    red, green, blue = view.colours["top"]
    sleeve = int(0.9 * red), int(0.9 * green), int(0.9 * blue)
    return {**view.colours, "sleeve": sleeve, "face": _INK, "bag": _BAG}


def _silhouette(pieces: list[Piece], height: int, width: int) -> Image.Image:
    """Return the person's share of each pixel, an L image."""
    canvas = Image.new("L", (width * _OVERSAMPLING, height * _OVERSAMPLING))
    draw = ImageDraw.Draw(canvas)
    for role, outline in pieces:
        if role not in ASIDE:
            draw.polygon(outline.ravel().tolist(), fill=255)
    return canvas.reduce(_OVERSAMPLING)


def _framed(body: Mapping[str, float], view: View, height: int, width: int) -> list[Piece]:
    """Return the pieces in pixels of the oversampled canvas, back to front."""
    pieces = outlines({name: value / body["height_cm"] for name, value in body.items()}, view.pose, view.outfit)
    points = _project(np.concatenate([outline for _, outline in pieces]), view)
    lengths = [len(outline) for _, outline in pieces]
    person = points[np.repeat([role not in ASIDE for role, _ in pieces], lengths)]
    low, high = person.min(axis=0), person.max(axis=0)
    room = np.array([width, height], dtype=np.float64) * _OVERSAMPLING
    scale = view.fill * (room / (high - low)).min()
    start = (room - scale * (high - low)) * np.array(view.shift)
    placed = np.split((points - low) * scale + start, np.cumsum(lengths)[:-1])
    return [(role, outline) for (role, _), outline in zip(pieces, placed, strict=True)]


def _project(points: Array, view: View) -> Array:
    """Return points as a pinhole camera sees them, y down: near things larger, so that a low camera lengthens legs."""
    shot = view.shot
    rise = points[:, 1] - shot.camera_height
    sine, cosine = np.sin(shot.pitch_rad), np.cos(shot.pitch_rad)
    depth = shot.distance * cosine - rise * sine
    seen = np.stack([points[:, 0], -(rise * cosine + shot.distance * sine)], axis=1) / depth[:, None]
    sine, cosine = np.sin(shot.roll_rad), np.cos(shot.roll_rad)
    return np.asarray(_through_lens(seen, view) @ np.array([[cosine, sine], [-sine, cosine]]))


def _through_lens(points: Array, view: View) -> Array:
    """Return points moved along their rays, by the rig's distortion where the person's head is."""
    reach = 4 * (points**2).sum(axis=1, keepdims=True) * view.shot.distance**2
    return np.asarray(points * (1 + view.rig.distortion * reach))

"""Draws a person as a silhouette and as a photo, from one view; knows nothing of girths, garments or words.

A figure tells the body's shape and never its scale.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

from .anatomy import ASIDE, Piece, outlines
from .polygons import filled
from .scenes import Colour, lit, paint_scene
from .views import View, draw_view

__all__ = ["draw_view", "render_mask", "render_photo"]

Array = npt.NDArray[np.float64]
_OVERSAMPLING = 2
"""Of photos."""
_INK: Colour = (70, 40, 36)
"""Of eyes, brows and mouth."""
_BAG: Colour = (96, 70, 52)


def render_mask(body: Mapping[str, float], view: View, height: int = 192, width: int = 128) -> npt.NDArray[np.uint8]:
    """Return a person's silhouette, uint8[height, width], 0 or 255; `body` is one row of `Bodies`, in cm."""
    return _silhouette(_framed(body, view, height, width), height, width)


def render_photo(body: Mapping[str, float], view: View, height: int = 384, width: int = 256) -> npt.NDArray[np.uint8]:
    """Return the photo that `render_mask` is the silhouette of, RGB uint8[height, width, 3]."""
    fine = height * _OVERSAMPLING, width * _OVERSAMPLING
    pieces = _framed(body, view, *fine)
    person = Image.fromarray(_silhouette(pieces, *fine)).reduce(_OVERSAMPLING)
    ends = np.concatenate([outline[:, 1] for role, outline in pieces if role not in ASIDE]) / _OVERSAMPLING
    place = paint_scene(view.scene, person, float(ends.max()), float(np.ptp(ends)))
    canvas, colours = np.array(place.resize(fine[::-1], Image.Resampling.NEAREST)), _colours(view)
    for role, outline in pieces:
        _paint(canvas, outline, colours[role])
    photo = Image.fromarray(canvas).reduce(_OVERSAMPLING)
    return lit(np.asarray(photo), person, view.scene, view.rig, view.seed)


def _colours(view: View) -> dict[str, Colour]:
    red, green, blue = view.colours["top"]
    sleeve = int(0.9 * red), int(0.9 * green), int(0.9 * blue)
    return {**view.colours, "sleeve": sleeve, "face": _INK, "bag": _BAG}


def _silhouette(pieces: list[Piece], height: int, width: int) -> npt.NDArray[np.uint8]:
    person = [outline for role, outline in pieces if role not in ASIDE]
    return np.where(filled(person, height, width), np.uint8(255), np.uint8(0))


def _paint(canvas: npt.NDArray[np.uint8], outline: Array, colour: Colour) -> None:
    left, top = np.floor(outline.min(axis=0)).astype(int).clip(0)
    right, bottom = np.ceil(outline.max(axis=0)).astype(int).clip(0)
    part = canvas[top:bottom, left:right]
    np.copyto(part, np.array(colour, dtype=np.uint8), where=filled([outline - (left, top)], *part.shape[:2])[..., None])


def _framed(body: Mapping[str, float], view: View, height: int, width: int) -> list[Piece]:
    """Return the pieces in pixels of a picture of a size, back to front."""
    pieces = outlines({name: value / body["height_cm"] for name, value in body.items()}, view.pose, view.outfit)
    points = _project(np.concatenate([outline for _, outline in pieces]), view)
    lengths = [len(outline) for _, outline in pieces]
    person = points[np.repeat([role not in ASIDE for role, _ in pieces], lengths)]
    low, high = person.min(axis=0), person.max(axis=0)
    room = np.array([width, height], dtype=np.float64)
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

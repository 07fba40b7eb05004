"""Draws a person as a silhouette and as a photo, from one pose and camera; knows nothing of girths, garments or words.

Only what a camera sees enters: breadths, depths, heights and limb widths, all as shares of the stature. So a figure
tells the body's shape and never its scale. World coordinates: x to the right, y up from the floor, the stature is 1.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from .views import View, draw_view

__all__ = ["draw_view", "render_mask", "render_photo"]

Array = npt.NDArray[np.float64]
_OVERSAMPLING = 2
_SMOOTHNESS = 6
"""Points drawn per given point of an outline."""
_CIRCLE = [wave(np.linspace(0, 2 * np.pi, 28, endpoint=False)) for wave in (np.sin, np.cos)]

Piece = tuple[str, Array]
"""Which of the view's colours fills a polygon, and its outline, float64[P, 2]."""


def render_mask(body: Mapping[str, float], view: View, height: int = 192, width: int = 128) -> npt.NDArray[np.uint8]:
    """Return a person's silhouette, uint8[height, width], 0 or 255; `body` is one row of `Bodies`, in cm."""
    canvas = Image.new("L", (width * _OVERSAMPLING, height * _OVERSAMPLING))
    for _, outline in _framed(body, view, height, width):
        ImageDraw.Draw(canvas).polygon(outline.ravel().tolist(), fill=255)
    return np.where(np.asarray(canvas.reduce(_OVERSAMPLING)) >= 128, 255, 0).astype(np.uint8)


def render_photo(body: Mapping[str, float], view: View, height: int = 384, width: int = 256) -> npt.NDArray[np.uint8]:
    """Return the photo that `render_mask` is the silhouette of, RGB uint8[height, width, 3]."""
    wall = np.linspace(view.colours["wall_head"], view.colours["wall_foot"], height * _OVERSAMPLING)[:, None]
    canvas = Image.fromarray(np.repeat(wall, width * _OVERSAMPLING, axis=1).astype(np.uint8))
    for role, outline in _framed(body, view, height, width):
        ImageDraw.Draw(canvas).polygon(outline.ravel().tolist(), fill=view.colours[role])
    small = np.asarray(canvas.reduce(_OVERSAMPLING), dtype=np.float32)
    noise = np.random.default_rng(view.seed).standard_normal(small.shape, dtype=np.float32)
    return np.clip(small + view.rig.grain * noise, 0, 255).astype(np.uint8)


def _framed(body: Mapping[str, float], view: View, height: int, width: int) -> list[Piece]:
    """Return the pieces in pixels of the oversampled canvas, back to front."""
    pieces = _pieces({name: value / body["height_cm"] for name, value in body.items()}, view)
    points = _project(np.concatenate([outline for _, outline in pieces]), view)
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.array([width, height], dtype=np.float64) * _OVERSAMPLING
    scale = view.fill * (room / (high - low)).min()
    start = (room - scale * (high - low)) * np.array([view.shift_x, view.shift_y])
    placed = np.split((points - low) * scale + start, np.cumsum([len(outline) for _, outline in pieces])[:-1])
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
    reach = (points**2).sum(axis=1, keepdims=True) * view.shot.distance**2 * 4
    return np.asarray(points * (1 + view.rig.distortion * reach))


def _pieces(shape: Mapping[str, float], view: View) -> list[Piece]:
    pieces = _back_hair(shape, view)
    for side, hip in ((-1, view.legs_rad[0]), (1, view.legs_rad[1])):
        pieces += _leg(shape, view, side, hip)
    pieces += _torso(shape, view)
    for side, shoulder, elbow in zip((-1, 1), view.arms_rad, view.elbows_rad, strict=True):
        pieces += _arm(shape, view, side, shoulder, elbow)
    return pieces + _head(shape, view)


def _torso(shape: Mapping[str, float], view: View) -> list[Piece]:
    spine = _smooth(_torso_rows(shape, view))
    upper, lower = _split(spine, shape["waist_height_cm"] - 0.01 - 0.08 * view.top_length)
    neck, shirt = _split(upper, shape["shoulder_height_cm"] + 0.012)
    role = "top" if view.bottoms == "dress" else "bottom"
    pieces = [(role, _ribbon(lower)), ("top", _ribbon(shirt)), ("skin", _ribbon(neck))]
    if view.bottoms in ("skirt", "dress"):
        hip, hip_y = _half_width(shape, "hip", view) * (1.02 + 0.4 * view.looseness), shape["hip_height_cm"]
        hem_row = (0, shape["knee_height_cm"] + view.hem, hip * (1 + view.flare))
        pieces.insert(0, (role, _ribbon(np.array([(0, hip_y + 0.02, hip), (0, hip_y, hip), hem_row]))))
    return pieces


def _torso_rows(shape: Mapping[str, float], view: View) -> Array:
    """Return the spine from the chin down, float64[P, 3]: x, y and half the width."""
    chest, waist, hip = (_half_width(shape, part, view) for part in ("chest", "waist", "hip"))
    shoulder, chest_y, waist_y = shape["shoulder_height_cm"], shape["chest_height_cm"], shape["waist_height_cm"]
    neck, joint, hip_y = shape["neck_width_cm"] / 2, _shoulder(shape, view), shape["hip_height_cm"]
    rows = [
        (0.0, 1 - 0.75 * shape["head_height_cm"], 0.95 * neck),
        (0.0, shoulder + 0.034, neck),
        (0.0, shoulder + 0.014, 0.55 * neck + 0.45 * joint),
        (0.0, shoulder - 0.004, joint),
        (0.0, 0.6 * shape["armpit_height_cm"] + 0.4 * shoulder, 1.02 * joint),
        (0.0, chest_y, 1.13 * chest * (1 + 0.5 * view.looseness)),
        (0.0, 0.45 * chest_y + 0.55 * waist_y, (0.55 * waist + 0.40 * chest) * (1 + view.looseness)),
        (0.0, waist_y, waist * (1 + view.looseness)),
        (0.0, 0.35 * waist_y + 0.65 * hip_y, 0.98 * hip * (1 + 0.5 * view.looseness)),
        (0.0, hip_y, hip * (1 + 0.3 * view.looseness)),
        (0.0, 0.985 * shape["inseam_cm"], 0.86 * hip),
    ]
    return np.array(rows)


def _leg(shape: Mapping[str, float], view: View, side: int, angle: float) -> list[Piece]:
    hip, knee, ankle = shape["hip_height_cm"], shape["knee_height_cm"], 0.048
    thigh, cloth = shape["thigh_width_cm"] / 2, 1 + 0.8 * view.looseness
    start = side * max(_half_width(shape, "hip", view) - thigh, 0.2 * thigh)
    down = np.array([0.0, 0.12, 0.3, 0.62, 0.85, 1.0, 1.16, 1.3, 1.6, 1.9])
    y = np.where(down <= 1, hip + (knee - hip) * down, knee + (ankle - knee) * (down - 1) / 0.9)
    knees, calf, low = shape["knee_width_cm"] / 2, shape["calf_width_cm"] / 2, shape["ankle_width_cm"] / 2
    half = np.array([0.9, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]) * thigh
    half[3:6] = 0.62 * thigh + 0.38 * knees, 0.15 * thigh + 0.85 * knees, 0.96 * knees
    half[6:] = 0.99 * calf, calf, 0.7 * low + 0.3 * calf, low
    rows = np.stack([start + side * np.sin(angle) * (hip - y), y, half], axis=1)
    covered = {"trousers": 0.03, "shorts": knee + 0.05 + view.hem}.get(view.bottoms, 2.0)
    rows[:, 2] = np.where(y >= covered, np.maximum(half * cloth, view.flare * thigh), half)
    cloth_rows, bare = _split(_smooth(rows), covered)
    return [_foot(shape, rows[-1], side), ("skin", _ribbon(bare)), ("bottom", _ribbon(cloth_rows))]


def _foot(shape: Mapping[str, float], ankle: Array, side: int) -> Piece:
    x, y, half = ankle
    toes, wide = side * 0.10 * shape["foot_length_cm"], 0.18 * shape["foot_length_cm"]
    rows = [(x, y + 0.012, 0.9 * half), (x + 0.2 * toes, y - 0.02, wide), (x + toes, 0.0, 1.12 * wide)]
    return ("shoes", _ribbon(_smooth(np.array([*rows, (x + 1.2 * toes, -0.016, 0.55 * wide)]))))


def _arm(shape: Mapping[str, float], view: View, side: int, angle: float, bend: float) -> list[Piece]:
    length, hand = shape["sleeve_cm"], 0.85 * shape["hand_length_cm"]
    along = np.array([-0.05, 0.0, 0.12, 0.35, 0.55, 0.68, 1.0, 1.0 + 0.3 * hand / length, 1.0 + hand / length])
    upper, fore, wrist = (shape[f"{part}_width_cm"] / 2 for part in ("upper_arm", "forearm", "wrist"))
    half = np.array([0.35, 0.8, 1, 0.95, 0.95, 1, 1, 1.3, 0.6]) * np.repeat([upper, fore, wrist], (4, 2, 3))
    half[:7] *= 1 + 0.7 * view.looseness
    angles = np.where(along > 0.55, angle - bend, angle)
    steps = np.diff(along, prepend=along[0]) * length
    x = side * (_shoulder(shape, view) + np.cumsum(np.sin(angles) * steps))
    y = shape["shoulder_height_cm"] - 0.6 * upper - np.cumsum(np.cos(angles) * steps)
    rows = _smooth(np.stack([x, y, half], axis=1))
    ends = int(len(rows) * (0.42 if view.sleeves == "short" else 0.76))
    return [("skin", _ribbon(rows[ends - 1 :])), ("top", _ribbon(rows[:ends]))]


def _head(shape: Mapping[str, float], view: View) -> list[Piece]:
    x, y = _CIRCLE
    rx, ry = 0.51 * shape["head_breadth_cm"], shape["head_height_cm"] / 2
    face = np.stack([rx * x * (1 + 0.13 * np.minimum(y, 0)), 1 - ry + ry * y], axis=1)
    cap = np.stack([1.06 * rx * x, 1 - ry + (ry + 0.008) * np.maximum(y, 0.3 - 0.25 * np.abs(x))], axis=1)
    return [("skin", face)] + ([("hair", cap)] if view.hairdo != "bald" else [])


def _back_hair(shape: Mapping[str, float], view: View) -> list[Piece]:
    rx, head = 0.51 * shape["head_breadth_cm"], shape["head_height_cm"]
    end = {"long": shape["shoulder_height_cm"] - 0.03, "bob": 1 - 0.95 * head}.get(view.hairdo)
    if end is None:
        return []
    rows = [(0, 1 - 0.15 * head, 0.95 * rx), (0, 1 - 0.5 * head, 1.22 * rx), (0, end + 0.02, 1.35 * rx), (0, end, rx)]
    return [("hair", _ribbon(_smooth(np.array(rows))))]


def _half_width(shape: Mapping[str, float], part: str, view: View) -> float:
    """Return half of what is seen of an elliptic section when the body is turned."""
    breadth, depth = shape[f"{part}_breadth_cm"], shape[f"{part}_depth_cm"]
    return float(np.hypot(breadth * np.cos(view.turn_rad), depth * np.sin(view.turn_rad)) / 2)


def _shoulder(shape: Mapping[str, float], view: View) -> float:
    """Return how far the shoulder joint is from the spine, as seen."""
    return float((shape["shoulder_breadth_cm"] - shape["upper_arm_width_cm"]) / 2 * np.cos(view.turn_rad))


def _split(rows: Array, y: float) -> tuple[Array, Array]:
    """Return the part of a spine above a height and the part below it, sharing a row; never an empty part."""
    at = int(np.clip(np.count_nonzero(rows[:, 1] > y), 1, len(rows) - 1))
    return rows[: at + 1], rows[at - 1 :]


def _smooth(rows: Array) -> Array:
    return np.asarray(_spline(len(rows)) @ rows)


def _ribbon(rows: Array) -> Array:
    """Return the outline of a spine, float64[2 P, 2], from rows of x, y and half the width."""
    along = np.gradient(rows[:, :2], axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.hypot(along[:, 0], along[:, 1]).clip(1e-9)[:, None]
    reach = normal * rows[:, 2:]
    return np.concatenate([rows[:, :2] + reach, (rows[:, :2] - reach)[::-1]])


@functools.cache
def _spline(num: int) -> Array:
    """Return the matrix of a Catmull-Rom curve through `num` points, float64[(num - 1) * smoothness + 1, num]."""
    at = np.arange((num - 1) * _SMOOTHNESS + 1) / _SMOOTHNESS
    first = np.minimum(at.astype(int), num - 2)
    t = (at - first)[:, None]
    weights = np.hstack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]) / 2
    matrix = np.zeros((len(at), num))
    for offset in range(4):
        np.add.at(matrix, (np.arange(len(at)), (first + offset - 1).clip(0, num - 1)), weights[:, offset])
    return matrix

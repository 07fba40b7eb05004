"""A clothed body as outlines, from what a camera sees of it, a pose and an outfit; knows no camera and no colour.

Only breadths, depths, heights and limb widths enter, all as shares of the stature; no girth and no weight does. World
coordinates: x to the right, y up from the floor, the stature is 1 (shoes and hair come on top of it).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .poses import Arm, Pose
from .views import Outfit

Array = npt.NDArray[np.float64]
Shape = Mapping[str, float]
"""One row of `Bodies` by name, as shares of the stature."""
Piece = tuple[str, Array]
"""What fills a polygon, one of a view's colours or of `ASIDE`, and its outline, float64[P, 2]."""

ASIDE = ("bag", "face")
"""What adds nothing to the silhouette: it is no part of the person, or inside another piece."""
_SMOOTHNESS = 6
"""Points drawn per given point of an outline."""
_CIRCLE = np.stack([wave(np.linspace(0, 2 * np.pi, 24, endpoint=False)) for wave in (np.sin, np.cos)], axis=1)
_TRUNK = 0.05
"""How much thicker a jacket makes all that it covers, in shares of the shoulders."""


def outlines(shape: Shape, pose: Pose, outfit: Outfit) -> list[Piece]:
    """Return what a person is drawn from, back to front."""
    arms = [(arm.place, _arm(shape, pose, outfit, side, arm)) for side, arm in zip((-1, 1), pose.arms, strict=True)]
    pieces = _back_hair(shape, outfit) + [piece for place, arm in arms if place == "behind" for piece in arm]
    shoes = []
    for side, hip in zip((-1, 1), pose.legs_rad, strict=True):
        leg, shoe = _leg(shape, pose, outfit, side, hip)
        pieces += leg
        shoes.append(shoe)
    pieces += _torso(shape, pose, outfit)
    pieces += [piece for place, arm in arms if place != "behind" for piece in arm]
    pieces += _head(shape, outfit)
    shod = [("skin" if outfit.barefoot else "shoes", shoe) for shoe in shoes]
    lifts = [0.0] * len(shod) + [outfit.lift] * len(pieces)
    return _stood([*shod, *pieces], lifts, shape, pose)


def _stood(pieces: list[Piece], lifts: list[float], shape: Shape, pose: Pose) -> list[Piece]:
    """Return pieces moved as a body is when its weight is on one leg: hips aside, shoulders and hips tilted; and lifted."""
    heights = [
        0.0,
        shape["knee_height_cm"],
        shape["hip_height_cm"],
        shape["waist_height_cm"],
        shape["shoulder_height_cm"],
        1.0,
    ]
    lengths = [len(outline) for _, outline in pieces]
    points = np.concatenate([outline for _, outline in pieces])
    x, y = points.T
    aside = pose.sway * np.interp(y, heights, (0.0, 0.5, 1.0, 0.8, 0.1, 0.0))
    tilt = pose.tilt_rad * np.interp(y, heights, (0.0, 0.0, -0.5, 0.0, 1.0, 0.4))
    moved = np.column_stack([x + aside, y + tilt * x + np.repeat(lifts, lengths)])
    return [(role, outline) for (role, _), outline in zip(pieces, np.split(moved, np.cumsum(lengths)[:-1]), strict=True)]


def _torso(shape: Shape, pose: Pose, outfit: Outfit) -> list[Piece]:
    spine = _smooth(_torso_rows(shape, pose, outfit))
    longer = 0.06 if outfit.jacket else 0.0
    upper, lower = _split(spine, shape["waist_height_cm"] - 0.01 - 0.08 * outfit.top_length - longer)
    neck, shirt = _split(upper, shape["shoulder_height_cm"] + 0.012)
    role = "top" if outfit.bottoms == "dress" else "bottom"
    pieces = [(role, _ribbon(lower)), ("top", _ribbon(_hanging(shirt, shape, outfit))), ("skin", _ribbon(neck))]
    if outfit.bottoms in ("skirt", "dress"):
        hip, hip_y = _half_width(shape, "hip", pose) * (1.02 + 0.4 * outfit.looseness), shape["hip_height_cm"]
        hem_row = (0, shape["knee_height_cm"] + outfit.hem, hip * (1 + outfit.flare))
        pieces.insert(0, (role, _ribbon(np.array([(0, hip_y + 0.02, hip), (0, hip_y, hip), hem_row]))))
    return pieces


def _hanging(shirt: Array, shape: Shape, outfit: Outfit) -> Array:
    """Return the rows of a top with its cloth falling straight from where the chest is widest, as far as it is boxy."""
    below = shirt[:, 1] < shape["chest_height_cm"]
    widest = shirt[np.argmin(np.abs(shirt[:, 1] - shape["chest_height_cm"])), 2]
    straight = np.maximum(shirt[:, 2], widest * 1.01)
    half = np.where(below, (1 - outfit.boxiness) * shirt[:, 2] + outfit.boxiness * straight, shirt[:, 2])
    return np.column_stack([shirt[:, :2], half])


def _torso_rows(shape: Shape, pose: Pose, outfit: Outfit) -> Array:
    """Return the spine from the chin down, float64[P, 3]: x, y and half the width."""
    chest, waist, hip = (_half_width(shape, part, pose) for part in ("chest", "waist", "hip"))
    shoulder, chest_y, waist_y = shape["shoulder_height_cm"], shape["chest_height_cm"], shape["waist_height_cm"]
    neck, joint, hip_y = shape["neck_width_cm"] / 2, _shoulder(shape, pose), shape["hip_height_cm"]
    loose = outfit.looseness
    padded = joint * (1 + (_TRUNK if outfit.jacket else 0.0))
    rows = [
        (0.0, 1 - 0.75 * shape["head_height_cm"], 0.95 * neck),
        (0.0, shoulder + 0.034, neck),
        (0.0, shoulder + 0.014, 0.55 * neck + 0.45 * joint),
        (0.0, shoulder - 0.004, padded),
        (0.0, 0.6 * shape["armpit_height_cm"] + 0.4 * shoulder, 1.02 * padded),
        (0.0, chest_y, 1.13 * chest * (1 + 0.5 * loose)),
        (0.0, 0.45 * chest_y + 0.55 * waist_y, (0.55 * waist + 0.40 * chest) * (1 + loose)),
        (0.0, waist_y, waist * (1 + loose)),
        (0.0, 0.35 * waist_y + 0.65 * hip_y, 0.98 * hip * (1 + 0.5 * loose)),
        (0.0, hip_y, hip * (1 + 0.3 * loose)),
        (0.0, 0.985 * shape["inseam_cm"], 0.86 * hip),
    ]
    return np.array(rows)


def _leg(shape: Shape, pose: Pose, outfit: Outfit, side: int, angle: float) -> tuple[list[Piece], Array]:
    """Return a leg and the outline of its shoe, which stands on the floor."""
    hip, knee, ankle = shape["hip_height_cm"], shape["knee_height_cm"], 0.048
    thigh, cloth = shape["thigh_width_cm"] / 2, 1 + 0.8 * outfit.looseness
    start = side * max(_half_width(shape, "hip", pose) - thigh, 0.2 * thigh)
    down = np.array([0.0, 0.12, 0.3, 0.62, 0.85, 1.0, 1.16, 1.3, 1.6, 1.9])
    y = np.where(down <= 1, hip + (knee - hip) * down, knee + (ankle - knee) * (down - 1) / 0.9)
    knees, calf, low = shape["knee_width_cm"] / 2, shape["calf_width_cm"] / 2, shape["ankle_width_cm"] / 2
    half = np.array([0.9, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]) * thigh
    half[3:6] = 0.62 * thigh + 0.38 * knees, 0.15 * thigh + 0.85 * knees, 0.96 * knees
    half[6:] = 0.99 * calf, calf, 0.7 * low + 0.3 * calf, low
    rows = np.stack([start + side * np.sin(angle) * (hip - y), y, half], axis=1)
    covered = {"trousers": 0.03, "shorts": knee + 0.05 + outfit.hem}.get(outfit.bottoms, 2.0)
    rows[:, 2] = np.where(y >= covered, np.maximum(half * cloth, outfit.flare * thigh), half)
    cloth_rows, bare = _split(_smooth(rows), covered)
    return [("skin", _ribbon(bare)), ("bottom", _ribbon(cloth_rows))], _shoe(shape, rows[-1], side, outfit.lift)


def _shoe(shape: Shape, ankle: Array, side: int, lift: float) -> Array:
    x, y, half = ankle
    toes, wide = side * 0.10 * shape["foot_length_cm"], 0.18 * shape["foot_length_cm"]
    rows = [(x, y + 0.012 + lift, 0.9 * half), (x + 0.2 * toes, y - 0.02 + 0.6 * lift, wide), (x + toes, 0.0, 1.12 * wide)]
    return _ribbon(_smooth(np.array([*rows, (x + 1.2 * toes, -0.016, 0.55 * wide)])))


def _arm(shape: Shape, pose: Pose, outfit: Outfit, side: int, arm: Arm) -> list[Piece]:
    """Return an upper arm, a forearm with its hand, and what covers them; joints are round."""
    length, hand = shape["sleeve_cm"], 0.85 * shape["hand_length_cm"]
    upper, fore, wrist = (shape[f"{part}_width_cm"] / 2 for part in ("upper_arm", "forearm", "wrist"))
    cloth = 1 + 0.7 * outfit.looseness + (0.08 if outfit.jacket else 0.0)
    shoulder = np.array([side * _shoulder(shape, pose), shape["shoulder_height_cm"] - 0.6 * upper])
    above = np.array([(-0.05, 0.35 * upper), (0.0, 0.8 * upper), (0.12, upper), (0.35, 0.95 * upper), (0.56, 0.97 * fore)])
    below = np.array([(0.0, 0.95 * fore), (0.12, fore), (0.44, wrist), (0.44 + 0.3 * hand / length, 1.3 * wrist)])
    below = np.vstack([below, (0.44 + hand / length, 0.6 * wrist)])
    bare = {"none": (0.0, 0.0), "short": (0.7, 0.0), "long": (1.0, 0.62)}[outfit.sleeves]
    first, elbow = _limb(shoulder, side, arm.raised_rad, above * (length, 1))
    second, _ = _limb(elbow, side, arm.raised_rad - arm.elbow_rad, below * (length, 1))
    pieces: list[Piece] = []
    for rows, share in ((first, bare[0]), (second, bare[1])):
        covered = round(share * (len(rows) - 1))
        sleeve = rows[: covered + 1] * (1, 1, cloth)
        pieces += [("skin", _ribbon(rows[max(covered - 1, 0) :]))] if covered < len(rows) - 1 else []
        pieces += [("sleeve", _ribbon(sleeve))] if covered else []
    joint = 0.95 * fore * (cloth if outfit.sleeves == "long" else 1.0)
    pieces.append(("sleeve" if outfit.sleeves == "long" else "skin", elbow + joint * _CIRCLE))
    return [_bag(second[-1, :2]), *pieces] if outfit.bag and side > 0 and arm.place == "beside" else pieces


def _limb(start: Array, side: int, angle: float, rows: Array) -> tuple[Array, Array]:
    """Return a limb's spine from rows of way and half width, and its end; `angle` is outwards from hanging down."""
    ahead = np.array([side * np.sin(angle), -np.cos(angle)])
    spine = np.column_stack([start + rows[:, :1] * ahead, rows[:, 1]])
    return _smooth(spine), start + rows[-1, 0] * ahead


def _bag(hand: Array) -> Piece:
    corners = [(-0.004, 0.0), (0.004, 0.0), (0.06, -0.06), (0.065, -0.18), (-0.065, -0.18), (-0.06, -0.06)]
    return ("bag", hand + np.array(corners))


def _head(shape: Shape, outfit: Outfit) -> list[Piece]:
    x, y = _CIRCLE.T
    rx, ry = 0.51 * shape["head_breadth_cm"], shape["head_height_cm"] / 2
    middle = np.array([0.0, 1 - ry])
    face = np.stack([rx * x * (1 + 0.13 * np.minimum(y, 0)), ry * y], axis=1)
    cap = np.stack([1.06 * rx * x, (ry + 0.008) * np.maximum(y, 0.3 - 0.25 * np.abs(x))], axis=1)
    pieces = [("skin", middle + face)] + ([("hair", middle + cap)] if outfit.hairdo != "bald" else [])
    if outfit.hairdo == "bun":
        pieces.insert(0, ("hair", middle + (0.0, 1.05 * ry) + 0.5 * rx * _CIRCLE))
    for side in (-1, 1):
        pieces.append(("face", middle + (0.38 * side * rx, 0.04 * ry) + (0.15 * rx, 0.06 * ry) * _CIRCLE))
        pieces.append(("face", middle + (0.38 * side * rx, 0.2 * ry) + (0.22 * rx, 0.025 * ry) * _CIRCLE))
    pieces.append(("face", middle - (0.0, 0.5 * ry) + (0.3 * rx, 0.045 * ry) * _CIRCLE))
    return pieces


def _back_hair(shape: Shape, outfit: Outfit) -> list[Piece]:
    rx, head = 0.51 * shape["head_breadth_cm"], shape["head_height_cm"]
    if outfit.hairdo == "curly":
        return [("hair", np.array([0.0, 1 - 0.4 * head]) + (1.5 * rx, 0.52 * head) * _CIRCLE)]
    end = {"long": shape["shoulder_height_cm"] - 0.03, "bob": 1 - 0.95 * head}.get(outfit.hairdo)
    if end is None:
        return []
    rows = [(0, 1 - 0.15 * head, 0.95 * rx), (0, 1 - 0.5 * head, 1.22 * rx), (0, end + 0.02, 1.35 * rx), (0, end, rx)]
    return [("hair", _ribbon(_smooth(np.array(rows))))]


def _half_width(shape: Shape, part: str, pose: Pose) -> float:
    """Return half of what is seen of an elliptic section when the body is turned."""
    breadth, depth = shape[f"{part}_breadth_cm"], shape[f"{part}_depth_cm"]
    return float(np.hypot(breadth * np.cos(pose.turn_rad), depth * np.sin(pose.turn_rad)) / 2)


def _shoulder(shape: Shape, pose: Pose) -> float:
    """Return how far the shoulder joint is from the spine, as seen."""
    return float((shape["shoulder_breadth_cm"] - shape["upper_arm_width_cm"]) / 2 * np.cos(pose.turn_rad))


def _split(rows: Array, y: float) -> tuple[Array, Array]:
    """Return the part of a spine above a height and the part below it, sharing a row; never an empty part."""
    at = int(np.clip(np.count_nonzero(rows[:, 1] > y), 1, len(rows) - 1))
    return rows[: at + 1], rows[at - 1 :]


def _smooth(rows: Array) -> Array:
    return np.asarray(_spline(len(rows)) @ rows)


def _ribbon(rows: Array) -> Array:
    """Return the outline of a spine, float64[2 P, 2], from rows of x, y and half the width."""
    spine = rows[:, :2]
    along = np.empty_like(spine)
    along[1:-1], along[0], along[-1] = spine[2:] - spine[:-2], spine[1] - spine[0], spine[-1] - spine[-2]
    reach = along[:, ::-1] * (-1.0, 1.0) * (rows[:, 2] / np.hypot(along[:, 0], along[:, 1]).clip(1e-9))[:, None]
    return np.concatenate([spine + reach, (spine - reach)[::-1]])


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

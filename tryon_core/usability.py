"""Whether a photo can stand for a shopper's body: one person, whole, large, upright, facing, sharp and clearly outlined."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional as F

from .photo import RGB, Mask
from .pose import Detection, Floats, Pose

_NOSE, _SHOULDERS, _HIPS, _KNEES, _ANKLES, _FEET = 0, (11, 12), (23, 24), (25, 26), (27, 28), (29, 30, 31, 32)
"""Places among BlazePose's landmarks; pairs are (left, right)."""
_LEAST_PRESENCE = 0.5
_RIVAL = 0.8
"""Another person counts from this share of the largest one's size."""
_LEAST_PX = 160
"""Of a body's length: below, an outline is coarser than what the encoder sees of it."""
_MOST_LEAN = 0.35
"""Of the trunk, radians."""
_LEAST_LEG = 0.4
"""How far a thigh or a shin must reach down, as a share of the trunk's length; standing, it is 0.55 to 0.9."""
_LEAST_BREADTH = 0.25
"""Of shoulders or hips, whichever is wider for its kind, as a share of the trunk's length; who faces has 0.5 to 0.9."""
_HIP_TO_SHOULDER = 1.7
"""How much farther apart the landmarks of shoulders are than those of hips."""
_LEAST_STEEPNESS = 0.2
"""Share of an edge's contrast that one pixel of the view must take on; sharp photos have 0.26 to 0.45."""
_MOST_UNSURE = 0.3
"""Pixels of which the network is unsure, as a share of the person's; clear outlines have 0.05 to 0.17."""
_LEAST_CONTRAST = 40.0
"""Of an edge, grey levels; fainter ones are noise."""
_NEAR = 9
"""Side, in pixels of the view, of the square within which an edge's contrast is taken."""


def main_person(people: Sequence[Detection]) -> Detection:
    """Return the largest of at least one person."""
    return max(people, key=lambda person: person.circle.radius_px)


def is_alone(chosen: Detection, people: Sequence[Detection]) -> bool:
    """Whether nobody else is about as large; small people in the background don't matter."""
    least = _RIVAL * chosen.circle.radius_px
    return all(person is chosen or person.circle.radius_px < least for person in people)


def fault_of(pose: Pose, height: int, width: int, *, alone: bool) -> str:
    """Return the first code of `REFUSALS` that holds for a person in a photo of a size, or an empty string."""
    if not pose.presence >= _LEAST_PRESENCE or not (pose.mask >= 128).any():
        return "no_person"
    if not alone:
        return "several"
    checks: dict[str, Callable[[], bool]] = {  # in this order: where limbs are in a blurred photo is a guess
        "not_full_body": lambda: not _is_whole(pose, height, width),
        "too_small": lambda: _length_px(pose) < _LEAST_PX,
        "not_sharp": lambda: steepness(pose.upright, pose.mask) < _LEAST_STEEPNESS,
        "not_upright": lambda: not _is_upright(pose.points),
        "not_facing": lambda: not _is_facing(pose.points),
        "unclear": lambda: _unsure(pose.mask) > _MOST_UNSURE,
    }
    return next((code for code, holds in checks.items() if holds()), "")


def steepness(view: RGB, mask: Mask) -> float:
    """Return how steep the steeper edges on and around a person are, as a share of their contrast per pixel.

    A step that one pixel takes has 0.5, since a gradient is measured over two; blur of SD s has about 0.4 / s.

    Args:
        view: uint8[H, W, 3].
        mask: uint8[H, W], at least 128 where the person is.
    """
    grey = torch.from_numpy(view.astype(np.float32).mean(axis=-1))[None, None]
    person = torch.from_numpy((mask >= 128).astype(np.float32))[None, None]
    rows, columns = torch.gradient(grey, dim=(2, 3))
    contrast = _largest_near(grey) + _largest_near(-grey)
    seen = (_largest_near(person) > 0) & (contrast > _LEAST_CONTRAST)
    shares = torch.hypot(rows, columns)[seen] / contrast[seen]
    return float(torch.quantile(shares, 0.9)) if len(shares) else 0.0


def _largest_near(values: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(values, _NEAR, stride=1, padding=_NEAR // 2)


def _is_whole(pose: Pose, height: int, width: int) -> bool:
    """Whether nose, ankles and feet are inside the picture, and the top of the head is not cut off."""
    needed = [_NOSE, *_ANKLES, *_FEET]
    inside = (pose.points[needed] >= 0).all() and (pose.points[needed] <= [width, height]).all()
    shoulders, nose = _middle(pose.points, _SHOULDERS), pose.points[_NOSE]
    return bool(inside and (pose.present[needed] >= _LEAST_PRESENCE).all() and (nose + 0.35 * (nose - shoulders))[1] >= 0)


def _length_px(pose: Pose) -> float:
    """Return how long a body is from its highest landmark to its lowest, as it is turned, in pixels of the photo."""
    down = pose.view[:2, 1]
    return float(np.ptp(pose.points @ down) / np.hypot(*down))


def _is_upright(points: Floats) -> bool:
    shoulders, hips = _middle(points, _SHOULDERS), _middle(points, _HIPS)
    trunk = hips - shoulders
    legs = [
        points[below] - points[above]
        for above, below in (*zip(_HIPS, _KNEES, strict=True), *zip(_KNEES, _ANKLES, strict=True))
    ]
    straight = min(float(part[1]) for part in legs) >= _LEAST_LEG * float(np.hypot(*trunk))
    return straight and abs(float(np.arctan2(*trunk))) <= _MOST_LEAN


def _is_facing(points: Floats) -> bool:
    """Whether breadths are seen, from before or behind, rather than depths."""
    trunk = float(np.hypot(*(_middle(points, _HIPS) - _middle(points, _SHOULDERS))))
    shoulders, hips = (float(np.hypot(*(points[left] - points[right]))) for left, right in (_SHOULDERS, _HIPS))
    return max(shoulders, _HIP_TO_SHOULDER * hips) >= _LEAST_BREADTH * trunk


def _middle(points: Floats, pair: tuple[int, int]) -> Floats:
    return np.asarray(points[list(pair)].mean(axis=0))


def _unsure(mask: Mask) -> float:
    return float(((mask > 32) & (mask < 224)).sum() / (mask >= 128).sum())

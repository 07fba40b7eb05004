"""How a person stands: lengths in statures, angles in radians, pairs are (left, right) in the picture."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

ARMS: dict[str, tuple[float, tuple[float, float], tuple[float, float], str]] = {
    "beside": (0.97, (0.65, 0.1), (0.0, 0.1), "beside"),
    "hip": (0.01, (0.72, 0.08), (1.75, 0.15), "front"),
    "bent": (0.01, (0.22, 0.1), (1.9, 0.35), "front"),
    "behind": (0.01, (0.24, 0.08), (0.75, 0.12), "behind"),
}
"""Ways to hold an arm: odds, mean and SD of how far it is raised and of how far its elbow is bent, and where it is."""
_WIDE_SHARE = 0.15
_SWAYING_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm."""

    raised_rad: float
    """The upper arm, from hanging down outwards."""
    elbow_rad: float
    """By how much the forearm points further inwards."""
    place: str
    """``behind``, ``beside`` or in ``front`` of the trunk, which it may hide or be hidden by."""


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A way to stand."""

    turn_rad: float
    """Of the body about its height: mixes depth into breadth."""
    sway: float
    """By how much the hips are to the right of the head and the feet."""
    tilt_rad: float
    """By how much the right shoulder is higher than the left; the hips tilt the other way, half as much."""
    arms: tuple[Arm, Arm]
    legs_rad: tuple[float, float]
    """How far each leg is spread from the hip."""


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draw how somebody stands who was asked to stand upright, facing the camera, arms away from the body, as people are
    who are to be measured; not everybody does so. Arms that hang along the body hide its outline."""
    arms = _draw_arm(rng), _draw_arm(rng)
    spread = rng.uniform(0.08, 0.2) if rng.random() < _WIDE_SHARE else 0.05
    left, right = np.abs(rng.normal(spread, 0.03, 2)).tolist()
    swaying = rng.random() < _SWAYING_SHARE
    return Pose(
        turn_rad=float(rng.uniform(-0.25, 0.25)),
        sway=float(rng.normal(0, 0.02)) if swaying else 0.0,
        tilt_rad=float(rng.normal(0, 0.05 if swaying else 0.015)),
        arms=arms,
        legs_rad=(left, right),
    )


def _draw_arm(rng: np.random.Generator) -> Arm:
    odds = list(accumulate(way[0] for way in ARMS.values()))
    _, raised, elbow, place = tuple(ARMS.values())[min(bisect(odds, rng.random()), len(ARMS) - 1)]
    up, bent = rng.normal(*raised), rng.normal(*elbow)
    return Arm(raised_rad=float(np.clip(abs(up), 0.0, 0.8)), elbow_rad=float(abs(bent)), place=place)

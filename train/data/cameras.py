"""The cameras that shoppers photograph themselves with: each phone on its shelf gives all its pictures a look of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A phone and where it stands; lengths in statures, angles in radians."""

    distance: float
    """From the person."""
    height: float
    """Over the floor."""
    aim: float
    """By how much it looks further down than at the middle of the person."""
    roll_rad: float
    distortion: float
    """Of the lens: by what share the picture's corner moves outwards; barrels are negative."""
    grain: float
    """SD of the picture's noise, in grey levels."""
    exposure: float
    """Share of the light that a picture gets, about 1."""
    warmth: float
    """Grey levels that red gains and blue loses."""
    vignette: float
    """Share by which the picture's corners are darker."""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """Where a rig stood for one picture, in the same units."""

    distance: float
    camera_height: float
    pitch_rad: float
    """Downwards."""
    roll_rad: float


def draw_rig(rng: np.random.Generator) -> Rig:
    """Draw a camera."""
    return Rig(
        distance=float(np.exp(rng.uniform(np.log(1.5), np.log(4.2)))),
        height=float(rng.uniform(0.35, 0.95)),
        aim=float(rng.normal(0, 0.04)),
        roll_rad=float(rng.normal(0, 0.012)),
        distortion=float(rng.normal(0, 0.02)),
        grain=float(rng.uniform(1.0, 5.0)),
        exposure=float(rng.uniform(0.85, 1.06)),
        warmth=float(rng.normal(0, 5)),
        vignette=float(rng.uniform(0, 0.15)),
    )


def take_shot(rig: Rig, rng: np.random.Generator) -> Shot:
    """Return where a rig stands this time: about its usual place, aimed at the middle of the person by eye."""
    distance = rig.distance * float(np.exp(rng.normal(0, 0.06)))
    height = float(np.clip(rig.height + rng.normal(0, 0.04), 0.3, 1.0))
    pitch = float(np.arctan2(height - 0.5, distance) + rig.aim + rng.normal(0, 0.02))
    roll = rig.roll_rad + float(rng.normal(0, 0.008))
    return Shot(distance=distance, camera_height=height, pitch_rad=pitch, roll_rad=roll)

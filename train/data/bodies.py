"""Bodies drawn from the joint statistics of an anthropometric survey; knows nothing of pictures, garments or words.

`bodies.json` holds, per sex, the mean and the covariance of the logarithms of `SURVEYED`, derived from ANSUR II (2012,
US Government work) by ``python -m train.data.survey DIR --out FILE``; no person's row is in it. Girths, breadths,
depths and heights are drawn together: no girth is a function of a breadth, and a picture tells as little as in life.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.batch import MEASUREMENTS
from tryon_core.errors import ConfigError, expected_one_of

SEXES = ("female", "male")
"""What the codes 0 and 1 of `Bodies.sex` stand for."""

SURVEYED = (
    *MEASUREMENTS,
    "head_breadth_cm",
    "shoulder_breadth_cm",
    "chest_breadth_cm",
    "waist_breadth_cm",
    "hip_breadth_cm",
    "chest_depth_cm",
    "waist_depth_cm",
    "hip_depth_cm",
    "shoulder_height_cm",
    "armpit_height_cm",
    "chest_height_cm",
    "waist_height_cm",
    "hip_height_cm",
    "knee_height_cm",
    "lower_thigh_cm",
    "calf_cm",
    "ankle_cm",
    "upper_arm_cm",
    "forearm_cm",
    "wrist_cm",
    "hand_length_cm",
    "foot_length_cm",
    "head_height_cm",
)
"""Traits in the table: the nine `MEASUREMENTS`, then what a camera sees and the limbs' girths; cm and kg."""

_LIMBS = {
    "thigh_width_cm": ("thigh_cm", 0.93),
    "knee_width_cm": ("lower_thigh_cm", 0.95),
    "calf_width_cm": ("calf_cm", 1.0),
    "ankle_width_cm": ("ankle_cm", 1.05),
    "upper_arm_width_cm": ("upper_arm_cm", 0.92),
    "forearm_width_cm": ("forearm_cm", 0.95),
    "wrist_width_cm": ("wrist_cm", 1.1),
    "neck_width_cm": ("neck_cm", 0.97),
}
_BANDWIDTH = 0.35
"""How far from a survey's person another is drawn, in SDs of the survey."""
_LIMB_SPREAD = 0.06
"""SD of the logarithm of a limb's seen width about girth / pi: limbs aren't round."""
TRAITS = (*SURVEYED, *_LIMBS)
"""Columns of `Bodies.values`."""

Array = npt.NDArray[np.float64]
People = Mapping[str, Array]
"""Per sex: the logarithms of a survey's people, float64[N, K], columns `SURVEYED`."""
Table = Mapping[str, Any]
"""``traits``, and per sex: ``mean`` and ``covariance`` (lower triangle, row by row) of the logarithms of ``traits``."""


@dataclass(frozen=True)
class Bodies:
    """N people."""

    sex: npt.NDArray[np.int8]
    """int8[N], an index into `SEXES`."""
    values: npt.NDArray[np.float32]
    """float32[N, K], columns `TRAITS`, cm and kg."""

    def __len__(self) -> int:
        return len(self.sex)

    def column(self, name: str) -> npt.NDArray[np.float32]:
        """Return one trait of everybody, float32[N], cm or kg.

        Raises:
            ConfigError: no trait has that name.
        """
        if name not in TRAITS:
            raise ConfigError(expected_one_of("trait", name, TRAITS))
        return self.values[:, TRAITS.index(name)]

    def measurements(self) -> npt.NDArray[np.float32]:
        """Return float32[N, 9], columns `MEASUREMENTS`, cm and kg."""
        return self.values[:, : len(MEASUREMENTS)]

    def row(self, index: int) -> dict[str, float]:
        """Return one person's traits by name, cm and kg."""
        return dict(zip(TRAITS, self.values[index].tolist(), strict=True))


def draw_bodies(
    num: int,
    rng: np.random.Generator,
    *,
    female_share: float = 0.6,
    spread: float = 1.0,
    table: Table | None = None,
    people: People | None = None,
) -> Bodies:
    """Draw people; `spread` stretches every deviation from the mean person, for a public wider than the survey's.

    Args:
        people: a survey's people, about whom others are drawn (a smoothed bootstrap) in place of about the table's mean
            alone: what is not normal in them, such as the skewness of weights, is kept, and nobody is a copy.

    Raises:
        ConfigError: a number is out of range.
    """
    if num < 0 or not 0 <= female_share <= 1 or spread <= 0:
        raise ConfigError(f"expected num >= 0, female_share in [0, 1], spread > 0, got {num}, {female_share}, {spread}")
    sex = (rng.random(num) >= female_share).astype(np.int8)
    normal = rng.standard_normal((num, len(SURVEYED)))
    logs = np.empty_like(normal)
    for code, name in enumerate(SEXES):
        rows = sex == code
        logs[rows] = _deviated(normal[rows], spread, name, table, None if people is None else people[name], rng)
    widths = [logs[:, SURVEYED.index(girth)] + np.log(factor / np.pi) for girth, factor in _LIMBS.values()]
    seen = np.stack(widths, axis=1) + _LIMB_SPREAD * rng.standard_normal((num, len(_LIMBS)))
    return Bodies(sex, np.exp(np.concatenate([logs, seen], axis=1)).astype(np.float32))


def _deviated(
    normal: Array, spread: float, sex: str, table: Table | None, known: Array | None, rng: np.random.Generator
) -> Array:
    """Return the logarithms of bodies of one sex, float64[N, K], from N standard normal draws.

    About known people, a draw lies as far from one of them as keeps the survey's covariance on the whole (Silverman 1986,
    section 6.4.1).
    """
    if known is None:
        mean, covariance = moments(sex, table)
        return np.asarray(mean + spread * normal @ np.linalg.cholesky(covariance).T)
    mean, factor = known.mean(axis=0), np.linalg.cholesky(np.cov(known, rowvar=False))
    chosen = known[rng.integers(len(known), size=len(normal))]
    deviation = np.sqrt(1 - _BANDWIDTH**2) * (chosen - mean) + _BANDWIDTH * normal @ factor.T
    return np.asarray(mean + spread * deviation)


def moments(sex: str, table: Table | None = None) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the mean float64[K] and covariance float64[K, K] of the logarithms of `SURVEYED` for one of `SEXES`.

    Raises:
        ConfigError: no such sex, or the table was made for other traits.
    """
    chosen = _shipped() if table is None else table
    if sex not in SEXES:
        raise ConfigError(expected_one_of("sex", sex, SEXES))
    if tuple(chosen["traits"]) != SURVEYED:
        raise ConfigError(f"expected a body table of {len(SURVEYED)} known traits, got {len(chosen['traits'])} others")
    size = len(SURVEYED)
    covariance = np.zeros((size, size))
    covariance[np.tril_indices(size)] = chosen[sex]["covariance"]
    return np.asarray(chosen[sex]["mean"]), covariance + np.tril(covariance, -1).T


@functools.cache
def _shipped() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("bodies.json").read_text(encoding="utf-8"))
    return table

"""Bodies drawn from the joint statistics of an anthropometric survey; knows nothing of pictures, garments or words.

`bodies.json` holds, per sex, the mean and the covariance of the logarithms of `SURVEYED`, derived from ANSUR II (2012,
US Government work) by ``python -m train.data.bodies DIR --out FILE``; no person's row is in it. Girths, breadths,
depths and heights are drawn together: no girth is a function of a breadth, and a picture tells as little as in life.
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.batch import MEASUREMENTS
from tryon_core.errors import ConfigError, InputError, expected_one_of

log = logging.getLogger(__name__)

SEXES = ("female", "male")
"""What the codes 0 and 1 of `Bodies.sex` stand for."""

_COLUMNS = {
    "height_cm": "stature",
    "weight_kg": "weightkg",
    "chest_cm": "chestcircumference",
    "waist_cm": "waistcircumference",
    "hip_cm": "buttockcircumference",
    "thigh_cm": "thighcircumference",
    "inseam_cm": "crotchheight",
    "sleeve_cm": "sleeveoutseam",
    "neck_cm": "neckcircumference",
    "head_breadth_cm": "headbreadth",
    "shoulder_breadth_cm": "bideltoidbreadth",
    "chest_breadth_cm": "chestbreadth",
    "waist_breadth_cm": "waistbreadth",
    "hip_breadth_cm": "hipbreadth",
    "chest_depth_cm": "chestdepth",
    "waist_depth_cm": "waistdepth",
    "hip_depth_cm": "buttockdepth",
    "shoulder_height_cm": "acromialheight",
    "armpit_height_cm": "axillaheight",
    "chest_height_cm": "chestheight",
    "waist_height_cm": "waistheightomphalion",
    "hip_height_cm": "buttockheight",
    "knee_height_cm": "kneeheightmidpatella",
    "lower_thigh_cm": "lowerthighcircumference",
    "calf_cm": "calfcircumference",
    "ankle_cm": "anklecircumference",
    "upper_arm_cm": "bicepscircumferenceflexed",
    "forearm_cm": "forearmcircumferenceflexed",
    "wrist_cm": "wristcircumference",
    "hand_length_cm": "handlength",
    "foot_length_cm": "footlength",
}
_HEAD = ("tragiontopofhead", "mentonsellionlength")
SURVEYED = (*_COLUMNS, "head_height_cm")
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
_LIMB_SPREAD = 0.06
"""SD of the logarithm of a limb's seen width about girth / pi: limbs aren't round."""
TRAITS = (*SURVEYED, *_LIMBS)
"""Columns of `Bodies.values`."""

Table = Mapping[str, Any]
"""Per sex: ``mean`` and ``covariance`` (lower triangle, row by row) of the logarithms of ``traits``."""


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
    num: int, rng: np.random.Generator, *, female_share: float = 0.6, spread: float = 1.0, table: Table | None = None
) -> Bodies:
    """Draw people; `spread` stretches every deviation from the mean person, for a public wider than the survey's.

    Raises:
        ConfigError: a number is out of range.
    """
    if num < 0 or not 0 <= female_share <= 1 or spread <= 0:
        raise ConfigError(f"expected num >= 0, female_share in [0, 1], spread > 0, got {num}, {female_share}, {spread}")
    sex = (rng.random(num) >= female_share).astype(np.int8)
    normal = rng.standard_normal((num, len(SURVEYED)))
    logs = np.empty_like(normal)
    for code, name in enumerate(SEXES):
        mean, covariance = moments(name, table)
        rows = sex == code
        logs[rows] = mean + spread * normal[rows] @ np.linalg.cholesky(covariance).T
    widths = [logs[:, SURVEYED.index(girth)] + np.log(factor / np.pi) for girth, factor in _LIMBS.values()]
    seen = np.stack(widths, axis=1) + _LIMB_SPREAD * rng.standard_normal((num, len(_LIMBS)))
    return Bodies(sex, np.exp(np.concatenate([logs, seen], axis=1)).astype(np.float32))


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


def summarise(folder: str | Path) -> dict[str, Any]:
    """Return the table of a survey's folder, which holds ``female.csv`` and ``male.csv`` in mm and 0.1 kg.

    Raises:
        InputError: a file is missing or lacks a column.
    """
    table: dict[str, Any] = {"source": "ANSUR II (2012), US Government work", "traits": list(SURVEYED)}
    for sex in SEXES:
        logs = np.log(_read(Path(folder) / f"{sex}.csv"))
        covariance = np.cov(logs, rowvar=False)[np.tril_indices(len(SURVEYED))]
        table[sex] = {
            "num_people": len(logs),
            "mean": logs.mean(axis=0).round(5).tolist(),
            "covariance": covariance.round(7).tolist(),
        }
    return table


def _read(path: Path) -> npt.NDArray[np.float64]:
    """Return float64[N, K], columns `SURVEYED`, cm and kg; the survey's mm and 0.1 kg are both a tenth."""
    try:
        with path.open(newline="", encoding="latin-1") as file:
            rows = list(csv.DictReader(file))
        wanted = [*_COLUMNS.values(), *_HEAD]
        values = np.array([[float(row[name]) for name in wanted] for row in rows]) / 10
    except (OSError, KeyError, ValueError) as err:
        raise InputError(f"expected a survey with a column for every trait, got {path}: {err!r}") from err
    head = values[:, -2] + 0.83 * values[:, -1]
    return np.column_stack([values[:, :-2], head])


@functools.cache
def _shipped() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("bodies.json").read_text(encoding="utf-8"))
    return table


def main(arguments: list[str] | None = None) -> None:
    """Write a survey's table as JSON."""
    parser = argparse.ArgumentParser(prog="python -m train.data.bodies", description=main.__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with female.csv and male.csv")
    parser.add_argument("--out", type=Path, metavar="FILE", required=True)
    options = parser.parse_args(arguments)
    text = json.dumps(summarise(options.folder), separators=(",", ":"))
    options.out.write_text(text + "\n", encoding="utf-8")
    log.info("wrote %s, %d bytes", options.out, len(text) + 1)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()

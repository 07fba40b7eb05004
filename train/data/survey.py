"""Survey files: reads people out of them, checked, and makes the shipped table of bodies; knows no shop.

A survey is a folder with ``female.csv`` and ``male.csv``: a header, then a person a row. Columns are those of ANSUR II
(`COLUMNS` and `HEAD`; others are left alone): lengths and girths in mm, ``weightkg`` in units of 0.1 kg, as published.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.errors import InputError, TryonError

from .bodies import SEXES, SURVEYED, People, moments

log = logging.getLogger(__name__)

COLUMNS = {
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
HEAD = ("tragiontopofhead", "mentonsellionlength")
"""From where the head's height is put together."""
_FEWEST = 2 * len(SURVEYED)
"""People of a sex that it takes to say how traits go together."""
_FURTHEST = 3.0
"""By what factor a value may differ from the average person's before a wrong unit is suspected."""

Array = npt.NDArray[np.float64]


def read_survey(folder: str | Path) -> People:
    """Return the logarithms of a survey's people, cm and kg, per sex.

    Raises:
        InputError: a file, a column or a value is missing, wrong or in another unit; it names the file, row and column.
    """
    return {sex: np.log(_read(Path(folder) / f"{sex}.csv", sex)) for sex in SEXES}


def summarise(folder: str | Path) -> dict[str, Any]:
    """Return the table of a survey's folder: means and covariances, and nobody's row.

    Raises:
        InputError: as `read_survey`.
    """
    table: dict[str, Any] = {"source": "ANSUR II (2012), US Government work", "traits": list(SURVEYED)}
    for sex, logs in read_survey(folder).items():
        covariance = np.cov(logs, rowvar=False)[np.tril_indices(len(SURVEYED))]
        table[sex] = {
            "num_people": len(logs),
            "mean": logs.mean(axis=0).round(5).tolist(),
            "covariance": covariance.round(7).tolist(),
        }
    return table


def _read(path: Path, sex: str) -> Array:
    """Return float64[N, K], columns `SURVEYED`, cm and kg; the survey's mm and 0.1 kg are both a tenth."""
    wanted = [*COLUMNS.values(), *HEAD]
    try:
        with path.open(newline="", encoding="latin-1") as file:
            lines = csv.reader(file)
            header = [name.strip().removeprefix("ï»¿").lower() for name in next(lines, [])]
            missing = [name for name in wanted if name not in header]
            if missing:
                raise InputError(f"expected survey {path} with column {missing[0]}, got {len(header)} columns without it")
            places = [header.index(name) for name in wanted]
            rows = [_values(line, places, wanted, f"{path} row {number}") for number, line in enumerate(lines, 2) if line]
    except OSError as err:
        raise InputError(f"expected a survey in {path.parent} with {path.name}, got {err.strerror}") from err
    if len(rows) < _FEWEST:
        raise InputError(f"expected survey {path} with at least {_FEWEST} people, got {len(rows)}")
    values = np.array(rows) / 10
    people = np.column_stack([values[:, : len(COLUMNS)], values[:, -2] + 0.83 * values[:, -1]])
    _check_units(people, sex, path)
    return people


def _values(line: Sequence[str], places: Sequence[int], names: Sequence[str], where: str) -> list[float]:
    found = []
    for place, name in zip(places, names, strict=True):
        text = line[place] if place < len(line) else ""
        try:
            found.append(float(text))
        except ValueError as err:
            raise InputError(f"expected a number in {where}, column {name}, got {text!r}") from err
    return found


def _check_units(people: Array, sex: str, path: Path) -> None:
    usual = np.exp(moments(sex)[0])
    with np.errstate(invalid="ignore"):
        wrong = np.argwhere(~((people > usual / _FURTHEST) & (people < usual * _FURTHEST)))
    if len(wrong):
        row, column = wrong[0].tolist()
        name = [*COLUMNS.values(), HEAD[0]][column]
        raise InputError(
            f"expected {name} about {10 * usual[column]:.0f} (mm, and weights in 0.1 kg) in {path}, "
            f"got {10 * people[row, column]:g} for person {row + 1}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a survey's table as JSON."""
    parser = argparse.ArgumentParser(prog="python -m train.data.survey", description=main.__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with female.csv and male.csv")
    parser.add_argument("--out", type=Path, metavar="FILE", required=True)
    options = parser.parse_args(arguments)
    try:
        text = json.dumps(summarise(options.folder), separators=(",", ":"))
    except TryonError as err:
        log.error("%s", err)
        return 2
    options.out.write_text(text + "\n", encoding="utf-8")
    log.info("wrote %s, %d bytes", options.out, len(text) + 1)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())

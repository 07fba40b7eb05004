"""Survey files are checked to the row and column, make the shipped table, and have people drawn about theirs, not copied."""

from __future__ import annotations

import csv
import functools
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from train.data import bodies
from train.data.bodies import SEXES, SURVEYED, Bodies, draw_bodies, moments
from train.data.sim import SimConfig, build_shop
from train.data.survey import COLUMNS, HEAD, main, read_survey, summarise
from tryon_core.errors import InputError

Array = npt.NDArray[np.float64]
ANSUR = Path(__file__).parent.parent.parent / "shared" / "data" / "ansur"
needs_ansur = pytest.mark.skipif(not ANSUR.is_dir(), reason="the published survey's files are not at hand")
CHIN_MM = 120


@functools.cache
def known() -> Bodies:
    return draw_bodies(300, np.random.default_rng(4), female_share=1)


def written(folder: Path, num: int = 300) -> Path:
    """Write the same women as both sexes' survey, with a column that nobody asks for."""
    for sex in SEXES:
        with (folder / f"{sex}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*COLUMNS.values(), *HEAD, "favouritecolour"])
            rows = np.column_stack([known().column(trait) for trait in COLUMNS]) * 10
            head = known().column("head_height_cm")[:, None] * 10
            rows = np.column_stack([rows, head - 0.83 * CHIN_MM, np.full_like(head, CHIN_MM)])[:num]
            writer.writerows([[*row, "teal"] for row in rows.tolist()])
    return folder


def spoilt(folder: Path, row: int, column: str, value: str | None) -> Path:
    """Put another value into a row (as a spreadsheet numbers them) of a written survey, or take a column out."""
    path = written(folder) / "female.csv"
    lines = [line.split(",") for line in path.read_text().splitlines()]
    place = lines[0].index(column)
    if value is None:
        lines = [[*line[:place], *line[place + 1 :]] for line in lines]
    else:
        lines[row - 1][place] = value
    path.write_text("\n".join(",".join(line) for line in lines))
    return folder


def logs_of(drawn: Bodies) -> Array:
    return np.log(drawn.values[:, : len(SURVEYED)].astype(np.float64))


def residual_cm(people: Array, girth: str) -> float:
    """The SD that a girth has about a regression on everything that a camera may see of the same people."""
    seen = [at for at, name in enumerate(SURVEYED) if any(word in name for word in ("breadth", "depth", "height"))]
    inputs = np.column_stack([np.exp(people[:, seen]), np.ones(len(people))])
    target = np.exp(people[:, SURVEYED.index(girth)])
    return float((target - inputs @ np.linalg.lstsq(inputs, target, rcond=None)[0]).std())


def test_a_table_summarised_from_a_survey_has_that_surveys_moments(tmp_path: Path) -> None:
    table = json.loads(json.dumps(summarise(written(tmp_path))))
    mean, covariance = moments("male", table)
    np.testing.assert_allclose(mean, logs_of(known()).mean(axis=0), atol=2e-5)
    np.testing.assert_allclose(covariance, np.cov(logs_of(known()), rowvar=False), atol=1e-6)
    assert table["female"]["num_people"] == 300


@pytest.mark.parametrize(
    ("row", "column", "value", "told"),
    [
        (7, "waistbreadth", "wide", r"female\.csv row 7, column waistbreadth, got 'wide'"),
        (2, "stature", "", r"female\.csv row 2, column stature, got ''"),
        (9, "stature", "1.7", r"expected stature about 16\d\d \(mm.* got 1\.7 for person 8"),
        (3, "weightkg", "nan", r"expected weightkg about 6\d\d"),
        (3, "chestdepth", "0", r"expected chestdepth about"),
        (0, "hipbreadth", None, r"female\.csv with column hipbreadth, got 33 columns"),
    ],
)
def test_a_fault_is_named_with_its_file_row_and_column(
    tmp_path: Path, row: int, column: str, value: str | None, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        read_survey(spoilt(tmp_path, row, column, value))


def test_a_missing_file_and_too_few_people_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"with female\.csv"):
        read_survey(tmp_path)
    with pytest.raises(InputError, match="at least 64 people, got 20"):
        read_survey(written(tmp_path, num=20))


def test_people_are_drawn_about_a_surveys_and_are_nobodys_copy(tmp_path: Path) -> None:
    people = read_survey(written(tmp_path))
    drawn = draw_bodies(20_000, np.random.default_rng(0), people=people)
    logs, scale = logs_of(drawn), people["female"].std(axis=0)
    assert np.abs((logs.mean(axis=0) - people["female"].mean(axis=0)) / scale).max() < 0.04
    assert np.abs(np.corrcoef(logs, rowvar=False) - np.corrcoef(people["female"], rowvar=False)).max() < 0.04
    nearest = np.abs((logs[:500, None] - people["female"][None]) / scale).max(axis=2).min(axis=1)
    assert nearest.min() > 0.2


def test_a_shop_of_a_surveys_people_differs_from_that_of_the_table(tmp_path: Path) -> None:
    small = {"seed": 3, "shoppers": 200, "garments": 5, "orders": 5, "brands": 2}
    women = build_shop(SimConfig(**small, bodies=str(written(tmp_path)))).bodies  # type: ignore[arg-type]
    usual = build_shop(SimConfig(**small)).bodies  # type: ignore[arg-type]
    assert usual.column("height_cm")[usual.sex == 1].mean() > women.column("height_cm")[women.sex == 1].mean() + 6


def test_the_command_writes_a_table_and_refuses_a_folder_without_one(tmp_path: Path) -> None:
    out = tmp_path / "bodies.json"
    assert main([str(written(tmp_path)), "--out", str(out)]) == 0
    assert json.loads(out.read_text())["traits"] == list(SURVEYED)
    assert main([str(tmp_path / "nowhere"), "--out", str(out)]) == 2


@needs_ansur
def test_the_shipped_table_is_what_the_command_makes_of_the_published_files() -> None:
    shipped = json.loads(Path(bodies.__file__).with_name("bodies.json").read_text(encoding="utf-8"))
    assert summarise(ANSUR) == shipped


@needs_ansur
@pytest.mark.parametrize("by", ["table", "people"])
@pytest.mark.parametrize("sex", SEXES)
def test_drawn_people_have_the_surveys_means_spreads_and_correlations(sex: str, by: str) -> None:
    """Means to 1 %, SDs to 8 % and correlations to 0.05, of centimetres and not of logarithms as the table holds them."""
    survey = read_survey(ANSUR)
    people = survey if by == "people" else None
    drawn = draw_bodies(30_000, np.random.default_rng(1), female_share=float(sex == "female"), people=people)
    real, ours = np.exp(survey[sex]), np.exp(logs_of(drawn))
    np.testing.assert_allclose(ours.mean(axis=0), real.mean(axis=0), rtol=0.01)
    np.testing.assert_allclose(ours.std(axis=0), real.std(axis=0), rtol=0.08)
    assert np.abs(np.corrcoef(ours, rowvar=False) - np.corrcoef(real, rowvar=False)).max() < 0.05


@needs_ansur
@pytest.mark.parametrize("by", ["table", "people"])
def test_a_camera_leaves_as_much_of_a_girth_unknown_as_in_the_survey(by: str) -> None:
    """A girth computed from widths would leave nothing; drawn together, what is left is the survey's, to a tenth."""
    survey = read_survey(ANSUR)
    drawn = draw_bodies(20_000, np.random.default_rng(2), female_share=1, people=survey if by == "people" else None)
    for girth in ("chest_cm", "waist_cm", "hip_cm", "thigh_cm"):
        real = residual_cm(survey["female"], girth)
        assert real > 1
        assert residual_cm(logs_of(drawn), girth) == pytest.approx(real, rel=0.1)

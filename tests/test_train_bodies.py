"""The body table reproduces the survey's joint statistics and holds nobody's row."""

from pathlib import Path

import numpy as np
import pytest

from train.data import bodies
from train.data.bodies import SEXES, SURVEYED, TRAITS, draw_bodies, moments
from tryon_core.batch import MEASUREMENTS
from tryon_core.errors import ConfigError


@pytest.mark.parametrize("sex", SEXES)
def test_draws_reproduce_the_means_and_covariances_of_the_table(sex: str) -> None:
    drawn = draw_bodies(40_000, np.random.default_rng(0), female_share=float(sex == "female"))
    logs = np.log(drawn.values[:, : len(SURVEYED)].astype(np.float64))
    mean, covariance = moments(sex)
    scale = np.sqrt(np.diag(covariance))
    assert np.abs((logs.mean(axis=0) - mean) / scale).max() < 0.03
    correlation = covariance / np.outer(scale, scale)
    assert np.abs(np.corrcoef(logs, rowvar=False) - correlation).max() < 0.03


def test_a_body_is_plausible_and_the_measurements_come_first() -> None:
    drawn = draw_bodies(2_000, np.random.default_rng(1))
    assert TRAITS[: len(MEASUREMENTS)] == MEASUREMENTS
    assert drawn.measurements().shape == (2_000, 9)
    assert drawn.values.dtype == np.float32
    women, men = (drawn.column("height_cm")[drawn.sex == code].mean() for code in (0, 1))
    assert 160 < women < 166 < 172 < men < 179
    assert (drawn.column("inseam_cm") < drawn.column("height_cm")).all()
    assert drawn.row(3)["waist_cm"] == drawn.column("waist_cm")[3]


def test_no_girth_is_a_function_of_the_breadths_and_depths_that_a_camera_sees() -> None:
    drawn = draw_bodies(20_000, np.random.default_rng(2), female_share=1)
    seen = [name for name in TRAITS if "breadth" in name or "depth" in name or "height" in name]
    inputs = np.log(np.stack([drawn.column(name) for name in seen], axis=1).astype(np.float64))
    inputs = np.column_stack([inputs, np.ones(len(inputs))])
    for girth in ("chest_cm", "waist_cm", "hip_cm"):
        target = np.log(drawn.column(girth).astype(np.float64))
        residual = target - inputs @ np.linalg.lstsq(inputs, target, rcond=None)[0]
        assert residual.std() > 0.01
        assert 0.75 < 1 - residual.var() / target.var() < 0.99


def test_spread_widens_the_public() -> None:
    narrow, wide = (draw_bodies(5_000, np.random.default_rng(3), female_share=1, spread=s) for s in (1.0, 1.5))
    ratio = np.log(wide.column("waist_cm")).std() / np.log(narrow.column("waist_cm")).std()
    assert ratio == pytest.approx(1.5, rel=1e-3)


def test_the_shipped_table_is_small_and_its_covariances_are_positive() -> None:
    path = Path(bodies.__file__).with_name("bodies.json")
    assert path.stat().st_size < 60_000
    for sex in SEXES:
        assert np.linalg.eigvalsh(moments(sex)[1]).min() > 0


def test_wrong_input_is_named() -> None:
    with pytest.raises(ConfigError, match="waist_cm"):
        draw_bodies(1, np.random.default_rng(0)).column("wast_cm")
    with pytest.raises(ConfigError, match="female_share"):
        draw_bodies(1, np.random.default_rng(0), female_share=2)

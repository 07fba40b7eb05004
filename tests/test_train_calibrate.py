"""Temperatures and intervals against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tests.synthetic import make_rows
from train.calibrate import calibrate, half_widths, minimum, temperature, temperatures
from train.config import TrainConfig
from train.evaluate import embed, fuse, fuse_known, part_sets
from train.loop import Place, build_model, fit
from tryon_core.batch import MEASUREMENTS
from tryon_core.presets import preset
from tryon_core.tasks import Body


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.5])
def test_logits_that_are_too_sure_by_a_factor_get_that_temperature(factor: float) -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 1.5, 100_000)
    kept = (rng.random(100_000) < _sigmoid(honest)).astype(np.float32)
    found = temperature("match", (factor * honest)[:, None].astype(np.float32), kept)
    assert found == pytest.approx(factor, rel=0.03)


def test_a_constant_logit_has_the_temperature_that_gives_the_share() -> None:
    kept = (np.arange(1000) < 750).astype(np.float32)
    logits = np.full((1000, 1), 2.0, dtype=np.float32)
    assert 2.0 / temperature("match", logits, kept) == pytest.approx(np.log(3), rel=1e-3)


def test_classes_are_calibrated_as_yes_and_no_are() -> None:
    rng = np.random.default_rng(1)
    honest = rng.normal(0, 1.2, (60_000, 3))
    odds = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    label = (rng.random((60_000, 1)) > odds.cumsum(axis=1)).sum(axis=1).clip(0, 2).astype(np.int64)
    assert temperature("fit", (3 * honest).astype(np.float32), label) == pytest.approx(3, rel=0.03)


def test_unknown_targets_and_other_tasks_stay_out() -> None:
    kept = np.array([1.0, 0.0, np.nan] * 20, dtype=np.float32)
    outputs = {
        "match": np.ones((60, 1), np.float32),
        "body": np.zeros((60, 9), np.float32),
        "fit": np.zeros((60, 3), np.float32),
    }
    assert set(temperatures([outputs], {"match": kept, "fit": np.full(60, -1)})) == {"match"}


@pytest.mark.parametrize("valley", [-2.9, 0.0, 1.234])
def test_the_search_finds_a_valley(valley: float) -> None:
    assert minimum(lambda x: (x - valley) ** 2, -3, 3) == pytest.approx(valley, abs=1e-3)


def test_four_in_five_people_lie_in_their_interval() -> None:
    rng = np.random.default_rng(2)
    raw = np.zeros((5000, 9), np.float32)
    truth = np.array(Body.centre, np.float32) + rng.normal(0, 4, (5000, 9)).astype(np.float32)
    truth[:, 8] = np.nan
    widths = half_widths(raw, truth)
    assert set(widths) == set(MEASUREMENTS[:-1])
    fresh = np.abs(rng.normal(0, 4, 100_000))
    assert (fresh <= widths["waist_cm"]).mean() == pytest.approx(0.8, abs=0.02)


def test_a_model_gets_temperatures_and_intervals_for_all_that_may_be_known() -> None:
    rows = make_rows(preset("tiny"), 64)
    found = calibrate(build_model(TrainConfig(model=preset("tiny")), rows), rows)
    assert set(found["temperature"]) == {"fit", "match"}
    assert set(found["body_half_width"]) == set(part_sets(preset("tiny")))
    assert found["body_half_width"]["both"]["height_cm"] > 0


def test_one_temperature_serves_whatever_is_known_alike() -> None:
    rng = np.random.default_rng(3)
    honest = rng.normal(0, 1.5, 20_000).astype(np.float32)
    kept = (rng.random(20_000) < _sigmoid(honest)).astype(np.float32)
    sure, unsure = {"match": (3 * honest)[:, None]}, {"match": honest[:, None]}
    found = temperatures([sure, unsure], {"match": kept})["match"]
    both = temperature("match", np.concatenate([sure["match"], unsure["match"]]), np.concatenate([kept, kept]))
    assert found == both
    assert (
        temperatures([unsure], {"match": kept})["match"] < found - 0.2 < temperatures([sure], {"match": kept})["match"] - 0.4
    )


def test_a_models_temperature_is_of_all_that_may_be_known_together() -> None:
    rows = make_rows(preset("tiny"), 96)
    model = build_model(TrainConfig(model=preset("tiny")), rows)
    fit(model, rows, TrainConfig(model=preset("tiny"), epochs=8, batch_size=48), lambda event: None, place=Place())
    embedded = embed(model, rows)
    told = {"returning": fuse(model, embedded, rows), **fuse_known(model, embedded, rows)}
    found = calibrate(model, rows)["temperature"]
    assert found == temperatures([*told.values()], rows.targets)
    assert all(found != temperatures([own], rows.targets) for own in told.values())

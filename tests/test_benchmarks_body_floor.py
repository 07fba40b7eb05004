"""The floor of the measurements: regressions recover what decides, and more that is known leaves less error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.body_floor import People, main, people_of, regressed
from tests.serving import untrained_checkpoint
from train.data.sim import SimConfig, build_shop
from tryon_core.presets import preset


def _people(num: int, seed: int, *, silent: bool = False) -> People:
    """People whose girths are a quadratic of what is told, and of their breadths."""
    rng = np.random.default_rng(seed)
    told, breadths = rng.normal(0, 1, (num, 3)) + 60, rng.normal(0, 1, (num, 4)) + 30
    if silent:
        told[: num // 2, 1] = np.nan
    height = rng.normal(170, 8, num)
    x, y = np.nan_to_num(told - 60), breadths - 30
    girths = np.stack([80 + x[:, 0] + x[:, 0] ** 2 + 2 * y[:, k] + x[:, 2] * y[:, k] for k in range(3)], axis=1)
    return People((np.arange(num) % 2).astype(np.int8), told, breadths, height, girths)


def test_a_quadratic_of_what_is_known_is_found() -> None:
    train, val = _people(2000, 0), _people(300, 1)
    error = np.abs(regressed(train, val, "floor_cm") - val.girths).mean()
    blind = np.abs(regressed(train, val, "words") - val.girths).mean()
    assert error < 0.1 < 1 < blind


def test_those_who_told_less_have_a_regression_of_their_own() -> None:
    train, val = _people(2000, 0, silent=True), _people(300, 1, silent=True)
    assert np.abs(regressed(train, val, "floor_cm") - val.girths).mean() < 0.1


def test_where_too_few_told_the_same_the_rest_of_their_sex_stand_in() -> None:
    train, val = _people(600, 0), _people(4, 1)
    val.told[:2, 0] = np.nan
    found = regressed(train, val, "words")
    assert np.isfinite(found).all()
    assert np.abs(found - 80).max() < 20


def test_a_shops_words_tell_heights_and_weights_about_as_they_are() -> None:
    shop = build_shop(SimConfig(seed=1, shoppers=300, garments=5, brands=2, orders=10))
    people = people_of(shop)
    told = ~np.isnan(people.told)
    assert (told.mean(axis=0) > 0.4).all()
    assert (told.mean(axis=0) < 1).all()
    off = people.told[told[:, 0], 0] - people.height[told[:, 0]]
    assert np.abs(off).mean() < 3
    floor, words = (np.abs(regressed(people, people, seen) - people.girths).mean() for seen in ("floor", "words"))
    assert floor < words


def test_the_command_prints_errors_beside_the_floor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = untrained_checkpoint(tmp_path / "model", preset("tiny"))
    main(["--checkpoint", url, "--shoppers", "150", "--resamples", "5"])
    told = json.loads(capsys.readouterr().out)
    waist = told["everybody"]["waist_cm"]
    mae = waist["mae_cm"]
    assert mae["regression_words"] < mae["model_both"]
    assert waist["over_floor"] == pytest.approx(mae["model_both"] / mae["regression_floor"], abs=1e-3)
    assert set(waist["interval"]) == set(waist) - {"mae_cm", "interval"}
    assert told["height_and_weight_told"]["num"] < told["everybody"]["num"]

"""What verdicts teach: nothing at none, more the more there are, and to who sees the buyers nearly all there is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.history import Verdicts, draw_verdicts, history_of, main, observer
from tests.serving import untrained_checkpoint
from train.data import labels
from train.data.sim import Shop, SimConfig, build_shop
from train.data.untold import averaged
from tryon_core.presets import preset

TINY = ["--shoppers", "80", "--garments", "20", "--brands", "5", "--orders", "300"]


@pytest.fixture(scope="module")
def shop() -> Shop:
    return build_shop(SimConfig(seed=3, shoppers=120, garments=30, brands=6, orders=200))


def _of_one_style(shop: Shop) -> np.ndarray:
    return np.flatnonzero([own.style_id == shop.garments[0].style_id for own in shop.garments])


def test_verdicts_are_of_the_style_and_come_out_as_the_truth_says(shop: Shop) -> None:
    style = _of_one_style(shop)
    own = draw_verdicts(shop, style, 4000, np.random.default_rng(0))
    assert set(own.garment) <= set(style)
    hidden = shop.truth.hidden[own.garment] - np.array([labels.CUT_EASE[shop.garments[g].cut] for g in own.garment])
    chances = labels.fit_probabilities(own.latent - hidden, shop.truth.stretch[own.garment])
    np.testing.assert_allclose(np.bincount(own.fit, minlength=3) / 4000, chances.mean(axis=0), atol=0.03)


def test_a_history_holds_exactly_the_first_verdicts(shop: Shop) -> None:
    own = draw_verdicts(shop, _of_one_style(shop), 12, np.random.default_rng(1))
    key = ("garment", shop.garments[0].style_id)
    for num in (0, 1, 5, 12):
        counts = history_of(shop, own, num).counts(key, 0.0)
        np.testing.assert_array_equal(counts, np.bincount(own.fit[:num], minlength=3))


def test_an_observer_of_nothing_averages_and_of_many_verdicts_knows_the_offset() -> None:
    rng = np.random.default_rng(2)
    hidden, latent = 0.9, np.linspace(-2, 2, 9)
    bodies = rng.normal(0.5, 1.2, 600)
    chances = labels.fit_probabilities(bodies - hidden)
    outcome = (rng.random((600, 1)) > np.cumsum(chances, axis=1)[:, :2]).sum(axis=1)
    own = Verdicts(np.zeros(600, np.int64), np.zeros(600, np.int64), outcome, bodies)
    stiff, gives = np.zeros(9), np.zeros(600)
    np.testing.assert_allclose(observer(latent, stiff, own, gives, 0), averaged(latent), atol=1e-3)
    np.testing.assert_allclose(
        observer(latent, stiff, own, gives, 600), labels.fit_probabilities(latent - hidden), atol=0.06
    )


def test_the_command_prints_losses_and_shares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = untrained_checkpoint(tmp_path / "model", preset("tiny"))
    main(["--checkpoint", url, *TINY, "--events", "4", "12", "--resamples", "5"])
    told = json.loads(capsys.readouterr().out)
    nll, shares = told["nll"], told["share_of_oracles_gain"]
    assert nll["oracle"] < nll["observer 12"] < nll["observer 0"] == pytest.approx(nll["blind"], abs=1e-3)
    assert shares["model"]["0"]["share"] == 0
    assert shares["model"]["12"]["share"] == pytest.approx(
        (nll["model 0"] - nll["model 12"]) / (nll["blind"] - nll["oracle"]), abs=1e-3
    )
    assert 0 < shares["observer"]["12"]["share"] < 1

"""The feedback benchmark: its AUC against counting pairs, its choices against the truth, and the command as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.feedback import expected_aucs, main
from benchmarks.feedback_returns import Choices, returns
from benchmarks.feedback_weeks import order_lines
from tests.serving import untrained_checkpoint
from train.data.sim import Shop, SimConfig, build_shop, truth
from tryon_core.presets import preset

TINY = ["--shoppers", "80", "--garments", "20", "--brands", "5", "--orders", "300"]


@pytest.fixture(scope="module")
def shop() -> Shop:
    return build_shop(SimConfig(seed=3, shoppers=120, garments=30, brands=6, orders=400, days=70))


def test_the_expected_auc_is_that_of_all_pairs_weighed_by_how_likely_they_are() -> None:
    rng = np.random.default_rng(0)
    claimed, chances = np.round(rng.random((12, 2)), 1), rng.random((12, 2))
    weight = rng.integers(0, 3, 12).astype(float)
    wins = (claimed[:, None] > claimed[None]) + 0.5 * (claimed[:, None] == claimed[None])
    pairs = weight[:, None, None] * chances[:, None] * weight[None, :, None] * (1 - chances[None])
    by_hand = ((wins * pairs).sum(axis=(0, 1)) / pairs.sum(axis=(0, 1))).mean()
    np.testing.assert_allclose(expected_aucs(claimed, chances, [np.ones(12), weight])[1], by_hand)


def test_orders_are_reported_once_with_what_was_said_when_it_was_known(shop: Shop) -> None:
    chosen = np.arange(50)
    lines = order_lines(shop, chosen)
    assert [line.occurred_at for line in lines] == sorted(line.occurred_at for line in lines)
    assert {line.order_line_id for line in lines} == {f"order-{n}" for n in chosen}
    assert all(3 <= (line.occurred_at - line.ordered_at) / 86_400 <= 14 for line in lines)
    silent = sum(line.fit is None for line in lines)
    assert silent == int((shop.orders.fit[chosen] < 0).sum())


def test_nobody_has_fewer_returns_than_who_knows_the_truth(shop: Shop) -> None:
    choices = Choices.of(shop, np.arange(200))
    fit, _ = truth(shop, choices.shopper[choices.row], choices.garment[choices.row], choices.place)
    np.testing.assert_allclose(choices.fits, fit[:, 1])
    assert (choices.returned <= fit[:, 0] + fit[:, 2]).all()
    assert (choices.place[choices.first] == 0).all()
    found = returns(shop, choices, {"ours": choices.first, "best": choices.best(choices.fits)}, 20)
    rate = {name: own["value"] for name, own in found["rate"].items()}
    assert rate["oracle"] == rate["best"] < rate["chart"] < rate["own"] < rate["ours"]
    share = found["share_of_oracles_reduction"]
    assert share["best"]["value"] == 1
    assert share["ours"]["value"] < 0
    assert share["chart"]["interval"][0] <= share["chart"]["value"] <= share["chart"]["interval"][1]


def test_the_command_prints_what_weeks_teach_save_and_tell_and_draws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = untrained_checkpoint(tmp_path / "model", preset("tiny"))
    more = ["--weeks", "3", "--resamples", "5", "--logs", "2", "--plot", str(tmp_path / "weeks.png")]
    main(["--checkpoint", url, *TINY, *more])
    told = json.loads(capsys.readouterr().out)
    assert len(told["lines"]) == 4
    assert told["lines"] == sorted(told["lines"])
    assert told["lines"][0] == 0
    auc, shares = told["auc"]["auc"], told["auc"]["share_of_offsets"]
    assert auc["oracle"]["value"] > auc["blind"]["value"]
    assert shares["week 0"]["value"] == 0
    gained = (auc["week 3"]["value"] - auc["week 0"]["value"]) / (auc["oracle"]["value"] - auc["blind"]["value"])
    assert shares["week 3"]["value"] == pytest.approx(gained, abs=1e-3)
    assert told["auc"]["share_of_limit"]["limit"]["value"] == 1
    assert set(told["returns"]["rate"]) == {"own", "chart", "before", "ours", "oracle"}
    assert set(told["estimator"]) == {"logs", "holdout", "matched", "unmatched"}
    assert (tmp_path / "weeks.png").read_bytes().startswith(b"\x89PNG")

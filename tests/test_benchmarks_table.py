"""A shop's table against trees: whose orders are resampled, and from what ours start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import table_vs_trees
from benchmarks.table_vs_trees import against
from tests.serving import untrained_checkpoint
from train.data.shop_table import ExportOptions, write_shop
from train.data.sim import SimConfig, build_shop
from tryon_core.presets import preset


def test_forty_orders_of_one_shopper_are_no_forty_shoppers() -> None:
    rng = np.random.default_rng(0)
    shopper = np.repeat(np.arange(30), 40)
    label = (rng.random(30) < 0.5).astype(np.int64)[shopper]
    sure = rng.uniform(0.2, 0.8, 30)[shopper]  # what is said of a shopper is right or wrong of all of their orders
    ours, theirs = (np.stack([1 - p, p], axis=1) for p in (sure, np.full(len(label), 0.5)))
    told = {who: against([ours], theirs, label, own) for who, own in (("shopper", shopper), ("row", np.arange(1200)))}
    width = {who: np.ptp(own["nll"]["interval"]) for who, own in told.items()}
    assert told["shopper"]["nll"]["gain"] == told["row"]["nll"]["gain"]
    assert told["shopper"]["shoppers"] == 30
    assert width["shopper"] > 4 * width["row"]  # about the square root of 40


def test_a_cold_start_is_told_beside_the_warm_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lightgbm")
    write_shop(build_shop(SimConfig(shoppers=60, garments=20, brands=4, orders=400)), tmp_path / "shop", ExportOptions())
    init = untrained_checkpoint(tmp_path / "model", preset("tiny"))
    monkeypatch.setattr("sys.argv", ["table_vs_trees", "--epochs", "1", "--val", "0.3", "--orders", "400", "--init", init])
    found = table_vs_trees.compare(tmp_path / "shop", table_vs_trees._options())
    warm, cold = found["warm"]["match"]["nll"], found["cold"]["match"]["nll"]
    assert warm["trees"] == cold["trees"]
    assert warm["table"] != cold["table"]

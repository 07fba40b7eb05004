"""Several sources as one: how often each is drawn, what the joined rows hold, and what they are calibrated on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.synthetic import make_rows
from train import sources
from train.config import TrainConfig
from train.data.sim import SimConfig
from train.export import export
from train.loop import Place, build_model, fit
from train.mix import Weighted, calibration_rows, join_rows, load_mixed, weighted
from train.rows import Rows, epoch_order, epoch_size
from train.sources import Data
from tryon_core.config import ModelConfig
from tryon_core.errors import ConfigError
from tryon_core.history import History
from tryon_core.presets import preset


def _drawn_from(name: str, num: int) -> sources.Build:
    def build(config: ModelConfig, argument: str, options: SimConfig, splits: Sequence[str]) -> Data:
        made = {"train": make_rows(config, num, seed=len(name)), "val": make_rows(config, 40, seed=99)}
        return Data({split: made[split] for split in splits}, History(), float(num), {"source": name})

    return build


@pytest.fixture(autouse=True)
def _two_more_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources.SOURCES, "big", _drawn_from("big", 200))
    monkeypatch.setitem(sources.SOURCES, "small", _drawn_from("small", 50))


@pytest.mark.parametrize(
    ("text", "spec", "weight"),
    [
        ("sim", "sim", 1.0),
        ("sim@0.2", "sim", 0.2),
        ("sim=0.2", "sim", 0.2),
        ("sim=.2", "sim", 0.2),
        ("sim@2e-1", "sim", 0.2),
        ("table:orders.csv=3", "table:orders.csv", 3.0),
        ("table:orders.csv@1e-1", "table:orders.csv", 0.1),
        ("table:part/year=2024", "table:part/year=2024", 1.0),
        ("garments:/photos/size=96", "garments:/photos/size=96", 1.0),
        ("rtr:/a@b.c/x", "rtr:/a@b.c/x", 1.0),
        ("table:a@b/orders.csv", "table:a@b/orders.csv", 1.0),
        ("table:a@b/orders.csv@3", "table:a@b/orders.csv", 3.0),
        ("table:orders.csv?val=0.1", "table:orders.csv?val=0.1", 1.0),
        ("table:orders.csv?val=0.1@0.5", "table:orders.csv?val=0.1", 0.5),
    ],
)
def test_a_weight_stands_behind_an_at_sign(text: str, spec: str, weight: float) -> None:
    assert weighted(text) == Weighted(spec, weight)


@pytest.mark.parametrize("text", ["sim@lots", "sim=", "sim@1,5"])
def test_a_weight_that_is_no_number_is_told_as_a_weight(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected the weight of sim as a number, got"):
        weighted(text)


@pytest.mark.parametrize("text", ["sim@0", "sim@1000", "sim=-1", "sim@nan", "sim@inf"])
def test_a_weight_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected the weight of sim over 0"):
        weighted(text)


def _sources_of(rows: Rows, order: np.ndarray, first: int) -> tuple[int, int]:
    return int((order < first).sum()), int((order >= first).sum())


@pytest.mark.parametrize(
    ("specs", "first", "expected"),
    [
        (["big", "small@0.2"], 200, (200, 40)),
        (["big", "small"], 200, (200, 200)),
        (["small", "big@0.4"], 50, (50, 20)),
        (["big@2", "small@1"], 200, (200, 100)),
    ],
)
def test_an_epoch_draws_of_each_source_what_its_weight_says(specs: list[str], first: int, expected: tuple[int, int]) -> None:
    rows = load_mixed([weighted(spec) for spec in specs], preset("tiny"), SimConfig()).splits["train"]
    order = epoch_order(rows, 8, np.random.default_rng(0))
    assert _sources_of(rows, order, first) == expected
    assert len(order) == epoch_size(rows) == sum(expected)
    assert sorted(order[order < first].tolist()) == list(range(first))
    counts = np.bincount(order[order >= first] - first)
    assert counts.max() - counts[counts > 0].min() <= 1


def test_rows_that_are_drawn_in_part_are_others_in_each_epoch() -> None:
    rows = load_mixed([Weighted("small"), Weighted("big", 0.4)], preset("tiny"), SimConfig()).splits["train"]
    seen = [set(epoch_order(rows, 4, np.random.default_rng(seed))) for seed in range(30)]
    assert len(set.union(*seen)) > 200
    assert seen[0] != seen[1]


def test_history_day_and_scores_are_the_first_sources() -> None:
    data = load_mixed([Weighted("small"), Weighted("big", 0.5)], preset("tiny"), SimConfig())
    assert data.day == 50.0
    assert data.about == {"source": "small", "mixed": "big@0.5"}
    assert set(data.others) == {"big"}
    assert len(data.splits["val"]) == len(data.others["big"]) == 40
    assert len(calibration_rows(data)) == 40 + 20


def test_a_checkpoint_tells_the_scores_of_each_source(tmp_path: Path) -> None:
    data = load_mixed([Weighted("small"), Weighted("big", 0.5)], preset("tiny"), SimConfig())
    model = build_model(TrainConfig(model=preset("tiny")), data.splits["train"])
    export(str(tmp_path / "model"), model, data, command="fit", date="today")
    told = json.loads((tmp_path / "model" / "config.json").read_text())["metrics"]
    assert told["data"]["mixed"] == "big@0.5"
    assert set(told["others"]) == {"big"}
    assert told["others"]["big"]["fit"]["num"] == told["val"]["fit"]["num"]


def test_joined_rows_are_what_each_was() -> None:
    one, two = make_rows(preset("tiny"), 30, seed=1), make_rows(preset("tiny"), 20, seed=2)
    joined = join_rows([one, two])
    for at, own in ((0, one), (30, two)):
        again = joined.take(np.arange(at, at + len(own)))
        for task, target in own.targets.items():
            np.testing.assert_array_equal(again.targets[task], target)
        plain = own.take(np.arange(len(own)))
        np.testing.assert_array_equal(again.parts["person_mask"].values, plain.parts["person_mask"].values)
        np.testing.assert_array_equal(again.parts["person_mask"].index, plain.parts["person_mask"].index)
        np.testing.assert_array_equal(again.parts["shopper_words"].values.ids, plain.parts["shopper_words"].values.ids)
        np.testing.assert_array_equal(again.parts["shopper_words"].values.values, plain.parts["shopper_words"].values.values)


def test_what_one_source_lacks_is_missing_and_unknown_there() -> None:
    whole = make_rows(preset("tiny"), 30)
    bare = Rows({"size": whole.parts["size"]}, {"fit": whole.targets["fit"]}, {"weight_fit": np.full(30, 0.5, np.float32)})
    joined = join_rows([whole, bare])
    assert (joined.parts["person_mask"].index[30:] == -1).all()
    assert np.isnan(joined.targets["match"][30:]).all()
    assert np.isnan(joined.targets["body"][30:]).all()
    assert (joined.targets["category"][30:] == -1).all()
    np.testing.assert_array_equal(joined.extra["weight_fit"], [*[1.0] * 30, *[0.5] * 30])


def test_shoppers_and_pairs_of_two_sources_are_never_the_same() -> None:
    target = {"fit": np.zeros(3, np.int64)}
    one = Rows({}, target, {"shopper": np.array([7, 7, 2]), "pair": np.array([0, 0, -1])})
    two = Rows({}, target, {"shopper": np.array([7, 2, 2]), "pair": np.array([-1, 4, 4])})
    joined = join_rows([one, two, Rows({}, target)])
    assert len(set(joined.extra["shopper"])) == 2 + 2 + 3
    np.testing.assert_array_equal(joined.extra["pair"], [0, 0, -1, -1, 1, 1, -1, -1, -1])


def test_targets_of_two_shapes_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected body of one shape"):
        join_rows([Rows({}, {"body": np.zeros((2, 9))}), Rows({}, {"body": np.zeros((2, 8))})])


def test_a_model_is_fitted_on_a_mixture() -> None:
    data = load_mixed([Weighted("small"), Weighted("big", 0.5)], preset("tiny"), SimConfig())
    config = TrainConfig(model=preset("tiny"), epochs=1, batch_size=25)
    model, events = build_model(config, data.splits["train"]), []
    fit(model, data.splits["train"], config, events.append, place=Place())
    assert [event.rows for event in events[:-1]] == [25, 50, 75]

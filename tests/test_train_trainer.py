"""Training on a real Ray: workers, the folder that they leave, and what is refused before anything runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import train.export as export_module
from tests.synthetic import make_rows
from tests.test_train_loop import small_article
from train.calibrate import calibrate
from train.card import model_card
from train.config import TrainConfig
from train.evaluate import evaluate
from train.export import check_free, export, rounded
from train.progress import Display, Epoch, Event, Step, thinned
from train.sources import Data
from train.trainer import RunError, as_seen_by_workers, check_resources, train_checkpoint
from tryon_core.checkpoint import load_checkpoint
from tryon_core.errors import ConfigError
from tryon_core.history import FitEvent, History
from tryon_core.manifest import read_history
from tryon_core.model import Model
from tryon_core.presets import preset


def made(config: TrainConfig) -> Data:
    history = History()
    history.add(FitEvent("g0", "M", "p0", "small", 3.0))
    splits = {"train": make_rows(config.model, 192), "val": make_rows(config.model, 64, seed=1)}
    return Data(splits, history, 5.0, {"source": "synthetic"})


@pytest.mark.cluster
def test_the_articles_model_is_fitted_by_two_workers_and_its_checkpoint_loads(ray_cluster: None, tmp_path: Path) -> None:
    model = small_article()
    config = TrainConfig(model=model, epochs=5, batch_size=32, num_workers=2, optimizer="adam", learning_rate=2e-3)
    data, events, out = made(config), [], tmp_path / "model"
    scores = train_checkpoint(config, data, str(out), command="a command", listener=events.append)
    told = [event.loss for event in events if isinstance(event, Epoch)]
    assert len(told) == 5
    assert told[-1] < 0.8 * told[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    checkpoint = load_checkpoint(str(out))
    assert checkpoint.manifest.metrics["val"] == scores
    again = rounded(evaluate(checkpoint.model, data.splits["val"], checkpoint.manifest.calibration["temperature"]))
    assert again["match"]["nll"] == pytest.approx(scores["match"]["nll"], abs=2e-3)
    assert "`a command`" in (out / "MODEL_CARD.md").read_text()


@pytest.mark.slow
@pytest.mark.cluster
def test_a_worker_that_fails_fails_the_run_in_one_sentence(ray_cluster: None, tmp_path: Path) -> None:
    config = TrainConfig(model=preset("tiny"), epochs=1)
    data = made(config)
    broken = replace(data.splits["train"], targets={"match": data.splits["train"].targets["match"]})
    with pytest.raises(RunError, match="expected targets of task fit"):
        train_checkpoint(
            config,
            replace(data, splits={**data.splits, "train": broken}),
            str(tmp_path / "out"),
            command="",
            listener=lambda event: None,
        )
    assert not list(tmp_path.iterdir())


def test_more_workers_than_the_cluster_has_are_refused() -> None:
    config = TrainConfig(model=preset("tiny"), num_workers=3)
    with pytest.raises(ConfigError, match="at most 2 workers on a cluster of 2 CPUs, got 3"):
        check_resources(config, {"CPU": 2.0})
    with pytest.raises(ConfigError, match="at most 0 workers on a cluster of 0 GPUs, got 3"):
        check_resources(replace(config, use_gpu=True), {"CPU": 8.0})
    check_resources(config, {"CPU": 3.0})


def test_a_folder_that_holds_something_is_refused_and_an_empty_one_is_used(tmp_path: Path) -> None:
    check_free(str(tmp_path / "new"))
    check_free(str(tmp_path))
    (tmp_path / "file").write_text("mine")
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(ConfigError, match="new or empty folder"):
            check_free(str(taken))


def test_a_checkpoint_is_written_with_scores_history_and_card(tmp_path: Path) -> None:
    config = TrainConfig(model=preset("tiny"))
    torch.manual_seed(0)
    out = tmp_path / "deep" / "model"
    out.mkdir(parents=True)
    scores = export(str(out), Model(config.model), made(config), command="train it", date="2030-01-02")
    loaded = load_checkpoint(str(out))
    found = read_history(str(out))
    assert found is not None
    assert found[1] == 5.0
    np.testing.assert_allclose(found[0].counts(("garment", "g0"), found[1])[0], 0.5 ** (2 / 180), rtol=1e-3)
    assert loaded.manifest.metrics == {
        "val": scores,
        "data": {"source": "synthetic"},
        "made": "2030-01-02",
        "command": "train it",
        "calibrated_on": "the same rows",
    }
    assert loaded.manifest.temperature("fit") != 1.0
    assert [path.name for path in out.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("step", ["calibrate", "evaluate"])
def test_what_is_scored_and_calibrated_is_what_will_be_loaded(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights are rounded when they are stored; scores of the unrounded ones would be another model's."""
    own, seen = getattr(export_module, step), []

    def overheard(model: Model, *args: Any, **more: Any) -> Any:
        seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return own(model, *args, **more)

    monkeypatch.setattr(export_module, step, overheard)
    config = TrainConfig(model=preset("tiny"))
    export(str(tmp_path / "model"), Model(config.model), made(config), command="", date="")
    stored = load_checkpoint(str(tmp_path / "model")).model.state_dict()
    assert seen
    for state in seen:
        for name, tensor in stored.items():
            assert torch.equal(state[name], tensor), name


def test_rows_that_a_source_set_aside_are_calibrated_on_and_the_card_says_so(tmp_path: Path) -> None:
    data = made(TrainConfig(model=preset("tiny")))
    val = data.splits["val"]
    torch.manual_seed(0)
    model = Model(preset("tiny"))
    halved = replace(val, extra={**val.extra, "calibrate": np.arange(len(val)) % 2 == 0})
    cases = {
        "same": (data, val, val),
        "halves": (replace(data, splits={**data.splits, "val": halved}), halved.take(np.arange(0, 64, 2)), 32),
        "split": (replace(data, splits={**data.splits, "calibration": data.splits["train"]}), data.splits["train"], val),
    }
    for name, (given, calibrated, scored) in cases.items():
        scores = export(str(tmp_path / name), model, given, command="", date="", num_resamples=0)
        found = load_checkpoint(str(tmp_path / name)).manifest.calibration
        assert found["temperature"] == pytest.approx(calibrate(model, calibrated)["temperature"]), name
        assert scores["match"]["num"] == (scored if isinstance(scored, int) else len(scored))
        stored = json.loads((tmp_path / name / "config.json").read_text())["metrics"]
        whose = {"same": "the same rows", "halves": "other shoppers", "split": "other rows"}[name]
        assert stored["calibrated_on"] == whose
        told = (tmp_path / name / "MODEL_CARD.md").read_text()
        assert f"were taken from {whose}." in told


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("train.export.save_history", fail)
    config = TrainConfig(model=preset("tiny"))
    with pytest.raises(OSError, match="disk is full"):
        export(str(tmp_path / "model"), Model(config.model), made(config), command="", date="")
    assert not list(tmp_path.iterdir())


def test_the_card_says_what_it_is_how_it_was_made_and_what_it_is_not() -> None:
    scores = {"fit": {"num": 10, "nll": 0.5, "oracle": {"nll": 0.4}, "prior": {"nll": 0.8}, "auc": {"small": 0.7}}}
    by_parts = {"both": {"fit": {"auc_mean": 0.8, "nll": 0.5}}, "nothing": {"fit": {"auc_mean": 0.7, "nll": 0.6}}}
    card = model_card(
        preset("base"),
        command="python -m train fit",
        date="2030-01-02",
        num_weights=1234567,
        data={"source": "sim", "seed": 0},
        metrics={**scores, "by_parts": by_parts},
    )
    for told in (
        "2030-01-02",
        "python -m train fit",
        "1,234,567",
        "source sim, seed 0",
        "Apache-2.0",
        "Fitted and validated only on a simulated shop",
        "Of shoppers that the model was not fitted on.",
        "not a medical",
    ):
        assert told in card
    assert "| fit | nll | 0.5000 | 0.4000 | 0.8000 |" in card
    assert "| nothing | 0.7000 | 0.6000 |" in card
    assert "from the same rows" in card
    assert "Of no group was the score told apart." in card


@pytest.mark.parametrize(
    ("data", "told", "untold"),
    [
        ({"source": "table", "split": "date"}, ["last orders by date", "of one table"], ["simulated", "oracle` knows"]),
        ({"source": "table", "split": "shopper"}, ["where a line names none of orders"], ["simulated"]),
        (
            {"source": "table", "split": "shopper", "mixed": "sim@0.2"},
            ["as well", "Simulated people are adults"],
            ["validated only"],
        ),
        ({"source": "rtr", "split": "published"}, ["may have others that it was", "a rental fits"], ["an order is kept"]),
        ({"source": "garments"}, ["Of photos", "knows nothing of shoppers"], ["simulated", "Of shoppers"]),
        ({}, ["Of rows that the model was not fitted on."], ["simulated", "Fitted and validated"]),
    ],
)
def test_the_card_says_of_other_data_what_is_true_of_them(data: dict[str, Any], told: list[str], untold: list[str]) -> None:
    card = model_card(preset("tiny"), command="", date="", num_weights=1, data=data, metrics={})
    assert all(text in card for text in told)
    assert not any(text in card for text in untold)


def _card(metrics: dict[str, Any]) -> str:
    return model_card(
        preset("base"), command="", date="", num_weights=1, data={}, metrics=metrics, calibrated_on="other shoppers"
    )


def test_the_card_names_large_groups_for_whom_the_model_is_worse_with_figures() -> None:
    groups = {
        "female": {"num": 5000, "fit_auc_mean": 0.81, "fit_auc_lag": 0.01},
        "male": {"num": 1200, "fit_auc_mean": 0.78, "fit_auc_lag": 0.04},
        "unknown": {"num": 900, "fit_auc_mean": 0.62, "fit_auc_lag": 0.2},
    }
    metrics = {"fit": {"auc_mean": 0.82}, "by_group": {"sex": groups}}
    card = _card(metrics)
    assert "mean AUC of fit of 0.820" in card
    assert "- sex male: 0.780, 0.040 behind, 1,200 rows" in card
    assert "female:" not in card
    assert "unknown:" not in card
    fair = _card({**metrics, "by_group": {"sex": {"female": groups["female"]}}})
    assert "none is more than 0.03 behind" in fair
    few = _card({"fit": {"accuracy": 0.9}, "by_group": {"sex": {"female": {"num": 20}}}})
    assert "none is more than 0.03 behind" in few
    assert "mean AUC" not in few


def test_the_card_tells_intervals_sizes_and_how_many_people_ranges_hold() -> None:
    size = {
        "num": 3000,
        "num_sizes": 8.5,
        "top1": {"model": 0.5, "usual": 0.3, "most_kept": 0.2},
        "interval": {"top1": {"model": [0.48, 0.52]}},
    }
    coverage = {"num": 1500, "both": {"mean": 0.8, "waist_cm": 0.79}, "overall": 0.801}
    worth = {"photo": {"nll_less": 0.02, "interval": {"nll_less": [0.01, 0.03]}}, "words": {"nll_less": 0.1}}
    fit = {"nll": 0.5, "interval": {"nll": [0.4, 0.6]}}
    card = _card({"fit": fit, "size": size, "coverage": coverage, "worth": worth})
    assert "without the photo 0.0200 [0.0100, 0.0300] and without the words 0.1000 nats" in card
    assert "from other shoppers" in card
    assert "| fit | nll | 0.5000 [0.4000, 0.6000] |" in card
    assert "| is the one that was ordered and fitted | 0.5000 [0.4800, 0.5200] | 0.3000 | 0.2000 |" in card
    assert "Of 3,000 orders that were kept and fitted, 8.5 sizes each" in card
    assert "hold 0.801 of 1,500 people; by what is known: both 0.800." in card


def test_an_epoch_is_one_line_in_the_stated_form(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    display(Step(3, 1, 4, 32, 0.7))
    display(Epoch(3, 0.43213))
    display.close()
    out, err = capsys.readouterr()
    assert out == "Epoch 3, Loss: 0.4321\n"
    assert err == ""


def test_the_bar_tells_samples_and_loss_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    display = Display()
    display(Step(2, 1, 4, 32, 0.7))
    display(Step(2, 2, 4, 64, 0.65))
    display.close()
    err = capsys.readouterr().err
    assert "Epoch 2" in err
    assert "samples/s" in err
    quiet = Display(bar=False)
    quiet(Step(2, 1, 4, 32, 0.7))
    assert capsys.readouterr().err == ""


def test_thinned_events_keep_every_epoch() -> None:
    seen: list[Event] = []
    listen = thinned(seen.append, every_s=1000)
    for step in range(50):
        listen(Step(1, step, 50, step, 0.5))
    listen(Epoch(1, 0.5))
    listen(Epoch(2, 0.4))
    assert sum(isinstance(event, Epoch) for event in seen) == 2
    assert len(seen) <= 3


def test_paths_lead_workers_to_the_same_files_from_whatever_folder_they_run_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = preset("tiny")
    assert as_seen_by_workers(TrainConfig(model=model, init="runs/base")).init == str(tmp_path / "runs" / "base")
    assert as_seen_by_workers(TrainConfig(model=model, init="memory://base")).init == "memory://base"
    file = as_seen_by_workers(TrainConfig(model=model, pretrained="weights.safetensors"))
    assert file.pretrained == str(tmp_path / "weights.safetensors")
    for config in (TrainConfig(model=model), TrainConfig(model=model, pretrained="package")):
        assert as_seen_by_workers(config) == config

"""The command line: what it prints, where, and with which exit status."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.serving import untrained_checkpoint
from train.__main__ import main
from train.options import build_parser, fit_config, source_options
from tryon_core.presets import preset


@pytest.mark.cluster
def test_fit_writes_a_checkpoint_that_evaluate_scores(
    ray_cluster: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "model")
    assert main(["fit", "--preset", "tiny", "--data", "sim", "--out", out, "--smoke"]) == 0
    told = capfd.readouterr().out
    assert re.fullmatch(r"Epoch 1, Loss: \d+\.\d{4}\n", told)
    assert main(["evaluate", "--checkpoint", out, "--data", "sim", "--smoke"]) == 0
    scores = json.loads(capfd.readouterr().out)
    assert {"small", "fit", "large"} == set(scores["fit"]["auc"])
    assert {"auc_mean", "nll", "ece", "accuracy", "macro_f1", "oracle", "oracle_blind", "prior", "interval"} <= set(
        scores["fit"]
    )
    assert {"by_group", "coverage"} <= set(scores)
    assert {"returning", "both", "words", "photo", "nothing"} == set(scores["by_parts"])
    stored = json.loads((tmp_path / "model" / "config.json").read_text())["metrics"]
    assert stored["val"]["match"]["num"] == scores["match"]["num"]
    assert main(["fit", "--preset", "tiny", "--data", "sim", "--out", out, "--smoke"]) == 2
    sample = tmp_path / "sample"
    assert main(["sample", "--checkpoint", out, "--out", str(sample)]) == 0
    items = json.loads((sample / "catalogue.json").read_text())
    assert {path.name for path in sample.iterdir()} == {item["image"] for item in items} | {
        *("catalogue.json", "shopper.jpg", "shopper.txt")
    }
    assert main(["sample", "--checkpoint", out, "--out", str(sample)]) == 2


@pytest.mark.cluster
def test_more_workers_than_there_are_end_with_status_two(
    ray_cluster: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = str(tmp_path / "model")
    assert main(["fit", "--preset", "tiny", "--data", "sim", "--out", out, "--smoke", "--num-workers", "64"]) == 2
    assert "expected at most 8 workers on a cluster of 8 CPUs, got 64" in caplog.messages


def test_evaluate_writes_one_object_on_standard_output_and_pictures_where_it_is_asked_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, plots = untrained_checkpoint(tmp_path / "model", preset("tiny")), tmp_path / "plots"
    line = ["evaluate", "--checkpoint", url, "--data", "sim", "--smoke", "--shoppers", "150", "--resamples", "5"]
    assert main([*line, "--plots", str(plots)]) == 0
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    scores = json.loads(told)
    assert len(scores["fit"]["interval"]["nll"]) == 2
    assert {"by_parts", "by_group", "groups_behind", "worth", "size"} <= set(scores)
    assert scores["size"]["top1"]["oracle"] <= 1
    assert {"reliability.png", "confusion.png", "ablation.png"} <= {path.name for path in plots.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--data", "sim", "--out", "OUT", "--preset", "huge"], "expected preset to be one of article, base, large"),
        (["fit", "--data", "sim", "--out", "OUT", "--optimizer", "adm"], "did you mean 'adam'?"),
        (["fit", "--data", "sim", "--out", "OUT", "--epochs", "0"], "expected epochs over 0, got 0"),
        (["fit", "--data", "sim", "--out", "OUT", "--fusion", "sum"], "expected fusion to be one of"),
        (["fit", "--data", "sim", "--out", "OUT", "--image-encoder", "resnet19"], "did you mean 'resnet18'?"),
        (["fit", "--data", "sim", "--out", "TAKEN"], "expected a new or empty folder"),
        (["fit", "--data", "sim", "--out", "/proc/nowhere/x"], "expected a folder that can be written"),
        (["evaluate", "--checkpoint", "OUT", "--data", "sim"], "expected a checkpoint folder"),
    ],
)
def test_bad_use_is_one_line_and_status_two(
    arguments: list[str], message: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("mine")
    places = {"OUT": str(tmp_path / "out"), "TAKEN": str(tmp_path / "taken")}
    assert main([places.get(word, word) for word in arguments]) == 2
    assert len(caplog.messages) == 1
    assert message in caplog.messages[0]
    assert "\n" not in caplog.messages[0]
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["fit"], ["fit", "--data", "sim", "--out", "x", "--epochs", "many"], ["evaluate", "--data", "sim", "--typo"]],
)
def test_arguments_that_do_not_parse_end_with_status_two_and_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("python -m train")


def test_a_run_that_fails_ends_with_status_one(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk\nis full")

    monkeypatch.setattr("tryon_core.checkpoint.load_checkpoint", fail)
    assert main(["evaluate", "--data", "sim"]) == 1
    assert caplog.messages == ["OSError: the disk is full"]


def test_the_command_line_overrides_smoke_and_presets() -> None:
    line = "fit --preset tiny --data sim --out x --smoke --epochs 3 --learning-rate 0.1 --optimizer sgd --seed 5 --orders 99"
    options = build_parser().parse_args([*line.split(), "--text-encoder", "lstm"])
    config, source = fit_config(options), source_options(options)
    assert (config.epochs, config.learning_rate, config.optimizer, config.seed, config.batch_size) == (3, 0.1, "sgd", 5, 64)
    assert config.model.to_json()["towers"]["text"]["encoder"] == "lstm"
    assert (source.orders, source.seed, source.shoppers) == (99, 5, 60)


def test_the_phases_before_the_orders_are_told_on_the_command_line() -> None:
    line = "fit --preset tiny --data sim --out x --looks-epochs 2 --looks-rate 0.5 --body-epochs 3 --body-rate 0.25"
    config = fit_config(build_parser().parse_args([*line.split(), "--frozen", "garment_image", "person_mask"]))
    assert (config.looks_epochs, config.looks_rate, config.body_epochs, config.body_rate) == (2, 0.5, 3, 0.25)
    assert config.frozen == ("garment_image", "person_mask")

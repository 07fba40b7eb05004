"""The table of choices: every one can be built, and what is done is not done again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import choices
from benchmarks.choices import CHOICES, Settings, lines, main, table
from train.config import TrainConfig, with_choices
from tryon_core.model import Model
from tryon_core.presets import preset

SMALL = Settings(preset="tiny", shoppers=60, garments=12, brands=3, orders=150, epochs=1, batch_size=64)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.name)
def test_every_choice_is_a_model_that_can_be_built_and_differs_from_all_others(choice: choices.Choice) -> None:
    def config(own: choices.Choice) -> TrainConfig:
        return TrainConfig(model=with_choices(preset(own.preset or "tiny"), **own.model), **own.run)

    assert Model(config(choice).model)
    assert [own.name for own in CHOICES if config(own) == config(choice)] == [choice.name]


def test_the_table_repeats_and_a_run_that_was_cut_off_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "out" / "choices.jsonl"
    chosen = [choice for choice in CHOICES if choice.name in ("base", "average", "denoise")]
    first = list(lines(chosen[:2], SMALL, file))
    assert [line["choice"] for line in first] == ["base", "average"]
    assert first[0]["fit_nll"] != first[1]["fit_nll"]
    again = choices.measure(chosen[0], SMALL, choices.Shop(SMALL))
    scores = ("fit_auc", "fit_nll", "match_auc", "waist_mae_cm")
    assert [again[key] for key in scores] == [first[0][key] for key in scores]
    with file.open("a") as out:
        out.write('{"choice": "denoise", "fit_')
    measured = []
    monkeypatch.setattr(
        choices, "measure", lambda choice, *_: measured.append(choice.name) or {**first[0], "choice": choice.name}
    )
    rest = list(lines(chosen, SMALL, file))
    assert measured == ["denoise"]
    assert rest[:2] == first
    assert list(lines(chosen, SMALL, file)) == rest
    assert measured == ["denoise"]
    assert list(lines(chosen[:1], Settings(preset="tiny", seed=5), file)) != rest[:1]


def test_a_choice_without_its_weights_is_told_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("train.backbones._PACKAGE", "no-such-package-of-anyone")
    chosen = [choice for choice in CHOICES if choice.name == "pretrained"]
    assert list(lines(chosen, SMALL, tmp_path / "choices.jsonl")) == []
    assert "left out pretrained: expected package" in capsys.readouterr().err


def test_the_command_prints_a_table_from_what_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "choices.jsonl"
    line = {"choice": "article", "fit_auc": None, "fit_nll": None, "match_auc": 0.6, "waist_mae_cm": None}
    line |= {"category_accuracy": None, "s_per_epoch": 2.0, "fit_s": 5.0, "num_weights": 1234, "answer_ms": 1.0}
    settings = {**choices.asdict(SMALL)}
    file.write_text(json.dumps(line | {"settings": settings}) + "\n")
    told = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    main(["--out", str(file), "--only", "article", *told])
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith("| choice |  | fit AUC | fit NLL |")
    assert "| – | – | 0.6000 | – | – | 2 | 5 | 1,234 | 1.0 |" in out
    assert out.strip() == table([line])

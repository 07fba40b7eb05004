"""A warm start: what comes from the checkpoint, what is new, and what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.synthetic import make_rows
from train.config import TrainConfig, with_choices
from train.loop import Place, build_model, fit
from train.options import build_parser, fit_config
from train.rows import Rows
from tryon_core.batch import SIZE_FIELDS
from tryon_core.checkpoint import as_stored, save_checkpoint
from tryon_core.config import FusionConfig, ModelConfig
from tryon_core.errors import ConfigError
from tryon_core.model import Model
from tryon_core.presets import preset


@pytest.fixture(scope="module")
def rows() -> Rows:
    return make_rows(preset("tiny"), 64)


@pytest.fixture(scope="module")
def fitted(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, str]:
    config = TrainConfig(model=preset("tiny"), epochs=1, batch_size=32)
    model = build_model(config, rows)
    fit(model, rows, config, lambda event: None, place=Place())
    as_stored(model)
    folder = str(tmp_path_factory.mktemp("warm") / "model")
    save_checkpoint(folder, model, calibration={}, metrics={}, card="")
    return model, folder


def test_fitting_starts_from_the_checkpoints_weights_and_statistics(rows: Rows, fitted: tuple[Model, str]) -> None:
    wider = rows.parts["size"].values * np.float32(3)
    other = Rows({**rows.parts, "size": replace(rows.parts["size"], values=wider)}, rows.targets)
    started = build_model(TrainConfig(model=preset("tiny"), init=fitted[1], seed=9), other).state_dict()
    for name, tensor in fitted[0].state_dict().items():
        torch.testing.assert_close(started[name], tensor, msg=name)
    at = SIZE_FIELDS.index("rank")
    assert float(started["towers.size.mean"][at]) == pytest.approx(float(rows.parts["size"].values[:, at].mean()), rel=1e-4)


def test_a_part_and_a_task_that_the_checkpoint_lacks_start_new(rows: Rows, tmp_path: Path) -> None:
    average = FusionConfig(kind="average", width=32, depth=1)
    towers = {name: preset("tiny").towers[name] for name in ("size", "text")}
    parts = {"size": "size", "garment_words": "text"}
    whole = replace(preset("tiny"), parts=parts, towers=towers, fusion=average, tasks={"fit": 1.0})
    model = build_model(TrainConfig(model=whole), rows)
    save_checkpoint(str(tmp_path / "model"), model, calibration={}, metrics={}, card="")
    more = replace(whole, tasks={"fit": 1.0, "category": 1.0})
    started = build_model(TrainConfig(model=more, init=str(tmp_path / "model"), seed=5), rows)
    fresh = build_model(TrainConfig(model=more, seed=5), rows)
    assert torch.equal(started.state_dict()["heads.category.weight"], fresh.state_dict()["heads.category.weight"])
    torch.testing.assert_close(
        started.state_dict()["heads.fit.weight"], model.state_dict()["heads.fit.weight"], atol=1e-3, rtol=1e-3
    )


def _other_text() -> ModelConfig:
    return with_choices(preset("tiny"), text_encoder="lstm")


def test_a_weight_of_another_shape_is_told_by_name(rows: Rows, fitted: tuple[Model, str]) -> None:
    with pytest.raises(ConfigError, match=r"expected towers\.text\.\S+ of shape \(64, .*\) in .*, got \(48, "):
        build_model(TrainConfig(model=_other_text(), init=fitted[1]), rows)


def test_without_a_preset_the_model_is_the_checkpoints(fitted: tuple[Model, str]) -> None:
    line = ["fit", "--data", "sim", "--out", "x", "--init", fitted[1]]
    config = fit_config(build_parser().parse_args(line))
    assert (config.model.name, config.init) == ("tiny", fitted[1])
    assert fit_config(build_parser().parse_args([*line, "--preset", "article"])).model.name == "article"
    assert fit_config(build_parser().parse_args(line[:5])).model.name == "base"

"""Pictures of scores: which are drawn, that they are PNGs of what was told, and what is said where none can be."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.synthetic import make_rows
from train.__main__ import main
from train.config import TrainConfig
from train.evaluate import evaluate
from train.export import rounded
from train.loop import build_model
from train.plots import PICTURES, ablation, check_plots, confusion, draw, groups, reliability
from tryon_core.errors import ConfigError
from tryon_core.presets import preset

pytest.importorskip("matplotlib", reason="the extra plots is not installed")


@pytest.fixture(scope="module")
def scores() -> dict[str, Any]:
    rows = make_rows(preset("tiny"), 600)
    told = replace(rows, extra={"group_half": np.where(np.arange(600) % 2, "odd", "even")})
    model = build_model(TrainConfig(model=preset("tiny")), rows)
    found: dict[str, Any] = rounded(evaluate(model, told, num_resamples=20))
    return {"model": "abc", "split": "val", "data": {"source": "synthetic"}, **found}


def test_every_picture_is_drawn_as_a_png(scores: dict[str, Any], tmp_path: Path) -> None:
    files = draw(scores, tmp_path / "new")
    assert [file.name for file in files] == [f"{name}.png" for name in PICTURES]
    for file in files:
        with Image.open(file) as image:
            assert image.format == "PNG"
            assert min(image.size) > 200
            assert len(image.convert("L").getcolors(maxcolors=256) or ()) > 10


def test_reliability_draws_what_came_against_what_was_claimed(scores: dict[str, Any]) -> None:
    axes = reliability(scores).axes
    told = scores["match"]["reliability"]
    drawn = axes[1].containers[0].lines[0]
    np.testing.assert_allclose(drawn.get_xdata().astype(float), [own["claimed"] for own in told])
    np.testing.assert_allclose(drawn.get_ydata().astype(float), [own["came"] for own in told])
    assert f"n = {scores['match']['num']}" in axes[1].get_title()


def test_confusion_states_the_counts(scores: dict[str, Any]) -> None:
    texts = [text.get_text().split("\n")[1] for text in confusion(scores).axes[0].texts]
    assert texts == [f"{cell:,}" for row in scores["fit"]["confusion"] for cell in row]


def test_ablation_draws_each_way_of_knowing_a_shopper_with_its_interval(scores: dict[str, Any]) -> None:
    axis = ablation(scores).axes[0]
    assert [round(bar.get_width(), 5) for bar in axis.patches] == [
        scores["by_parts"][known]["fit"]["auc_mean"] for known in ("both", "words", "photo", "nothing")
    ]
    assert axis.yaxis_inverted()


def test_groups_that_are_not_tiny_are_drawn(scores: dict[str, Any]) -> None:
    labels = [label.get_text() for label in groups(scores).axes[0].get_yticklabels()]
    assert any(label.startswith("half: even (n = ") for label in labels)


def test_what_no_score_tells_is_not_drawn(tmp_path: Path) -> None:
    assert draw({"category": {"accuracy": 0.9}}, tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_extra_is_named_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="install the extra plots"):
        check_plots()
    assert main(["evaluate", "--checkpoint", str(tmp_path / "none"), "--data", "sim", "--plots", str(tmp_path)]) == 2
    assert "the extra plots" in caplog.messages[0]

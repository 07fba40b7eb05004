from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tryon_core.config import ImageTower, TextTower
from tryon_core.errors import ConfigError
from tryon_core.model import Model
from tryon_core.presets import PRESETS, preset
from tryon_core.tasks import TASKS


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_named_as_it_is_called_and_can_be_built(name: str) -> None:
    config = preset(name)
    with torch.device("meta"):
        model = Model(config)
    assert config.name == name
    assert model.heads.keys() == config.tasks.keys()


def test_an_unknown_preset_is_refused_with_the_closest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'article'"):
        preset("articel")


def test_each_call_gives_an_equal_preset() -> None:
    assert preset("base") == preset("base")


def test_the_article_is_the_published_model_without_its_flatten_of_537_million_weights() -> None:
    config = preset("article")
    photo, text = config.towers["photo"], config.towers["text"]
    assert isinstance(photo, ImageTower)
    assert isinstance(text, TextTower)
    assert (photo.encoder, text.encoder, config.fusion.kind, list(config.tasks)) == ("cnn", "lstm", "concat", ["match"])
    assert photo.embedding_dim == text.embedding_dim
    with torch.device("meta"):
        model = Model(config)
    assert sum(parameter.numel() for parameter in model.towers["photo"].parameters()) < 1_000_000
    assert model.towers["text"].sequence.rnn.bidirectional  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["article", "base"])
def test_a_preset_learns_its_examples_by_heart(name: str, make_examples: Any, make_batch: Any) -> None:
    torch.manual_seed(0)
    config = preset(name)
    small = {n: replace(t, height=48, width=48) if isinstance(t, ImageTower) else t for n, t in config.towers.items()}
    config = replace(config, towers=small)
    model = Model(replace(config, fusion=replace(config.fusion, dropout=0.0))).train()
    batch = make_batch(make_examples(config, 4))
    target = torch.tensor([1.0, 0.0, 0.0, 1.0])
    tastes = {t: target[:, None].expand(-1, TASKS[t].num_outputs) for t in config.tasks if t.startswith("taste")}
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        outputs = model(batch)
        loss = TASKS["match"].loss(outputs["match"], target)
        optimiser.zero_grad()
        (loss + sum(TASKS[task].loss(outputs[task], kept) for task, kept in tastes.items())).backward()
        optimiser.step()
    assert loss.item() < 0.2

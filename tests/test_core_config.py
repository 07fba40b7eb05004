from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest

from tryon_core.config import FusionConfig, ImageTower, ModelConfig, NumbersTower, TextTower
from tryon_core.errors import ConfigError
from tryon_core.model import Model
from tryon_core.presets import PRESETS, preset


@pytest.mark.parametrize("name", PRESETS)
def test_a_config_reads_back_from_json_as_it_was(name: str) -> None:
    config = preset(name)
    assert ModelConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_fixed_weights_read_back_from_json() -> None:
    tiny = preset("tiny")
    fusion = FusionConfig(kind="weighted", weights=dict.fromkeys(tiny.parts, 1.5))
    config = dataclasses.replace(tiny, fusion=fusion)
    assert ModelConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_members_read_back_from_json_and_are_one_where_it_has_none() -> None:
    config = dataclasses.replace(preset("tiny"), fusion=FusionConfig(members=3))
    data = json.loads(json.dumps(config.to_json()))
    assert ModelConfig.from_json(data) == config
    del data["fusion"]["members"]
    assert ModelConfig.from_json(data).fusion.members == 1


def test_what_json_leaves_out_has_its_default() -> None:
    data = {"name": "x", "parts": {"garment_words": "t"}, "towers": {"t": {"type": "text", "encoder": "gru"}}}
    config = ModelConfig.from_json(data)
    assert config.towers["t"] == TextTower(encoder="gru")
    assert config.fusion == FusionConfig()


def changed(*path: str, value: Any) -> dict[str, Any]:
    data = copy.deepcopy(preset("tiny").to_json())
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("taks",), {}, "did you mean 'tasks'"),
        (("fusion", "kinds"), "concat", "did you mean 'kind'"),
        (("towers", "text", "embeding_dim"), 3, "did you mean 'embedding_dim'"),
        (("towers", "text", "encoder"), "lstmm", "did you mean 'lstm'"),
        (("towers", "text", "type"), "txt", "did you mean 'text'"),
        (("towers", "text", "type"), ["text"], "type of tower 'text'"),
        (("towers", "garment_image", "encoder"), "resnet50", "did you mean 'resnet18'"),
        (("fusion", "kind"), "averaged", "did you mean 'average'"),
        (("parts", "size"), "sizes", "did you mean 'size'"),
        (("towers", "unused"), {"type": "numbers"}, "expected a part that uses tower 'unused'"),
        (("towers", "size"), "numbers", "type of tower 'size'"),
        (("towers",), None, "expected towers and fusion as objects"),
        (("parts",), {}, "at least one"),
        (("parts",), ["size"], "expected parts as an object"),
        (("tasks",), [], "expected tasks as an object"),
        (("fusion", "num_heads"), 0, "over 0"),
        (("fusion", "num_heads"), 5, "divisible by 5 heads"),
        (("fusion", "width"), "wide", "expected a complete FusionConfig"),
        (("fusion", "depth"), -1, "depth from 0"),
        (("fusion", "members"), 0, "members from 1 to 1000, got 0"),
        (("fusion", "members"), 1001, "members from 1 to 1000, got 1001"),
        (("fusion", "members"), 2.5, "members from 1 to 1000, got 2.5"),
        (("fusion", "dropout"), 1.0, r"dropout in \[0, 1\)"),
        (("fusion", "weights"), {"size": 1.0}, "need kind weighted"),
        (("towers", "text", "rows"), 100, "at least 65536 rows"),
        (("towers", "text", "num_heads"), 0, "over 0"),
        (("towers", "text", "depth"), 0, "over 0"),
        (("towers", "text", "max_tokens"), 0, "max_tokens of at least 1"),
        (("towers", "text", "dropout"), -0.1, r"dropout in \[0, 1\)"),
        (("towers", "garment_image", "height"), 8, "at least 16 px"),
        (("towers", "garment_image", "channels"), 2, "channels 1 or 3"),
        (("towers", "garment_image", "mean"), [0.5], "one mean and one std per channel"),
        (("towers", "garment_image", "denoise_sigma"), -1.0, "denoise_sigma of at least 0"),
        (("towers", "garment_image", "embedding_dim"), 0, "embedding_dim over 0"),
        (("towers", "garment_image", "pooling"), "mean", "expected pooling to be one of average, max, got 'mean'"),
        (("towers", "garment_image", "places"), [4], "expected places as rows and columns over 0"),
        (("towers", "garment_image", "places"), [0, 4], "expected places as rows and columns over 0"),
        (("towers", "garment_image", "places"), [4.0, 4.0], "expected places as rows and columns over 0"),
        (("towers", "garment_image", "places"), "44", "expected places as rows and columns over 0"),
        (("towers", "size", "hidden"), 0, "over 0"),
        (("towers", "size", "hidden"), "64", "expected a complete NumbersTower"),
    ],
)
def test_a_wrong_entry_is_refused_with_what_was_expected(path: tuple[str, ...], value: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ModelConfig.from_json(changed(*path, value=value))


@pytest.mark.parametrize("data", [[], "tiny", None, 3])
def test_what_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(ConfigError, match="expected a model config as an object"):
        ModelConfig.from_json(data)


@pytest.mark.parametrize("missing", ["name", "parts"])
def test_a_missing_key_is_refused(missing: str) -> None:
    data = preset("tiny").to_json()
    del data[missing]
    with pytest.raises(ConfigError, match=f"'{missing}'"):
        ModelConfig.from_json(data)


@pytest.mark.parametrize("weights", [{"size": 0.0}, {"size": -1.0}])
def test_a_fixed_weight_is_over_zero(weights: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="every fusion weight over 0"):
        FusionConfig(kind="weighted", weights=weights)


def test_fixed_weights_name_every_part_and_no_other() -> None:
    tiny = preset("tiny")
    weights = {part: 1.0 for part in tiny.parts if part != "ease"} | {"scent": 1.0}
    with pytest.raises(ConfigError, match=r"differing: \['ease', 'scent'\]"):
        dataclasses.replace(tiny, fusion=FusionConfig(kind="weighted", weights=weights))


def test_configs_are_frozen() -> None:
    for config in (preset("tiny"), NumbersTower(), FusionConfig(), ImageTower(encoder="cnn", height=32, width=32)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            config.name = "other"  # type: ignore[union-attr, misc]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parts": {**preset("tiny").parts, "foto": "garment_image"}}, "did you mean 'photo'"),
        ({"tasks": {"match": 1.0, "body": 1.0, "fits": 1.0}}, "did you mean 'fit'"),
        ({"parts": {**preset("tiny").parts, "size": "text"}, "towers": "drop size"}, "parts of kind text on tower 'text'"),
        ({"tasks": {"match": 1.0}}, "expected task body and part size with part ease"),
        (
            {"tasks": {"match": 1.0, "body": 1.0}},
            "expected tasks fit, match, category, colour, pattern, cut, department, taste_category, taste_colour",
        ),
    ],
)
def test_a_config_whose_pieces_do_not_fit_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    tiny = preset("tiny")
    if changes.get("towers") == "drop size":
        changes = changes | {"towers": {name: tower for name, tower in tiny.towers.items() if name != "size"}}
    with pytest.raises(ConfigError, match=message):
        Model(dataclasses.replace(tiny, **changes))


def test_a_task_without_any_part_in_its_view_is_refused() -> None:
    tiny = preset("tiny")
    config = dataclasses.replace(tiny, parts={"garment_words": "text"}, towers={"text": tiny.towers["text"]})
    with pytest.raises(ConfigError, match="expected parts that belong to the shopper"):
        Model(config)

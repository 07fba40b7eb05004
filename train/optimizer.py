"""Optimizers by name, and how the learning rate moves over a run."""

from __future__ import annotations

import math

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from .config import TrainConfig


def build_optimizer(model: nn.Module, config: TrainConfig) -> Optimizer:
    """Return the config's optimizer; biases, norms, other vectors and word tables are not decayed.

    Word tables learn faster by `table_rate`, since a step sees few of their rows.
    """
    tables = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]
    weights = [p for p in model.parameters() if p.requires_grad and not any(p is table for table in tables)]
    matrices, vectors = [p for p in weights if p.ndim > 1], [p for p in weights if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
        {"params": tables, "weight_decay": 0.0, "lr": config.table_rate * config.learning_rate},
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "sgd":
        return SGD(groups, lr=config.learning_rate, momentum=config.momentum)
    return (Adam if config.optimizer == "adam" else AdamW)(groups, lr=config.learning_rate, fused=True)


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

"""A fit's phase over shoppers, where it has one: what a body measures, from its silhouette and words, each shopper once.

Orders tell of the same shopper many times, and of their body always the same. So its silhouette's tower learns from people,
not from orders, and may then stay as it is (`TrainConfig.frozen`) while all else learns from the orders.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tryon_core.batch import PARTS
from tryon_core.errors import ConfigError

from .config import TrainConfig, phase_of
from .rows import Rows, unknown_like

TASK = "body"


def body_rows(rows: Rows) -> Rows:
    """Return one row per distinct silhouette and words of those measured, with the shopper's parts and measurements alone.

    Raises:
        ConfigError: no measured shopper has an image.
    """
    target = rows.targets.get(TASK, np.full((len(rows), 1), np.nan))
    measured = rows.take(np.flatnonzero(~np.isnan(target).all(axis=1)))
    own = {part: column for part, column in measured.parts.items() if PARTS[part].owner == "shopper"}
    if not any(PARTS[part].kind == "image" and column.present.any() for part, column in own.items()):
        raise ConfigError(
            f"expected rows of measured shoppers with an image to learn bodies from, got parts {sorted(rows.parts)}"
        )
    _, first = np.unique(np.stack([column.index for column in own.values()], axis=1), axis=0, return_index=True)
    people = measured.take(np.sort(first))
    targets = {task: target if task == TASK else unknown_like(target) for task, target in people.targets.items()}
    return Rows({part: people.parts[part] for part in own}, targets)


def body_config(config: TrainConfig) -> TrainConfig:
    """Return how that phase is fitted; words learn no faster than all else, or they would name the people fitted on."""
    rate, size = config.body_rate, config.body_batch_size
    phase = phase_of(config, epochs=config.body_epochs, batch_size=size, learning_rate=rate)
    return replace(phase, table_rate=1.0)

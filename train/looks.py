"""A fit's first phase, where it has one: what a garment is at a glance, from its image alone, each distinct image once.

A backbone costs too much for every order of a garment to go through it. So it learns from the images, not from the orders,
and may then stay as it is (`TrainConfig.frozen`) while all else learns from the orders what to make of its embeddings.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tryon_core.batch import LOOKS
from tryon_core.errors import ConfigError

from .config import TrainConfig, phase_of
from .rows import Rows, unknown_like

PART = "garment_image"


def look_rows(rows: Rows) -> Rows:
    """Return one row per distinct garment image, with the looks that are known of it and nothing else.

    Raises:
        ConfigError: no row has a garment image.
    """
    column = rows.parts.get(PART)
    index = np.full(len(rows), -1, dtype=np.int64) if column is None else column.index
    images, first = np.unique(index, return_index=True)
    first = first[images >= 0]
    if not len(first):
        raise ConfigError(f"expected rows with part {PART} to learn looks from, got none")
    own = rows.take(first)
    targets = {task: target if task in LOOKS else unknown_like(target) for task, target in own.targets.items()}
    return Rows({PART: own.parts[PART]}, targets)


def look_config(config: TrainConfig) -> TrainConfig:
    """Return how the first phase is fitted: nothing is hidden, and images move further."""
    rate, size = config.looks_rate, config.looks_batch_size
    alone = phase_of(config, epochs=config.looks_epochs, batch_size=size, learning_rate=rate)
    return replace(alone, augmentation={PART: config.looks_augmentation}, missing={})

"""What training does to a batch so that the model copes with less: parts, charts and words go missing, images move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tryon_core.augment import augment
from tryon_core.batch import CHART, PARTS, SIZE_FIELDS, Column
from tryon_core.text import TextArrays

from .config import TrainConfig
from .rows import Hidden, Rows

_CHART_FIELDS = {"of_garment", *(f"{key}_{end}" for key in CHART for end in ("low", "high"))}
_OF_CHART = np.array([name in _CHART_FIELDS for name in SIZE_FIELDS])


def perturbed(rows: Rows, chosen: npt.NDArray[np.int64], config: TrainConfig, rng: np.random.Generator) -> Rows:
    """Return the chosen rows as one training step sees them.

    Args:
        chosen: int64[B], which rows.
        rng: decides what goes missing and how images move.
    """
    batch = rows.take(chosen, hidden(config.missing, len(chosen), rng))
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    parts = {name: _moved(name, column, config, rng, generator) for name, column in batch.parts.items()}
    return Rows(parts, batch.targets, batch.extra)


def hidden(shares: Mapping[str, float], num_rows: int, rng: np.random.Generator) -> Hidden:
    """Return for each part bool[num_rows], true for about its share of the rows."""
    return {part: rng.random(num_rows) < share for part, share in shares.items()}


def without_charts(sizes: npt.NDArray[np.float32], share: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return part `size` with about a share of its values reduced to label and rank.

    Args:
        sizes: float32[U, len(batch.SIZE_FIELDS)].
    """
    bare = sizes.copy()
    bare[(rng.random(len(sizes)) < share)[:, None] & _OF_CHART] = np.nan
    return bare


def without_words(texts: TextArrays, share: float, rng: np.random.Generator) -> TextArrays:
    """Return texts that lack about a share of their tokens; every text keeps at least one."""
    inside = np.arange(texts.ids.shape[1]) < texts.lengths[:, None]
    kept = inside & (rng.random(inside.shape) >= share)
    kept[:, 0] |= ~kept.any(axis=1)
    order = np.argsort(~kept, axis=1, kind="stable")
    lengths = kept.sum(axis=1)
    still = np.arange(inside.shape[1]) < lengths[:, None]
    ids = np.where(still[:, :, None], np.take_along_axis(texts.ids, order[:, :, None], axis=1), 0)
    values = np.where(still, np.take_along_axis(texts.values, order, axis=1), np.nan)
    return TextArrays(ids, values.astype(np.float32), lengths.astype(np.int64))


def _moved(
    name: str, column: Column[Any], config: TrainConfig, rng: np.random.Generator, generator: torch.Generator
) -> Column[Any]:
    values, kind = column.values, PARTS[name].kind
    if kind == "image" and name in config.augmentation and name not in config.frozen:
        values = augment(torch.as_tensor(values), config.augmentation[name], generator)
    elif kind == "text" and config.word_missing:
        values = without_words(values, config.word_missing, rng)
    elif name == "size":
        values = without_charts(values, config.chart_missing, rng)
    return Column(values, column.index)

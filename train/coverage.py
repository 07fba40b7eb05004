"""How many people a checkpoint's measurement intervals hold, by what is known of them; it knows no model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from tryon_core.batch import MEASUREMENTS
from tryon_core.tasks import TASKS

from .rows import Array, Rows

HalfWidths = Mapping[str, Mapping[str, float]]
"""By what is known of the shopper and measurement, half of an interval, cm or kg."""


def one_row_each(rows: Rows) -> Array:
    """Return int64[people], a row of each shopper: who orders much counts no more."""
    shoppers = rows.extra.get("shopper", np.arange(len(rows)))
    return np.asarray(np.unique(shoppers, return_index=True)[1])


def coverage(outputs: Mapping[str, Array], rows: Rows, half_widths: HalfWidths) -> dict[str, Any]:
    """Return the share of people whose measurement lies in its interval: overall, and by what is known and measurement.

    It is empty where nobody was measured or no interval is told.

    Args:
        outputs: by what is known of the shopper, the body task's raw outputs, float32[N, M].
        rows: of people whom the intervals were not taken from.
    """
    people = one_row_each(rows)
    target = rows.targets["body"][people]
    result: dict[str, Any] = {"num": len(people)}
    shares: list[float] = []
    for known, raw in outputs.items():
        errors = np.abs(TASKS["body"].predict(torch.from_numpy(raw[people]), 1.0).numpy() - target)
        own = {
            name: _share(errors[:, MEASUREMENTS.index(name)], width) for name, width in half_widths.get(known, {}).items()
        }
        told = {name: share for name, share in own.items() if share is not None}
        if told:
            result[known] = {"mean": float(np.mean([*told.values()])), **told}
            shares += told.values()
    return result | {"overall": float(np.mean(shares))} if shares else {}


def _share(errors: Array, width: float) -> float | None:
    measured = errors[~np.isnan(errors)]
    return float((measured <= width).mean()) if len(measured) else None

"""Why a size is recommended, in plain sentences; no sentence mentions weight or the size of a body."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tryon_core.batch import HISTORY_FIELDS, MEASUREMENTS
from tryon_core.garment import Size

from .schema_types import Fit

_PLACES = {key: key.removesuffix("_cm") for key in ("chest_cm", "waist_cm", "hip_cm", "thigh_cm", "neck_cm")}
_SLACK_CM = 1.0


def reasons_for(
    size: Size | None,
    fit: Mapping[Fit, float],
    body: npt.NDArray[np.float32],
    history: npt.NDArray[np.float32] | None,
    *,
    likeliest: bool,
) -> list[str]:
    """Return the sentences for one recommended size.

    Args:
        size: the recommended size; None where the garment has none.
        fit: its probabilities of small, fit, large.
        body: float32[len(MEASUREMENTS)], or empty where nothing was told of the shopper.
        history: float32[len(HISTORY_FIELDS)] of its row, or None.
        likeliest: whether no size, in stock or not, is likelier to fit.
    """
    if size is None:
        return ["This garment lists no sizes, so only its style was compared."]
    sentences = [_likely(size, fit, likeliest)]
    if len(body) and size.chart and size.chart_of == "body":
        sentences += _ease(size, dict(zip(MEASUREMENTS, map(float, body), strict=True)))
    return sentences + (_of_earlier_orders(history) if history is not None else [])


def _likely(size: Size, fit: Mapping[Fit, float], likeliest: bool) -> str:
    other: Fit = "small" if fit["small"] > fit["large"] else "large"
    risk = f"; if not, it is more likely too {other}" if fit[other] > 0.1 else ""
    most = "the most likely to fit" if likeliest else "of those in stock the most likely to fit"
    return f"Size {size.label} is {most} ({fit['fit']:.0%}){risk}."


def _ease(size: Size, body: Mapping[str, float]) -> list[str]:
    sentences = []
    for key, place in _PLACES.items():
        if key in size.chart:
            low, high = size.chart[key]
            if body[key] > high + _SLACK_CM:
                sentences.append(f"It may be about {body[key] - high:.0f} cm tight at the {place}.")
            elif body[key] < low - _SLACK_CM:
                sentences.append(f"It may be about {low - body[key]:.0f} cm loose at the {place}.")
    return sentences


def _of_earlier_orders(history: npt.NDArray[np.float32]) -> list[str]:
    shares = dict(zip(HISTORY_FIELDS, map(float, history), strict=True))
    count = round(float(np.expm1(shares["garment_log_count"])))
    if count < 5:
        return []
    small, large = shares["garment_small"], shares["garment_large"]
    if small > large + 0.15:
        return [f"Runs small, say {count} earlier orders."]
    if large > small + 0.15:
        return [f"Runs large, say {count} earlier orders."]
    return []

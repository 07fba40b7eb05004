"""Why a size: plain sentences, each from what was predicted or told."""

from __future__ import annotations

import numpy as np
import pytest

from serve.reasons import reasons_for
from tryon_core.batch import HISTORY_FIELDS, MEASUREMENTS
from tryon_core.garment import Size

SIZE = Size("M", chart={"waist_cm": (70.0, 76.0), "hip_cm": (94.0, 100.0)})
NOBODY = np.zeros(0, np.float32)


def body(**measurements: float) -> np.ndarray:
    return np.array([measurements.get(name, 90.0) for name in MEASUREMENTS], np.float32)


def history(**shares: float) -> np.ndarray:
    return np.array([shares.get(name, 0.0) for name in HISTORY_FIELDS], np.float32)


def test_the_likeliest_size_is_said_with_its_chance_and_the_likelier_risk() -> None:
    (said,) = reasons_for(SIZE, {"small": 0.3, "fit": 0.65, "large": 0.05}, NOBODY, None, likeliest=True)
    assert said == "Size M is the most likely to fit (65%); if not, it is more likely too small."
    (sure,) = reasons_for(SIZE, {"small": 0.05, "fit": 0.9, "large": 0.05}, NOBODY, None, likeliest=True)
    assert sure == "Size M is the most likely to fit (90%)."


def test_a_size_that_a_sold_out_one_would_beat_is_said_to_be_the_best_in_stock() -> None:
    (said,) = reasons_for(SIZE, {"small": 0.05, "fit": 0.9, "large": 0.05}, NOBODY, None, likeliest=False)
    assert said.startswith("Size M is of those in stock the most likely to fit")


def test_the_chart_and_the_body_tell_where_it_is_tight_or_loose() -> None:
    fit = {"small": 0.1, "fit": 0.8, "large": 0.1}
    said = reasons_for(SIZE, fit, body(waist_cm=79.2, hip_cm=90.0), None, likeliest=True)
    assert said[1:] == ["It may be about 3 cm tight at the waist.", "It may be about 4 cm loose at the hip."]
    assert len(reasons_for(SIZE, fit, body(waist_cm=73, hip_cm=97), None, likeliest=True)) == 1
    of_garment = Size("M", chart={"waist_cm": (70.0, 76.0)}, chart_of="garment")
    assert len(reasons_for(of_garment, fit, body(waist_cm=99), None, likeliest=True)) == 1


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        (
            {"garment_small": 0.6, "garment_large": 0.1, "garment_log_count": np.log1p(12)},
            "Runs small, say 12 earlier orders.",
        ),
        (
            {"garment_small": 0.1, "garment_large": 0.5, "garment_log_count": np.log1p(30)},
            "Runs large, say 30 earlier orders.",
        ),
    ],
)
def test_enough_earlier_orders_that_agree_are_told(shares: dict[str, float], said: str) -> None:
    fit = {"small": 0.1, "fit": 0.8, "large": 0.1}
    assert reasons_for(SIZE, fit, NOBODY, history(**shares), likeliest=True)[1:] == [said]
    few = shares | {"garment_log_count": np.log1p(3)}
    assert reasons_for(SIZE, fit, NOBODY, history(**few), likeliest=True)[1:] == []


def test_a_garment_without_sizes_is_said_to_be_compared_by_style_alone() -> None:
    (said,) = reasons_for(None, {"small": 0.1, "fit": 0.8, "large": 0.1}, body(), None, likeliest=True)
    assert "only its style" in said

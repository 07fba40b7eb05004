"""How many people intervals hold: of people they were not taken from, one row each."""

from __future__ import annotations

import numpy as np
import pytest

from train.calibrate import half_widths
from train.coverage import coverage, one_row_each
from train.rows import Rows
from tryon_core.batch import MEASUREMENTS
from tryon_core.tasks import Body


def _rows(num: int, seed: int, spread: float = 4.0) -> Rows:
    rng = np.random.default_rng(seed)
    body = (np.array(Body.centre) + rng.normal(0, spread, (num, len(MEASUREMENTS)))).astype(np.float32)
    return Rows({}, {"body": body}, {"shopper": np.arange(num)})


def test_intervals_of_some_people_hold_four_in_five_of_others_and_fewer_of_those_who_vary_more() -> None:
    seen, fresh, wild = _rows(4000, 0), _rows(4000, 1), _rows(4000, 2, spread=8.0)
    guess = np.zeros((4000, len(MEASUREMENTS)), np.float32)
    widths = {"both": half_widths(guess, seen.targets["body"])}
    found = coverage({"both": guess}, fresh, widths)
    assert found["num"] == 4000
    assert found["overall"] == found["both"]["mean"] == pytest.approx(0.8, abs=0.02)
    assert found["both"]["waist_cm"] == pytest.approx(0.8, abs=0.03)
    assert coverage({"both": guess}, wild, widths)["overall"] < 0.6


def test_who_orders_much_counts_once() -> None:
    rows = _rows(2, 0).take(np.array([0, 0, 0, 1]))
    assert len(one_row_each(rows)) == 2
    far = rows.targets["body"].copy()
    far[:3] = np.array(Body.centre, np.float32)
    far[3] = 0
    guess = np.zeros((4, len(MEASUREMENTS)), np.float32)
    told = Rows({}, {"body": far}, rows.extra)
    assert coverage({"both": guess}, told, {"both": {"waist_cm": 1.0}})["both"]["waist_cm"] == 0.5


def test_what_nobody_was_measured_for_and_what_has_no_interval_is_not_told() -> None:
    rows = _rows(10, 0)
    rows.targets["body"][:, MEASUREMENTS.index("neck_cm")] = np.nan
    guess = np.zeros((10, len(MEASUREMENTS)), np.float32)
    found = coverage({"both": guess, "words": guess}, rows, {"both": {"neck_cm": 3.0, "hip_cm": 99.0}})
    assert found == {"num": 10, "both": {"mean": 1.0, "hip_cm": 1.0}, "overall": 1.0}

"""Numbers of a body, read from words."""

from __future__ import annotations

import numpy as np

from tryon_core.batch import TOLD_FIELDS
from tryon_core.told import told


def test_height_weight_age_band_and_cup_are_read_in_any_order_and_unit() -> None:
    told_of = told(["35 years. 34d, 137 lbs and 5'5\"", "165.1cm 62.1 kg"])
    assert dict(zip(TOLD_FIELDS, told_of[0].round(1).tolist(), strict=True)) == {
        "told_height_cm": np.float32(165.1).item(),
        "told_weight_kg": np.float32(62.1).item(),
        "told_age": 35.0,
        "told_band": 34.0,
        "told_cup": 4.0,
    }
    assert np.isnan(told_of[1, 2:]).all()
    np.testing.assert_allclose(told_of[1, :2], [165.1, 62.1], atol=0.01)


def test_numbers_that_are_no_body_s_are_not_taken_for_one() -> None:
    assert np.isnan(told(["", "waist 70 cm", "117 years", "wants 3 dresses", "0 lbs"])).all()

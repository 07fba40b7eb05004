from __future__ import annotations

import numpy as np
import pytest

from train.data.polygons import filled

SQUARE = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])


def test_pixels_are_filled_whose_middles_are_inside() -> None:
    expected = np.zeros((6, 8), bool)
    expected[1:4, 2:6] = True
    np.testing.assert_array_equal(filled([(2.1, 1.4) + (4.2, 2.8) * SQUARE], 6, 8), expected)


@pytest.mark.parametrize("width", [0.3, 7.0, 20.4])
def test_the_width_is_right_on_average_over_places(width: float) -> None:
    starts = np.random.default_rng(0).uniform(0, 10, 2000)
    widths = [filled([(start, 1) + (width, 2) * SQUARE], 4, 40)[1].sum() for start in starts]
    assert np.mean(widths) == pytest.approx(width, abs=0.05)


def test_a_circle_has_the_area_of_a_circle_whichever_way_it_turns() -> None:
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = 50.3 + 40 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert filled([circle], 100, 100).sum() == pytest.approx(np.pi * 1600, rel=2e-3)
    np.testing.assert_array_equal(filled([circle], 100, 100), filled([circle[::-1]], 100, 100))


def test_polygons_that_overlap_make_one_and_what_is_outside_is_cut_off() -> None:
    one, other = (-5, 2) + (15, 4) * SQUARE, (8, 3) + (30, 2) * SQUARE[::-1]
    seen = filled([one, other], 10, 12)
    np.testing.assert_array_equal(seen, filled([one], 10, 12) | filled([other], 10, 12))
    assert seen[3:5].all()
    assert not seen[:2].any()
    assert not seen[6:].any()
    assert not filled([20 + SQUARE, SQUARE - 3], 10, 12).any()

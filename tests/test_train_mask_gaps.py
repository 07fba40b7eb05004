from __future__ import annotations

import numpy as np
import pytest

from train.mask_gaps import closed_gaps, gaps_of, trunk_widened


@pytest.fixture
def figure() -> np.ndarray:
    """A trunk of 100 pixels between two arms, 12 pixels away, over two legs 6 pixels apart; 400 rows in all."""
    mask = np.zeros((400, 200), bool)
    mask[:220, 50:150] = True
    mask[80:200, 20:38] = mask[80:200, 162:180] = True
    mask[220:, 50:97] = mask[220:, 103:150] = True
    return mask


def told(true: np.ndarray, other: np.ndarray) -> dict[str, dict[str, object]]:
    return closed_gaps([gaps_of(true, other, 0, 400, 2)])


def test_gaps_are_told_by_row_and_width(figure: np.ndarray) -> None:
    gaps = gaps_of(figure, figure, 0, 400, 2)
    assert sorted(set(gaps[:, 1])) == [3, 6]
    np.testing.assert_array_equal(gaps[:, 1], gaps[:, 2])
    assert (gaps[:, 1] == 6).sum() == 2 * 120
    assert gaps[gaps[:, 1] == 3][0, 0] == 220 / 400


def test_a_mask_as_the_truth_closes_no_gap(figure: np.ndarray) -> None:
    for part in told(figure, figure).values():
        assert part["share"] == 0
        assert set(part["narrowed"].values()) == {0}  # type: ignore[attr-defined]


def test_a_gap_is_closed_where_nothing_of_it_is_free(figure: np.ndarray) -> None:
    other = figure.copy()
    other[80:200, 38:50] = True
    other[220:, 97:99] = True
    parts = told(figure, other)
    assert parts["beside the trunk"]["share"] == 0.5
    assert parts["between the legs"]["share"] == 0
    assert parts["between the legs"]["narrowed"] == {"3-4": 1}


def test_the_trunk_is_widened_by_what_is_added_at_its_sides_and_what_is_stuck_to_it(figure: np.ndarray) -> None:
    other = figure.copy()
    other[80:200, 48:50] = other[80:200, 150:151] = True
    assert trunk_widened(figure, other, (100, 180), 2) == 1.5
    other[80:200, 38:50] = True
    assert trunk_widened(figure, other, (100, 180), 2) == (30 + 1) / 2
    assert trunk_widened(figure, np.zeros_like(figure), (100, 180), 2) == 0


def test_nothing_is_told_of_figures_without_gaps() -> None:
    whole = np.ones((100, 50), bool)
    assert told(whole, whole) == {"beside the trunk": {"photos": 0}, "between the legs": {"photos": 0}}

from __future__ import annotations

import numpy as np
import pytest

from tryon_core.batch import CHART, EASE_FIELDS, MEASUREMENTS, PARTS, SIZE_FIELDS, Column, distinct, part_named
from tryon_core.errors import ConfigError


def test_distinct_values_are_kept_once_in_their_order_and_none_is_missing() -> None:
    image = np.zeros((2, 2))
    values, index = distinct(["b", None, "a", "b", image, image, image.copy()])
    assert index.tolist() == [0, -1, 1, 0, 2, 2, 3]
    assert values[:2] == ["b", "a"]
    assert values[2] is image
    assert index.dtype == np.int64


def test_an_empty_text_is_a_value_and_not_missing() -> None:
    assert distinct(["", None])[1].tolist() == [0, -1]


def test_a_column_knows_which_rows_have_its_part() -> None:
    assert Column([], np.array([0, -1, 2])).present.tolist() == [True, False, True]


def test_an_unknown_part_is_refused_with_the_closest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'garment_image'"):
        part_named("garment_images")


def test_the_contract_holds_together() -> None:
    assert set(CHART) <= set(MEASUREMENTS)
    assert set(EASE_FIELDS) <= set(SIZE_FIELDS)
    assert all(part.width > 0 for part in PARTS.values() if part.kind == "numbers")
    assert all(name == part.name for name, part in PARTS.items())

"""How much room a size leaves, and what of that is said."""

from __future__ import annotations

import pytest

from serve.ease import ease_of, telling
from tryon_core.garment import Garment, Size

CHART = {"waist_cm": (70.0, 74.0), "hip_cm": (94.0, 98.0), "inseam_cm": (78.0, 80.0), "height_cm": (160.0, 168.0)}


def garment(chart: dict[str, tuple[float, float]], of: str = "body", label: str = "M", category: str = "") -> Garment:
    return Garment("g", category=category, sizes=(Size("XS"), Size(label, chart=chart, chart_of=of)))


def test_ease_is_how_far_the_shopper_lies_outside_the_range() -> None:
    body = {"waist_cm": 76.04, "hip_cm": 96.0, "inseam_cm": 76.51, "height_cm": 190.0, "chest_cm": 90.0}
    assert ease_of(garment(CHART), 1, body) == {"waist_cm": -2.0, "hip_cm": 0.0, "inseam_cm": 1.5}
    assert ease_of(garment(CHART), 0, body) == {}
    assert ease_of(garment(CHART), 1, {}) == {}


def test_a_garment_laid_out_has_room_or_lacks_it() -> None:
    laid = garment({"waist_cm": (80.0, 80.0), "hip_cm": (94.0, 110.0)}, "garment")
    assert ease_of(laid, 1, {"waist_cm": 74.0, "hip_cm": 100.0}) == {"waist_cm": 6.0, "hip_cm": 0.0}
    assert ease_of(laid, 1, {"waist_cm": 83.0, "hip_cm": 112.0}) == {"waist_cm": -3.0, "hip_cm": -2.0}


@pytest.mark.parametrize(("category", "place"), [("裤子", "waist_cm"), ("衬衫", "chest_cm")])
def test_a_label_that_names_a_girth_stands_for_a_chart(category: str, place: str) -> None:
    assert ease_of(garment({}, label="170/92A", category=category), 1, {place: 97.0}) == {place: -3.0}


def test_nothing_is_less_than_nothing() -> None:
    (ease,) = ease_of(garment({"waist_cm": (70.0, 74.0)}), 1, {"waist_cm": 74.01}).values()
    assert str(ease) == "0.0"


def test_the_tightest_place_is_told_and_only_else_the_loosest() -> None:
    assert telling({"waist_cm": -2.0, "hip_cm": 5.0, "chest_cm": -3.0}, "body", {}) == ("tight", "chest_cm")
    assert telling({"waist_cm": 2.0, "hip_cm": 5.0}, "body", {}) == ("loose", "hip_cm")
    assert telling({"inseam_cm": -4.0, "hip_cm": 5.0}, "body", {}) == ("short", "inseam_cm")
    assert telling({"sleeve_cm": 4.0}, "body", {}) == ("long", "sleeve_cm")
    assert telling({"waist_cm": -0.9, "hip_cm": 0.0}, "body", {}) is None
    assert telling({}, "body", {}) is None


def test_the_room_of_a_garment_laid_out_is_not_called_loose() -> None:
    assert telling({"waist_cm": 8.0}, "garment", {}) is None
    assert telling({"waist_cm": -2.0, "hip_cm": 8.0}, "garment", {}) == ("tight", "waist_cm")


def test_a_measurement_that_is_hardly_known_is_spoken_of_only_where_it_is_far_out() -> None:
    widths = {"waist_cm": 6.0, "hip_cm": 3.0}
    assert telling({"waist_cm": -2.9, "hip_cm": -1.6}, "body", widths) == ("tight", "hip_cm")
    assert telling({"waist_cm": -3.0, "hip_cm": -1.6}, "body", widths) == ("tight", "waist_cm")

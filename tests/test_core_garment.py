from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tryon_core.batch import SIZE_FIELDS
from tryon_core.errors import InputError
from tryon_core.garment import LETTERS, Garment, Size, garment_from_json, garment_words, size_numbers
from tryon_core.words import parse_size


def known(numbers: np.ndarray) -> dict[str, float]:
    return {name: float(value) for name, value in zip(SIZE_FIELDS, numbers, strict=True) if not np.isnan(value)}


def test_a_size_is_its_label_its_place_on_the_ladder_and_its_chart() -> None:
    charted = Size("M", chart={"chest_cm": (88, 92), "inseam_cm": (78, 78)})
    garment = Garment("g", sizes=(Size("S"), charted, Size("EU 42")))
    assert known(size_numbers(garment, 0)) == {"letter": -1.0, "rank": 0.0}
    assert known(size_numbers(garment, 2)) == {"eu": 42.0, "rank": 1.0}
    assert known(size_numbers(garment, 1)) == {
        "letter": 0.0,
        "rank": 0.5,
        "of_garment": 0.0,
        "chest_cm_low": 88.0,
        "chest_cm_high": 92.0,
        "inseam_cm_low": 78.0,
        "inseam_cm_high": 78.0,
    }


def test_a_single_size_with_an_unknown_label_says_nothing() -> None:
    numbers = size_numbers(Garment("g", sizes=(Size("one size"),)), 0)
    assert numbers.dtype == np.float32
    assert known(numbers) == {}


def test_a_chart_of_the_body_says_so() -> None:
    garment = Garment("g", sizes=(Size("x", chart={"neck_cm": (38, 39)}),))
    assert known(size_numbers(garment, 0))["of_garment"] == 0.0


def test_measures_of_the_garment_laid_out_are_not_taken_for_those_of_a_body() -> None:
    laid_out = Garment("g", sizes=(Size("x", chart={"chest_cm": (104, 104)}, chart_of="garment"),))
    assert known(size_numbers(laid_out, 0)) == {"of_garment": 1.0}


def test_a_bare_number_is_of_the_garments_size_system() -> None:
    sizes = (Size("38"), Size("EU 40"), Size("M"))
    assert known(size_numbers(Garment("g", size_system="EU", sizes=sizes), 0)) == {"eu": 38.0, "rank": 0.0}
    assert known(size_numbers(Garment("g", size_system="US", sizes=sizes), 1)) == {"eu": 40.0, "rank": 0.5}
    assert known(size_numbers(Garment("g", size_system="ours", sizes=sizes), 0)) == {"number": 38.0, "rank": 0.0}
    assert known(size_numbers(Garment("g", size_system="US", sizes=sizes), 2)) == {"letter": 0.0, "rank": 1.0}


def test_the_assumed_sizes_are_letters() -> None:
    assert [parse_size(label) for label in LETTERS] == [("letter", step) for step in (-2.0, -1.0, 0.0, 1.0, 2.0)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"chart_of": "model"}, "chart of to be one of body, garment"),
        ({"chart": {"chest": (80, 90)}}, "did you mean 'chest_cm'"),
        ({"chart": {"chest_cm": (90, 80)}}, r"0 < low <= high < 300 cm, got \[90, 80\]"),
        ({"chart": {"chest_cm": (0, 80)}}, "0 < low"),
        ({"chart": {"chest_cm": (80, 300)}}, "< 300 cm"),
        ({"chart": {"chest_cm": (float("nan"), 80)}}, "0 < low"),
    ],
)
def test_a_size_that_cannot_be_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Size("M", **settings)


def test_a_garments_words_are_what_the_shop_said_in_order() -> None:
    garment = Garment("g", "Linen dress", "Acme", "women", "dress", "Loose cut")
    assert garment_words(garment) == "Linen dress. Acme. women. dress. Loose cut"
    assert garment_words(Garment("g", category="hat")) == "hat"
    assert garment_words(Garment("g")) is None


def test_colours_of_one_style_share_their_history() -> None:
    assert Garment("red", style_id="style").history_id == "style"
    assert Garment("red").history_id == "red"


def test_a_garment_is_read_from_the_apis_json() -> None:
    data = {
        "id": "g1",
        "title": "Dress",
        "brand": None,
        "style_id": "s",
        "sizes": [
            {"label": "S", "in_stock": False, "chart": {"of": "garment", "chest_cm": [84, 88], "waist_cm": None}},
            {"label": "M"},
        ],
    }
    assert garment_from_json(data) == Garment(
        "g1", "Dress", style_id="s", sizes=(Size("S", False, {"chest_cm": (84, 88)}, "garment"), Size("M"))
    )
    assert garment_from_json({"id": "g2", "sizes": None}) == Garment("g2")


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ({"category": "shirt"}, "chest_cm"),
        ({"category": "pants"}, "waist_cm"),
        ({"title": "高腰牛仔裤"}, "waist_cm"),
        ({"title": "碎花连衣裙"}, "chest_cm"),
        ({"title": "Skirt dress"}, "chest_cm"),
        ({}, "chest_cm"),
    ],
)
def test_a_chinese_label_stands_for_a_chart_of_the_girth_that_it_names(told: dict[str, str], key: str) -> None:
    numbers = known(size_numbers(Garment("g", sizes=(Size("170/92A"),), **told), 0))
    assert numbers == {"of_garment": 0.0, f"{key}_low": 90.0, f"{key}_high": 94.0}


def test_a_chart_says_more_than_a_label() -> None:
    garment = Garment("g", sizes=(Size("170/92A", chart={"chest_cm": (88.0, 91.0)}),))
    numbers = known(size_numbers(garment, 0))
    assert (numbers["chest_cm_low"], numbers["chest_cm_high"]) == (88.0, 91.0)

"""What shops call things, and what that is taken for."""

from __future__ import annotations

import pytest

from serve.categories import category_of, worded
from tryon_core.batch import CATEGORIES


@pytest.mark.parametrize(
    ("given", "mapped"),
    [
        ("Dresses", "dress"),
        ("Sommerkleid", "dress"),
        ("连衣裙", "dress"),
        ("衬衫裙", "dress"),
        ("dress shirt", "shirt"),
        ("Hemdblusenkleid", "dress"),
        ("Apparel & Accessories > Clothing > Dresses", "dress"),
        ("2271", "dress"),
        ("Damen > Kleider > Mini", "dress"),
        ("Lederjacken", "outwear"),
        ("Mäntel", "outwear"),
        ("Turnschuhe", "shoes"),
        ("Röcke", "skirt"),
        ("牛仔裤", "pants"),
        ("短裤", "shorts"),
        ("kurze Hosen", "shorts"),
        ("Jogginghose", "pants"),
        ("pants with belt", "pants"),
        ("T-Shirts", "t-shirt"),
        ("Kapuzenpullover", "longsleeve"),
        ("帽子", "hat"),
    ],
)
def test_a_category_is_mapped_from_english_german_and_chinese(given: str, mapped: str) -> None:
    assert category_of(given).mapped == mapped
    assert category_of(given).reason is None


@pytest.mark.parametrize(
    "given",
    ["earrings", "Ohrringe", "耳环", "Sofas", "沙发", "Strumpfhosen", "Unterhose", "连裤袜", "Badehose", "Handtasche"],
)
def test_what_is_no_garment_whose_size_is_known_gets_no_advice_and_is_told_so(given: str) -> None:
    category = category_of(given)
    assert category.mapped is None
    assert category.reason is not None
    assert category.reason.startswith("there is no advice on sizes of ")


@pytest.mark.parametrize("given", ["String", "Hering", "Kitchen", "Neuheiten", "套装"])
def test_a_word_that_only_contains_a_known_one_is_not_known(given: str) -> None:
    category = category_of(given)
    assert (category.mapped, category.without) == (None, None)
    assert "not known here" in (category.reason or "")


def test_the_models_own_words_stand_before_the_shops() -> None:
    assert worded("Sommerkleid") == "dress Sommerkleid"
    assert worded("Damen > Kleider > Mini") == "dress Kleider"
    assert [worded(category) for category in CATEGORIES] == list(CATEGORIES)
    assert worded("Neuheiten") == "Neuheiten"
    assert worded("A-line mini dresses") == "A-line mini dresses"
    assert worded(None) == ""

"""Words are messy, in two languages, and the core's parser reads back the numbers in them."""

import re

import numpy as np
import pytest

from train.data import phrases
from train.data.phrases import CHINESE, Facts, brand_name, garment_description, garment_title, shopper_words
from train.data.products import CLOTHES, COLOURS, CUTS
from tryon_core.batch import PATTERNS
from tryon_core.words import parse

FACTS = Facts("female", 165.0, 55.0, "EU 38", ("blue", "red"), "loose", "floral", "dress")


def sample(num: int = 2_000) -> list[str]:
    return [shopper_words(FACTS, np.random.default_rng(seed)) for seed in range(num)]


def test_about_one_in_four_shoppers_writes_chinese() -> None:
    share = np.mean([bool(re.search("[\u4e00-\u9fff]", words)) for words in sample()])
    assert 0.19 < share < 0.28


def test_every_form_of_height_and_weight_occurs_and_any_part_may_be_missing() -> None:
    text = "\n".join(sample())
    for form in (
        "165 cm",
        "5'5\"",
        "1m65",
        "一米六五",
        "身高165",
        "55 kg",
        "121 lb",
        "110斤",
        "体重55公斤",
        "usually EU 38",
    ):
        assert form in text, form
    assert "平时穿38码" in text
    assert "喜欢宽松蓝色" in text
    assert "blue and red floral dresses" in text
    assert any("kg" not in words and "lb" not in words and "斤" not in words for words in sample(50))


def test_the_parser_reads_back_what_was_said() -> None:
    heights, weights = [], []
    for words in sample(1_000):
        values = {token.word: token.value for token in parse(words)}
        heights += [values["<cm>"]] if values.get("<cm>") else []
        weights += [values["<kg>"]] if values.get("<kg>") else []
    assert len(heights) > 700
    assert len(weights) > 650
    assert np.mean(np.abs(np.array(heights, dtype=float) - 165) < 5) > 0.97
    assert np.mean(np.abs(np.array(weights, dtype=float) - 55) < 5) > 0.97


@pytest.mark.parametrize(("inches", "said"), [(59.6, (5, 0)), (71.6, (6, 0)), (66.0, (5, 6))])
def test_feet_and_inches_carry_over(inches: float, said: tuple[int, int]) -> None:
    assert phrases._feet_inches(inches * 2.54) == said


def test_a_shopper_without_taste_still_has_words() -> None:
    plain = Facts("male", 180.0, 80.0, "M", (), "", "", "")
    texts = [shopper_words(plain, np.random.default_rng(seed)) for seed in range(200)]
    assert not any("  " in text or ", ," in text for text in texts)


def test_titles_and_descriptions_leave_the_colour_to_the_picture_in_many_cases() -> None:
    rng = np.random.default_rng(0)
    told = 0
    for _ in range(500):
        text = garment_title("Norvel", "dress", "purple", "dotted", "loose", rng)
        text += " " + garment_description("dress", "purple", "dotted", "loose", rng)
        told += "purple" in text.casefold() or CHINESE["purple"] in text
    assert 250 < told < 400


def test_every_word_of_a_garment_has_a_chinese_one() -> None:
    assert {*COLOURS, *PATTERNS, *CUTS, *CLOTHES} <= set(CHINESE)
    assert brand_name(np.random.default_rng(0)).istitle()

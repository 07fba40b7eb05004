"""Words are messy, in two languages, and the core's parser reads back the numbers in them."""

import re

import numpy as np
import pytest

from train.data.amounts import feet_inches, stone_pounds
from train.data.phrases import Facts, shopper_words
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
    assert np.mean(np.abs(np.array(heights, dtype=float) - 165) < 6) > 0.95
    assert np.mean(np.abs(np.array(weights, dtype=float) - 55) < 5) > 0.97


@pytest.mark.parametrize(("inches", "said"), [(59.6, (5, 0)), (71.6, (6, 0)), (66.0, (5, 6))])
def test_feet_and_inches_carry_over(inches: float, said: tuple[int, int]) -> None:
    assert feet_inches(inches * 2.54) == said


def test_a_shopper_without_taste_still_has_words() -> None:
    plain = Facts("male", 180.0, 80.0, "M", (), "", "", "")
    texts = [shopper_words(plain, np.random.default_rng(seed)) for seed in range(200)]
    assert not any("  " in text or ", ," in text for text in texts)


def test_pounds_carry_over_to_stone() -> None:
    assert stone_pounds(69.85) == (11, 0)
    assert stone_pounds(70.8) == (11, 2)


def _said_height(sex: str, num: int = 4_000) -> float:
    facts = Facts(sex, 170.0, 70.0, "M", (), "", "", "")
    values = [
        {t.word: t.value for t in parse(shopper_words(facts, np.random.default_rng(n)))}.get("<cm>") for n in range(num)
    ]
    return float(np.median([value for value in values if value])) - 170


def test_men_call_themselves_taller_than_women_do_and_both_than_they_are() -> None:
    """By 2.3 and 1.2 cm in the survey; the median of rounded values is within a few millimetres of that."""
    assert 0.5 < _said_height("female") < 1.9 < _said_height("male") < 3.2


def test_heavy_people_call_themselves_lighter() -> None:
    def said(weight_kg: float) -> float:
        facts = Facts("female", 165.0, weight_kg, "M", (), "", "", "")
        found = [
            {t.word: t.value for t in parse(shopper_words(facts, np.random.default_rng(n)))}.get("<kg>")
            for n in range(1_500)
        ]
        return float(np.mean([value for value in found if value and 0.8 < value / weight_kg < 1.2])) / weight_kg

    assert said(95.0) < 0.98 < 0.99 < said(52.0)


def test_what_is_not_wanted_is_said_in_both_languages() -> None:
    facts = Facts("female", 165.0, 55.0, "M", ("blue",), "", "", "", avoids=("floral",))
    text = "\n".join(shopper_words(facts, np.random.default_rng(seed)) for seed in range(400))
    assert "no floral" in text
    assert "don't like floral" in text
    assert "不要碎花" in text


def test_sizes_are_told_in_two_systems_and_units_are_mixed_at_times() -> None:
    facts = Facts("male", 180.0, 80.0, "L", (), "", "", "", other_size="EU 52")
    texts = [shopper_words(facts, np.random.default_rng(seed)) for seed in range(600)]
    assert any("L or EU 52" in text for text in texts)
    assert any("kg" in text and ("'" in text or "ft" in text) for text in texts)


def test_some_texts_are_misspelt_and_none_loses_a_digit() -> None:
    facts = Facts("female", 165.0, 55.0, "M", ("purple",), "", "", "dress")
    texts = [shopper_words(facts, np.random.default_rng(seed)) for seed in range(2_000)]
    right = sum("purple" in text for text in texts)
    wrong = sum(bool(re.search("pruple|puprle|purlpe", text)) for text in texts)
    assert 0 < wrong < 0.05 * right

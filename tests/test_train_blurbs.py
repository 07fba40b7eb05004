"""Shops' words leave much to the picture, tell what cloth gives in most cases, and have a Chinese form."""

import numpy as np

from train.data.blurbs import Looks, brand_name, garment_description, garment_title
from train.data.fabrics import WEAVES, Fabric, draw_fabric
from train.data.lexicon import CHINESE, CUT_WORDS, NOUNS, PLURALS
from train.data.products import CLOTHES, COLOURS
from tryon_core.batch import CUTS, PATTERNS

DRESS = Looks("dress", "purple", "dotted", "loose")


def descriptions(fabric: Fabric, num: int = 600) -> list[str]:
    return [garment_description(DRESS, fabric, np.random.default_rng(seed)) for seed in range(num)]


def test_titles_and_descriptions_leave_the_colour_to_the_picture_in_many_cases() -> None:
    rng, told = np.random.default_rng(0), 0
    fabric = Fabric("woven", "cotton", 0)
    for _ in range(500):
        text = garment_title("Norvel", DRESS, fabric, rng) + " " + garment_description(DRESS, fabric, rng)
        told += "purple" in text.casefold() or CHINESE["purple"] in text
    assert 250 < told < 400


def test_what_a_cloth_is_made_of_is_told_in_both_languages_and_sometimes_missing() -> None:
    texts = descriptions(Fabric("jersey", "cotton", 5))
    english = np.mean(["95% cotton, 5% elastane." in text or "95% cotton, 5% spandex." in text for text in texts])
    chinese = np.mean(["棉95% 氨纶5%" in text for text in texts])
    assert 0.35 < english < 0.6
    assert 0.04 < chinese < 0.15
    assert 0.1 < np.mean([text == "" for text in texts]) < 0.2


def test_only_a_cloth_that_gives_is_called_stretchy() -> None:
    stiff, soft = descriptions(Fabric("woven", "linen", 0)), descriptions(Fabric("rib", "cotton", 8))
    assert any("no stretch" in text or "无弹" in text for text in stiff)
    assert not any("elastane" in text or "stretchy" in text or "弹力" in text for text in stiff)
    assert any("very stretchy" in text or "高弹" in text for text in soft)


def test_every_word_of_a_garment_has_a_chinese_one() -> None:
    assert {*COLOURS, *PATTERNS, *CUTS, *CLOTHES, *WEAVES} <= set(CHINESE)
    assert set(CUT_WORDS) == set(CUTS)
    assert set(NOUNS) == set(PLURALS) == set(CLOTHES)
    fibres = {draw_fabric(kind, np.random.default_rng(seed)).fibre for kind in CLOTHES for seed in range(50)}
    assert fibres <= set(CHINESE)
    assert brand_name(np.random.default_rng(0)).istitle()

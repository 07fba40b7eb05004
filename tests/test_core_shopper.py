from __future__ import annotations

from tryon_core.shopper import Owned, Profile, shopper_words
from tryon_core.words import parse


def test_a_profile_is_said_before_the_free_text_in_words_that_are_parsed_back() -> None:
    profile = Profile(165.0, 55.5, "M", 31, "Female", "loose blue dresses", (Owned("EU 38", "g", "Acme", "dress", "small"),))
    said = shopper_words("  wide hips ", profile)
    assert said == ("165 cm. 55.5 kg. usually size M. woman. loose blue dresses. wide hips")
    measures = [(token.word, token.value) for token in parse(said) if token.value is not None]
    assert measures == [("<cm>", 165.0), ("<kg>", 55.5), ("<size:letter>", 0.0)]


def test_either_may_be_missing() -> None:
    assert shopper_words("tall") == "tall"
    assert shopper_words("", Profile(height_cm=170)) == "170 cm"
    assert shopper_words(" ", Profile()) is None
    assert shopper_words("") is None


def test_what_no_training_text_says_stays_out() -> None:
    assert shopper_words("", Profile(age=70, owned=(Owned("M", fit="large"),))) is None

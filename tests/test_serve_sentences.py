"""The catalogues of sentences: every language says the same, in its own words, and none speaks of what is nobody's business."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping

import pytest

from serve.ease import GIRTHS, LENGTHS
from serve.languages import LANGUAGES, Language
from serve.sentences import CATALOGUES, percent_of, refusal, say, whole_cm
from serve.shopper_parts import PHOTO_GONE
from serve.traits import traits_of
from tryon_core.refusals import REFUSALS

BODIES = r"\b(?:weigh\w*|overweight|kilos?|kg|fat\w*|obese|thin\w*|slim\w*|skinny|chubby|heavy|heavier|plump|curvy|"
BODIES += r"body|bodies|figure|build|plus[- ]size\w*|bmi)\b"
BODIES += r"|gewicht|wieg(?:en|st|t)\b|\bdick|übergewicht|mollig|schlank|dünn|mager|füllig|körper|figur|statur|\bbmi\b"
BODIES += r"|体重|公斤|斤|胖|瘦|苗条|肥|丰满|身材|体型|体形|骨架|壮"


def forms(message: str | Mapping[str, str]) -> dict[str, str]:
    return {"other": message} if isinstance(message, str) else dict(message)


def texts(language: Language) -> Iterator[str]:
    catalogue = CATALOGUES[language]
    for message in catalogue.messages.values():
        yield from forms(message).values()
    for words in catalogue.words.values():
        yield from words.values()


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_language_has_every_message_with_the_same_places() -> None:
    told = {
        language: {c: places(forms(m)["other"]) for c, m in CATALOGUES[language].messages.items()} for language in LANGUAGES
    }
    assert told["de"] == told["en"]
    assert told["zh"] == told["en"]
    for catalogue in CATALOGUES.values():
        for message in catalogue.messages.values():
            assert len({frozenset(places(form)) for form in forms(message).values()}) == 1


def test_every_language_has_every_word() -> None:
    told = {language: {kind: set(words) for kind, words in CATALOGUES[language].words.items()} for language in LANGUAGES}
    assert told["de"] == told["en"] == told["zh"]
    assert told["en"]["place"] == {key.removesuffix("_cm") for key in (*GIRTHS, *LENGTHS)}
    assert told["en"]["refusal"] == {*REFUSALS, *PHOTO_GONE, "unseen", "unavailable"}
    assert all(refusal("en", code) == sentence for code, sentence in (REFUSALS | PHOTO_GONE).items())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_speaks_of_weight_or_of_anybodys_size(language: Language) -> None:
    for text in texts(language):
        # "the whole body … is not in the picture" is about the picture
        found = re.findall(BODIES, text.replace("the whole body, head to feet", ""), re.IGNORECASE)
        assert not found, (found, text)


@pytest.mark.parametrize(
    "text", ["It hides your weight.", "for slim people", "für schlanke Personen", "适合胖一点的人", "遮住身材"]
)
def test_the_list_of_words_finds_what_it_is_for(text: str) -> None:
    assert re.search(BODIES, text, re.IGNORECASE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_messages_are_whole_sentences_that_end_as_the_language_ends_them(language: Language) -> None:
    ends = "。" if language == "zh" else "."
    for code, message in CATALOGUES[language].messages.items():
        quiet = code == "photo" or code.endswith("_unavailable")  # clauses, as answers have always had them
        for form in forms(message).values():
            assert form.endswith(ends) != quiet, (code, form)


def test_languages_share_no_sentence() -> None:
    for code, message in CATALOGUES["en"].messages.items():
        others = [CATALOGUES[language].messages[code] for language in LANGUAGES if language != "en"]
        assert message not in others
        assert others[0] != others[1], code


def test_german_verbs_follow_their_number_and_chinese_has_one_form() -> None:
    one, two = {"count": 1, "total": 12}, {"count": 2, "total": 12}
    assert say("de", "similar_kept", one).endswith("hat 1 sie behalten.")
    assert say("de", "similar_kept", two).endswith("haben 2 sie behalten.")
    assert say("de", "runs_small", one) == "Fällt klein aus: 1 von 12 früheren Bestellungen war zu klein."
    assert say("zh", "similar_kept", one) == "买过这个尺码的 12 位情况相近的顾客中，有 1 位留下了它。"
    assert say("en", "similar_kept", one) == "1 of 12 similar shoppers who ordered this size kept it."


def test_every_language_writes_numbers_and_lists_its_own_way() -> None:
    values = {"size": "M", "share": 0.654}
    assert "65%" in say("en", "likeliest", values)
    assert "65 %" in say("de", "likeliest", values)
    assert say("zh", "likeliest", values) == "尺码 M 最可能合身（65%）。"
    traits = {"traits": ["black", "striped", "loose"]}
    assert say("en", "taste", traits).endswith(": black, striped and loose.")
    assert say("de", "taste", traits).endswith(": schwarz, gestreift und weit geschnitten.")
    assert say("zh", "taste", traits).endswith("：黑色、条纹和宽松。")
    assert say("de", "tight", {"place": "waist", "cm": 2.0}).endswith(
        "könnte der Artikel an der Taille etwa 2 cm zu eng sein."
    )
    assert say("zh", "tight", {"place": "waist", "cm": 2.4}) == "按尺码表，腰部可能偏紧约 2 厘米。"


def test_no_chance_is_told_as_certain_and_no_length_as_nothing() -> None:
    assert [percent_of(share) for share in (0.0, 0.004, 0.5, 0.996, 1.0)] == [1, 1, 50, 99, 99]
    assert [whole_cm(cm) for cm in (-0.3, 1.0, -1.5, 2.4)] == [1, 1, 2, 2]


def test_what_a_shop_calls_its_sizes_is_no_template() -> None:
    assert "{share} {0.__class__}" in say("en", "likeliest", {"size": "{share} {0.__class__}", "share": 0.5})


def test_every_trait_that_words_are_searched_for_has_a_word_in_every_language_that_is_found_again() -> None:
    for language in LANGUAGES:
        for trait, word in CATALOGUES[language].words["trait"].items():
            assert traits_of(word) == {trait}, (language, word)

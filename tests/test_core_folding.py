from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tryon_core.folding import fold, fold_with_places
from tryon_core.spans import words_of
from tryon_core.words import parse, placed_tokens

TEXTS = st.text(alphabet="165 cmkgftA身高一米六五斤'\"½.\u0301ẞﬁU.S，\n１한é/", max_size=25)


@given(TEXTS)
def test_every_character_of_a_folded_text_has_a_place_in_the_original(text: str) -> None:
    folded, places = fold_with_places(text)
    assert folded == fold(text)
    if places is not None:
        assert len(places) == len(folded)
        assert all(0 <= start < end <= len(text) for start, end in places)
        assert [start for start, _ in places] == sorted(start for start, _ in places)


@given(TEXTS)
def test_tokens_with_places_are_the_parsers(text: str) -> None:
    assert [token for token, _, _ in placed_tokens(fold(text))] == parse(text)


@given(TEXTS)
def test_every_token_goes_with_some_word_and_every_word_takes_a_token(text: str) -> None:
    tokens, words = words_of(text, 64)
    assert tokens == parse(text)[:64]
    assert set().union(*(word.tokens for word in words)) == set(range(len(tokens)))
    assert all(word.tokens and 0 <= word.start < word.end <= len(text) for word in words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("165 cm, 55 kg, usually M", ["165 cm", "55 kg", "usually", "M"]),
        ("  Likes\n LOOSE  dresses ", ["Likes", "LOOSE", "dresses"]),
        ("5'11½\" ，180 lb", ["5'11½\"", "180 lb"]),
        ("１６５ｃｍ, cafe\u0301", ["１６５ｃｍ", "cafe\u0301"]),
        (".5 m, U.S. 8 or 3 1/2 in", [".5 m", "U.S. 8", "or", "3 1/2 in"]),
        ("身高一米六五，喜欢", ["身", "身高", "高", "一米六五", "喜", "喜欢", "欢"]),
        ("", []),
        ("!?", []),
    ],
)
def test_words_are_pointed_at_as_they_were_written(text: str, words: list[str]) -> None:
    assert [text[word.start : word.end] for word in words_of(text, 64)[1]] == words


def test_a_chinese_pair_takes_its_characters_and_every_pair_that_shares_one() -> None:
    tokens, words = words_of("蓝色裙", 64)
    taken = {(word.start, word.end): {tokens[at].word for at in word.tokens} for word in words}
    assert taken[0, 1] == {"蓝", "蓝色"}
    assert taken[0, 2] == {"蓝", "色", "蓝色", "色裙"}


def test_a_script_that_joins_characters_in_its_own_way_is_one_word() -> None:
    text = "ﾊﾞ 165 cm"  # a half-width letter and its mark, which become one letter
    assert [text[word.start : word.end] for word in words_of(text, 64)[1]] == [text]


def test_what_the_encoder_does_not_read_is_no_word() -> None:
    assert len(words_of("one two three", 2)[1]) == 2

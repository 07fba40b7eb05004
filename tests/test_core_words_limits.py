"""Texts made to be slow: as long as they may be, and parsed in linear time."""

from __future__ import annotations

import time

import pytest

from tryon_core.errors import TooLargeError
from tryon_core.words import MAX_CHARACTERS, parse


def test_a_text_at_the_limit_parses_and_one_over_it_is_refused() -> None:
    assert len(parse("a " * (MAX_CHARACTERS // 2))) == MAX_CHARACTERS // 2
    with pytest.raises(TooLargeError, match="10000 characters, got 10001"):
        parse("a" * (MAX_CHARACTERS + 1))


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "'",
        "5'",
        "一",
        "百",
        "一米",
        "1 ",
        "1.",
        "1m",
        "5 ft ",
        "一 ",
        "eu",
        "eu-",
        "x",
        "xx ",
        "我",
        "34d",
        "11st",
        "ﷺ",
        "\u0301",
    ],
)
def test_repetitions_parse_in_linear_time(unit: str) -> None:
    _assert_fast((unit * MAX_CHARACTERS)[:MAX_CHARACTERS])


@pytest.mark.parametrize(
    "head",
    ["1", "5'", "11st", "eu", "eu-", "一", "1米", "二尺", "34", "x", "1.", "us 5", "us", "size", "usually", "wear", "28w"],
)
@pytest.mark.parametrize("filler", [" ", "1", "一", "\u3000"])
def test_a_beginning_that_never_ends_parses_in_linear_time(head: str, filler: str) -> None:
    _assert_fast(head + filler * (MAX_CHARACTERS - len(head)))
    _assert_fast((head + filler * 99) * (MAX_CHARACTERS // (len(head) + 99)))


def _assert_fast(text: str) -> None:
    began = time.perf_counter()
    parse(text)
    assert time.perf_counter() - began < 2.0

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from serve.identifiers import MAX_LENGTH, PATTERN, Identifier

IDS = TypeAdapter(Identifier)


@pytest.mark.parametrize("own", ["A-17", "a", "AB 12/3", "连衣裙-7", "über.weit", "x" * 200, "ü✓", "...", "a..b"])
def test_a_shops_own_names_are_taken_as_they_are(own: str) -> None:
    assert IDS.validate_python(own) == own


@pytest.mark.parametrize(
    "own",
    [
        "",
        "x" * 201,
        ".",
        "..",
        "../etc/passwd",
        "a/../b",
        "a/..",
        "..\\a",
        "a/./b",
        " a",
        "a ",
        "a\nb",
        "a\rb",
        "a\x00b",
        "a\x1b[2Jb",
        "a\x85b",
        "a\u00a0b",
        "a\u200bb",
        "a\u200db",
        "a\u202eb",
        "a\u2066b",
        "a\u2028b",
        "a\ufeffb",
        "a\u00adb",
        "a\u3164b",
        "a\ufffdb",
        "a\ufe0fb",
        "a\U000e0041b",
    ],
)
def test_what_is_not_seen_or_leads_elsewhere_is_no_id(own: str) -> None:
    with pytest.raises(ValidationError):
        IDS.validate_python(own)


def test_two_spellings_of_the_same_letters_are_one_id() -> None:
    assert IDS.validate_python("u\u0308") == IDS.validate_python("\u00fc") == "\u00fc"
    assert IDS.validate_python("\u212a") == "K"


@given(st.text(max_size=220))
def test_the_pattern_in_the_schema_says_what_is_taken(own: str) -> None:
    matches = 1 <= len(own) <= MAX_LENGTH and re.search(PATTERN, own) is not None
    try:
        taken = IDS.validate_python(own)
    except ValidationError:
        assert not matches
    else:
        assert matches
        assert taken == unicodedata.normalize("NFC", own)
        assert IDS.validate_python(taken) == taken or len(taken) > MAX_LENGTH
        assert taken.isprintable() or unicodedata.category(next(c for c in taken if not c.isprintable())) in (
            "Cn",
            "Co",
            "Cf",
        )


def test_the_schema_shows_length_and_pattern() -> None:
    shown = IDS.json_schema()
    assert (shown["minLength"], shown["maxLength"], shown["pattern"]) == (1, MAX_LENGTH, PATTERN)

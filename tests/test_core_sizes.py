"""Labels of sizes, read as a system and a value, or as the body that they are for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tryon_core import sizes
from tryon_core.words import parse, parse_body, parse_size


def test_a_european_size_is_not_inches() -> None:
    assert parse("EU 38")[0].word != parse("38 in")[0].word
    assert parse_size("EU 38") == ("eu", 38.0)
    assert parse_size("38 in") is None
    assert parse_size("W38") == ("inch", 38.0)


@pytest.mark.parametrize(
    ("label", "size"),
    [
        ("M", ("letter", 0.0)),
        ("M/38/10", ("letter", 0.0)),
        ("38", ("number", 38.0)),
        ("00", ("number", 0.0)),
        ("US 8.5", ("us", 8.5)),
        ("IT44", ("it", 44.0)),
        ("40码", ("eu", 40.0)),
        ("Medium", ("letter", 0.0)),
        ("X-Large", ("letter", 2.0)),
        ("3X-Large", ("letter", 4.0)),
        ("XX-Large", ("letter", 3.0)),
        ("2X", ("letter", 3.0)),
        ("5XS", ("letter", -6.0)),
        ("XXXXXL", ("letter", 6.0)),
        ("Small (36)", ("letter", -1.0)),
        ("Small/Medium", ("letter", -0.5)),
        ("S/M", ("letter", -0.5)),
        ("XS-S", ("letter", -1.5)),
        ("L – XL", ("letter", 1.5)),
        ("M - 38", ("letter", 0.0)),
        ("X-Large-Tall", ("letter", 2.0)),
        ("14W", ("us", 14.0)),
        ("32W", ("inch", 32.0)),
        ("40½", ("number", 40.5)),
        ("170/92A", None),
        ("One size", None),
        ("", None),
    ],
)
def test_a_size_label_is_read_as_system_and_value(label: str, size: tuple[str, float] | None) -> None:
    assert parse_size(label) == size


def test_a_plus_size_before_its_letter_is_told_from_the_same_number_alone() -> None:
    assert [token.word for token in parse("14W")] == ["<size:us>", "plus"]
    assert [token.word for token in parse("US 14")] == ["<size:us>"]


@pytest.mark.parametrize(
    ("label", "body"),
    [("170/92A", (170.0, 92.0)), ("165 / 88 a", (165.0, 88.0)), ("M", None), ("170/92", None), ("38", None), ("", None)],
)
def test_a_chinese_label_names_the_height_and_girth_of_a_body(label: str, body: tuple[float, float] | None) -> None:
    assert parse_body(label) == body


def test_letter_sizes_are_steps_from_m() -> None:
    ladder = [parse_size(label) for label in ("XXS", "XS", "S", "M", "L", "XL", "XXL", "3XL")]
    assert ladder == [("letter", float(step)) for step in range(-3, 5)]
    assert parse_size("XXXL") == parse_size("3XL") == parse_size("3X-Large")


@pytest.mark.parametrize("pattern", [sizes.LETTER, sizes.NAME, sizes.PLUS])
@given(data=st.data())
def test_every_size_that_a_pattern_takes_has_a_value(pattern: str, data: st.DataObject) -> None:
    label = data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    read = parse_size(label)
    assert read is not None
    assert (read[0], abs(read[1]) <= 10) == ("letter", True)


@given(st.sampled_from(sizes.SIZE_SYSTEMS[1:6]), st.integers(36, 60))
def test_a_label_of_any_system_gives_that_system(system: str, value: int) -> None:
    assert parse_size(f"{system.upper()} {value}") == (system, float(value))

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tryon_core.numerals import chinese_number
from tryon_core.words import parse

CM, KG, LETTER = "<cm>", "<kg>", "<size:letter>"

MEASURES = [
    ("165cm", CM, 165.0),
    ("165 cm", CM, 165.0),
    ("165 CM", CM, 165.0),
    ("1650 mm", CM, 165.0),
    ("1.65 m", CM, 165.0),
    ("1,65 m", CM, 165.0),
    ("1m65", CM, 165.0),
    ("1m 65cm", CM, 165.0),
    ("1m7", CM, 170.0),
    ("de 1,65 m", CM, 165.0),
    ("taille de 1m65", CM, 165.0),
    ("５′６″", CM, 167.6),
    ("5'6\"", CM, 167.6),
    ("5'6", CM, 167.6),
    ("5’6”", CM, 167.6),
    ("5 ' 6 \"", CM, 167.6),
    ("5'6''", CM, 167.6),
    ("5'6.5\"", CM, 168.9),
    ("5ft6", CM, 167.6),
    ("5 ft 6 in", CM, 167.6),
    ("5 ft. 6 inches", CM, 167.6),
    ("5 feet 6 inches", CM, 167.6),
    ("5'11 120lb", CM, 180.3),
    ("6'", CM, 182.9),
    ("6 foot 180 lbs", CM, 182.9),
    ("5.5 ft", CM, 167.6),
    ("they told us 5 ft 3", CM, 160.0),
    ("32 inch waist", CM, 81.3),
    ('38"', CM, 96.5),
    ("１６５ｃｍ", CM, 165.0),
    ("165㎝", CM, 165.0),
    ("165厘米", CM, 165.0),
    ("165公分", CM, 165.0),
    ("1.65米", CM, 165.0),
    ("1米65", CM, 165.0),
    ("1米7", CM, 170.0),
    ("一米六五", CM, 165.0),
    ("一米六", CM, 160.0),
    ("一米八零", CM, 180.0),
    ("一米半", CM, 150.0),
    ("我身高一米六五", CM, 165.0),
    ("身高一六五厘米", CM, 165.0),
    ("身高一百六十五公分", CM, 165.0),
    ("二尺", CM, 66.7),
    ("２尺", CM, 66.7),
    ("二尺一", CM, 70.0),
    ("2尺1寸", CM, 70.0),
    ("2.1尺", CM, 70.0),
    ("腰围二尺一", CM, 70.0),
    ("十寸", CM, 33.3),
    ("腰26寸", CM, 66.0),
    ("5英尺6英寸", CM, 167.6),
    ("五英尺六英寸", CM, 167.6),
    ("5‘6“", CM, 167.6),
    ("5'7½", CM, 171.5),
    ("5'7 1/2\"", CM, 171.5),
    ("29½ inch waist", CM, 74.9),
    ("38''", CM, 96.5),
    ("172,5 cm", CM, 172.5),
    ("9½ stone", KG, 60.3),
    ("120市斤", KG, 60.0),
    ("US 8½", "<size:us>", 8.5),
    ("UK size 12", "<size:uk>", 12.0),
    ("EUR 38", "<size:eu>", 38.0),
    ("EU: 38", "<size:eu>", 38.0),
    ("28W 30L", "<size:inch>", 28.0),
    ("32W", "<size:inch>", 32.0),
    ("W22", "<size:inch>", 22.0),
    ("22W 30L", "<size:inch>", 22.0),
    ("plus size 14W", "<size:us>", 14.0),
    ("usually 22w", "<size:us>", 22.0),
    ("I wear a medium", LETTER, 0.0),
    ("I'm usually a medium", LETTER, 0.0),
    ("usually wear a small, 5'4", LETTER, -1.0),
    ("size: large", LETTER, 1.0),
    ("usually XX-Large", LETTER, 3.0),
    ("wear size 3x-large", LETTER, 4.0),
    ("I usually buy 4XS", LETTER, -5.0),
    ("XXXXL please", LETTER, 5.0),
    ("size 2X", LETTER, 3.0),
    ("30英寸", CM, 76.2),
    ("55kg", KG, 55.0),
    ("55.5 kg", KG, 55.5),
    ("55,5 kg", KG, 55.5),
    ("55 kilos", KG, 55.0),
    ("５５ｋｇ", KG, 55.0),
    ("121 lb", KG, 54.9),
    ("121lbs", KG, 54.9),
    ("121 pounds", KG, 54.9),
    ("11 st 4 lb", KG, 71.7),
    ("11st4", KG, 71.7),
    ("11 stone 4", KG, 71.7),
    ("11 stone", KG, 69.9),
    ("55公斤", KG, 55.0),
    ("55千克", KG, 55.0),
    ("110斤", KG, 55.0),
    ("一百一十斤", KG, 55.0),
    ("一百一斤", KG, 55.0),
    ("体重一百一十斤", KG, 55.0),
    ("110磅", KG, 49.9),
    ("M", LETTER, 0.0),
    ("size s.", LETTER, -1.0),
    ("xl", LETTER, 2.0),
    ("XXL", LETTER, 3.0),
    ("2XL", LETTER, 3.0),
    ("3xs", LETTER, -4.0),
    ("穿M码", LETTER, 0.0),
    ("EU 38", "<size:eu>", 38.0),
    ("eu38", "<size:eu>", 38.0),
    ("EU-38.5", "<size:eu>", 38.5),
    ("DE 38", "<size:eu>", 38.0),
    ("38码", "<size:eu>", 38.0),
    ("穿三十八码", "<size:eu>", 38.0),
    ("US 8", "<size:us>", 8.0),
    ("UK10", "<size:uk>", 10.0),
    ("FR 40", "<size:fr>", 40.0),
    ("IT 44", "<size:it>", 44.0),
    ("W32 L34", "<size:inch>", 32.0),
    ("jeans 32", "<size:inch>", 32.0),
    ("34D", "<band>", 34.0),
    ("34DD bra", "<band>", 34.0),
    ("胸围34D罩杯", "<band>", 34.0),
    ("size 12", "<number>", 12.0),
    ("مقاس ٣٨", "<number>", 38.0),
]


@pytest.mark.parametrize(("text", "word", "value"), MEASURES)
def test_a_measure_becomes_its_unit_and_value(text: str, word: str, value: float) -> None:
    said = [(token.word, token.value) for token in parse(text) if token.value is not None]
    assert said[0] == (word, pytest.approx(value, abs=0.051))


@pytest.mark.parametrize(
    ("text", "measures"),
    [
        ("165CM/55KG", [(CM, 165.0), (KG, 55.0)]),
        ("身高1米65体重120斤", [(CM, 165.0), (KG, 60.0)]),
        ("身高一米六五，体重一百一十斤，穿M码", [(CM, 165.0), (KG, 55.0), (LETTER, 0.0)]),
        ("size M/38/10", [(LETTER, 0.0), ("<number>", 38.0), ("<number>", 10.0)]),
        ("5'6\" 121 lb 34D", [(CM, 167.6), (KG, 54.9), ("<band>", 34.0)]),
        ("eu 38.5cm", [(CM, 38.5)]),
        ("165/88A", [(CM, 165.0), (CM, 88.0)]),
        ("28W 30L", [("<size:inch>", 28.0), (CM, 76.2)]),
    ],
)
def test_every_measure_of_a_text_is_read_in_order(text: str, measures: list[tuple[str, float]]) -> None:
    assert [(token.word, token.value) for token in parse(text) if token.value is not None] == measures


@pytest.mark.parametrize(
    ("text", "word", "value"),
    [
        ("身高165，110斤", KG, 55.0),
        ("165,55kg", KG, 55.0),
        ("1m 65kg", KG, 65.0),
        ("8 US", "<size:us>", 8.0),
        ("U.S. 8", "<size:us>", 8.0),
        ("size Medium", LETTER, 0.0),
        ("wear x-large", LETTER, 2.0),
        ("usually extra small", LETTER, -2.0),
        ("75B", "<band>", 34.0),
        ("32-inch waist", CM, 81.3),
        ("180 centimeters", CM, 180.0),
        ("1 meter 65", CM, 165.0),
        ("70 kilograms", KG, 70.0),
    ],
)
def test_less_common_ways_are_read_too(text: str, word: str, value: float) -> None:
    assert (word, pytest.approx(value, abs=0.051)) in [(token.word, token.value) for token in parse(text)]


@pytest.mark.parametrize(
    "text",
    [
        "size 10 in black",
        "usually 12 in dresses",
        "told us 3 times",
        "love it 100%",
        "21st birthday",
        "bought it 2 years ago",
        "gave it 5 stars",
        "want it 1 size up",
        "wear it 24/7",
        "love it 10/10",
        "good for us 2 girls",
        "2-in-1 shorts",
        "a 3-in-1 jacket",
        "2 米色外套",
    ],
)
def test_everyday_english_is_no_measure_and_no_size_of_a_country(text: str) -> None:
    assert {token.word for token in parse(text) if token.value is not None} == {"<number>"}


@pytest.mark.parametrize(
    "text",
    [
        *("H&M dress", "M&S", "it's", "l'eau", "small", "a small bag", "I wear a large hat"),
        *("尺码表", "T-shirt", "", " ", "!?", "🙂"),
    ],
)
def test_a_text_without_a_measure_gives_none(text: str) -> None:
    assert [token for token in parse(text) if token.value is not None] == []


@pytest.mark.parametrize("text", ["偏小一码", "拍大两码", "大一码", "Machine wash 30c", "80d tights", "size 5's"])
def test_a_number_in_passing_is_no_size(text: str) -> None:
    assert {token.word for token in parse(text) if token.value is not None} <= {"<number>"}


def test_165_and_166_are_neighbours() -> None:
    (low,), (high,) = parse("165 cm"), parse("166 cm")
    assert low.word == high.word
    assert (low.value, high.value) == (165.0, 166.0)


@given(st.integers(100, 220))
def test_centimetres_and_metres_agree(height: int) -> None:
    assert parse(f"{height} cm") == parse(f"{height}厘米") == parse(f"{height}公分")
    assert parse(f"{height / 100:.2f} m")[0].value == pytest.approx(height)


@given(st.integers(4, 7), st.integers(0, 11))
def test_feet_and_inches_are_their_sum(feet: int, inches: int) -> None:
    assert parse(f"{feet}'{inches}\"")[0].value == pytest.approx(30.48 * feet + 2.54 * inches, abs=0.051)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("十", 10),
        ("十二", 12),
        ("二十", 20),
        ("一百二十", 120),
        ("一百二", 120),
        ("一百零二", 102),
        ("一六五", 165),
        ("两", 2),
    ],
)
def test_chinese_numerals_have_their_value(text: str, value: float) -> None:
    assert chinese_number(text) == value


def test_chinese_text_is_single_characters_and_pairs() -> None:
    assert [token.word for token in parse("红裙子")] == ["红", "裙", "子", "红裙", "裙子"]


def test_case_and_width_do_not_matter() -> None:
    assert parse("Ｂｌｕｅ DRESS") == parse("blue dress")


MEASURE_CHARACTERS = "0123456789.,'\" -/mcftinshlbkgeuxdw斤尺寸米公分码半一二两十百零〇٣½²"


@settings(database=None, max_examples=300)
@given(st.one_of(st.text(max_size=400), st.text(alphabet=MEASURE_CHARACTERS, max_size=60)))
def test_any_text_parses_to_finite_values_and_like_its_own_normal_form(text: str) -> None:
    text = re.sub("[¼-¾⅐-⅞]", "", text)  # whose normal form runs into the digits before them
    tokens = parse(text)
    assert parse(unicodedata.normalize("NFKC", text.replace("，", ", "))) == tokens
    assert all(token.word for token in tokens)
    assert all(token.value is None or -10 <= token.value < 1e12 for token in tokens)

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from tryon_core.text import hash_word, text_arrays
from tryon_core.words import PARSER_VERSION

ROWS = 65_536
GOLDEN = {
    "blue": (30060, 32130),
    "<cm>": (37201, 11946),
    "身高": (41491, 60411),
    "<size:eu>": (14627, 37719),
    "<empty>": (46829, 35396),
    "naïve": (25467, 28769),
}
"""Rows that words have had since the first release: a checkpoint's word table depends on them."""


@pytest.mark.parametrize(("word", "rows"), GOLDEN.items())
def test_a_word_has_the_rows_it_always_had(word: str, rows: tuple[int, int]) -> None:
    assert hash_word(word, ROWS) == rows


def test_a_fresh_process_with_another_hash_seed_gives_the_same_rows() -> None:
    program = "import json, sys; from tryon_core.text import hash_word; words = json.load(sys.stdin);"
    program += f"print(json.dumps([hash_word(word, {ROWS}) for word in words]))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(list(GOLDEN)),
        env={"PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [tuple(rows) for rows in json.loads(done.stdout)] == list(GOLDEN.values())


SENTENCES = (
    "165 cm, 55 kg, usually M, likes loose blue dresses",
    "5'11½\" 180 lb, W32 L34, 34D",
    "11 st 4 lb, US 8, EU: 38, wear a medium",
    "身高一米六五，体重110斤，平时穿38码，喜欢修身蓝色条纹连衣裙",
    "5英尺6英寸 腰26寸 165/88A",
    "Robe rose 1,65 m — taille 40",
    "plus size 14W, jeans 32W 34L",
)
GOLDEN_TEXTS = {3: "a69c67cc60fb9a5a", 4: "8ad4faf7204c5f12"}
"""Parser version to the digest of what it makes of `SENTENCES`; an old version's stays here to tell what changed. Version 3's
is of all but the last sentence, of which it made inches."""

_DIGEST = """
import hashlib, json, sys
from tryon_core.text import text_arrays
arrays = text_arrays(json.load(sys.stdin), 65_536, 64)
told = [arrays.ids.tolist(), [[round(v, 3) if v == v else None for v in row] for row in arrays.values.tolist()]]
print(hashlib.sha256(json.dumps([*told, arrays.lengths.tolist()]).encode()).hexdigest()[:16])
"""


def test_a_fresh_process_makes_of_texts_what_its_parser_version_always_made() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DIGEST], input=json.dumps(SENTENCES), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == GOLDEN_TEXTS[PARSER_VERSION]


def test_rows_spread_evenly_over_the_table() -> None:
    rows = np.array([hash_word(f"word{i}", ROWS) for i in range(20_000)])
    filled = np.bincount(rows.ravel() // 4096, minlength=16)
    assert filled.sum() == 40_000
    assert filled.min() > 2300
    assert filled.max() < 2700
    assert len({tuple(row) for row in rows.tolist()}) == 20_000


def test_texts_are_padded_with_zeros_and_gaps_behind_their_ends() -> None:
    arrays = text_arrays(["blue 165 cm dress", "blue", ""], ROWS, 64)
    assert arrays.lengths.tolist() == [3, 1, 1]
    assert len(arrays) == 3
    assert arrays.ids.shape == (3, 3, 2)
    assert arrays.ids[0].tolist() == [list(hash_word(word, ROWS)) for word in ("blue", "<cm>", "dress")]
    assert arrays.ids[1].tolist() == [list(GOLDEN["blue"]), [0, 0], [0, 0]]
    assert arrays.ids[2, 0].tolist() == list(GOLDEN["<empty>"])
    np.testing.assert_array_equal(arrays.values, np.float32([[np.nan, 165, np.nan], [np.nan] * 3, [np.nan] * 3]))


def test_tokens_past_the_limit_are_dropped() -> None:
    long, short = text_arrays(["one two three four", "one two"], ROWS, 2), text_arrays(["one two"] * 2, ROWS, 2)
    np.testing.assert_array_equal(long.ids, short.ids)
    assert long.lengths.tolist() == [2, 2]


def test_no_texts_give_empty_arrays() -> None:
    arrays = text_arrays([], ROWS, 8)
    assert (arrays.ids.shape, arrays.values.shape, arrays.lengths.shape) == ((0, 1, 2), (0, 1), (0,))


def test_a_number_too_large_for_single_precision_stays_finite() -> None:
    values = text_arrays(["9" * 400, "1" * 60 + " kg"], ROWS, 8).values
    assert np.isfinite(values[:, 0]).all()

"""Files of order lines that cannot be taken, or not whole, and how that is told."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tables import loader, many, write
from train.data.rejects import RejectedError, told_aside
from train.data.sim import SimConfig
from train.data.tables import read_table
from train.sources import Data, load_data
from train.table_rows import table_options
from tryon_core.errors import ConfigError
from tryon_core.presets import preset


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Data]:
    return loader(tmp_path)


BAD = [
    ({"ordered_at": "31.12.2025"}, "expected ordered_at as an ISO date such as 2026-03-31, got '31.12.2025'"),
    ({"ordered_at": ""}, "expected ordered_at as an ISO date"),
    ({"garment_id": ""}, "expected garment_id, got nothing"),
    (
        {"outcome": "retuned"},
        "expected outcome to be one of exchanged, kept, returned, got 'retuned'; did you mean 'returned'?",
    ),
    ({"outcome": ""}, "expected outcome or fit, got neither"),
    ({"fit": "tight"}, "expected fit to be one of"),
    ({"height_cm": "1.65"}, "expected height_cm as a number from 50 to 250, got '1.65'"),
    ({"weight_kg": "heavy"}, "expected weight_kg as a number from 20 to 350, got 'heavy'"),
    ({"waist_cm_low": "80", "waist_cm_high": "70"}, "expected 0 < low <= high < 300 cm, got [80.0, 70.0]"),
]


@pytest.mark.parametrize(("change", "why"), BAD)
def test_a_bad_line_is_told_by_its_number_and_left_out(change: dict[str, str], why: str, load: Callable[..., Data]) -> None:
    lines = many(40)
    lines[6] = {**lines[6], "size": "XL", **change}
    data = load(lines)
    (bad,) = data.rejected
    assert (bad.line, bad.dropped) == (8, True)
    assert bad.why.startswith(why)
    assert bad.content.startswith(lines[6]["ordered_at"])
    assert sum(len(rows) for rows in data.splits.values()) == 39
    assert data.about["left_out"] == 1


def test_too_many_bad_lines_are_an_error_and_written_aside_all_the_same(tmp_path: Path) -> None:
    lines = [*many(40), *many(5, outcome="lost")]
    file, bad = write(tmp_path / "orders.csv", lines), tmp_path / "bad.csv"
    spec = f"table:{file}"
    with pytest.raises(
        RejectedError, match=r"expected at most 5% of lines to be bad, got 5 of 45 lines .*line 42: expected"
    ):
        load_data(spec, preset("tiny"), SimConfig())
    assert load_data(f"{spec}?max_bad=0.12", preset("tiny"), SimConfig()).about["left_out"] == 5
    with pytest.raises(RejectedError), told_aside(str(bad)):
        load_data(spec, preset("tiny"), SimConfig())
    written = list(csv.DictReader(bad.read_text(encoding="utf-8").splitlines()))
    assert [row["line"] for row in written] == ["42", "43", "44", "45", "46"]
    assert {row["dropped"] for row in written} == {"yes"}
    assert written[0]["content"].split(",")[1:3] == ["g", "lost"]


def test_lines_with_more_fields_than_the_header_are_told_by_where_they_begin(tmp_path: Path) -> None:
    text = 'garment_id;title;outcome\ng;"two\nlines";kept\ng;x;kept;more\n\ng;y;kept\n'
    (tmp_path / "orders.csv").write_text("\ufeff" + text, encoding="utf-8")
    table = read_table(str(tmp_path / "orders.csv"))
    assert list(table.lines) == [2, 6]
    assert table.columns["title"] == ["two\nlines", "y"]
    assert [(bad.line, bad.why) for bad in table.rejected] == [(4, "expected 3 fields as in the header, got 4")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"garment_id,outcome\ng,\xff\n", "in UTF-8, got byte 0xff in line 2"),
        (b"", "expected a header in line 1 of .*, got an empty file"),
        (b"a,b,a\n1,2,3\n", "expected every column of .* once, got a more often"),
        (b'a,b\n"open,2\n', "expected a CSV or Parquet file at .*, got one that does not read"),
    ],
)
def test_a_file_that_is_no_table_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_table(str(tmp_path / "orders.csv"))


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("ordered_at", "expected column ordered_at in .*orders.csv, got garment_id, outcome, size, customer_key"),
        ("outcome", "expected column outcome or fit in"),
    ],
)
def test_a_missing_column_is_an_error(gone: str, message: str, load: Callable[..., Data]) -> None:
    with pytest.raises(ConfigError, match=message):
        load([{name: value for name, value in line.items() if name != gone} for line in many(4)])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("", "expected a file behind table:"),
        ("a.csv?splt=date", "expected an option of a table to be one of .*did you mean 'split'"),
        ("a.csv?split=month", "expected split of a table to be one of date, shopper"),
        ("a.csv?val=most", "expected val as a number, got 'most'"),
        ("a.csv?val=1.5", "expected val in"),
    ],
)
def test_a_wrong_option_says_what_was_expected(argument: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        table_options(argument)


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    lines: list[dict[str, Any]] = many(40, height_cm="170")
    lines[5] = {**lines[5], "height_cm": ""}
    write(tmp_path / "orders.csv", lines)
    typed = [{**line, "height_cm": float(line["height_cm"]) if line["height_cm"] else None} for line in lines]
    parquet.write_table(pa.Table.from_pylist(typed), tmp_path / "orders.parquet")
    one, two = (load_data(f"table:{tmp_path}/orders.{kind}", preset("tiny"), SimConfig()) for kind in ("csv", "parquet"))
    for split, rows in one.splits.items():
        np.testing.assert_array_equal(rows.targets["body"], two.splits[split].targets["body"])
        np.testing.assert_array_equal(
            rows.parts["shopper_words"].values.ids, two.splits[split].parts["shopper_words"].values.ids
        )

"""A shop's own table: what its lines become, which are refused and how that is told."""

from __future__ import annotations

import csv
import json
import logging
import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from train import pictures
from train.__main__ import main
from train.data.reasons import read_reasons
from train.data.rejects import RejectedError, told_aside
from train.data.sim import SimConfig
from train.data.tables import read_table
from train.rows import Rows, halves
from train.sources import Data, adapted, load_data
from train.table_rows import table_options
from tryon_core.batch import COLOURS, FIT_CLASSES, HISTORY_FIELDS, MEASUREMENTS, SIZE_FIELDS
from tryon_core.errors import ConfigError
from tryon_core.presets import preset
from tryon_core.text import text_arrays

Lines = Sequence[Mapping[str, str]]
LINE = {"ordered_at": "2026-01-01", "garment_id": "g", "outcome": "kept", "size": "M", "customer_key": "c"}


def many(num: int = 40, **more: str) -> list[dict[str, str]]:
    """Return good lines of as many shoppers, one a day."""
    days = [(date(2026, 1, 1) + timedelta(days=at)).isoformat() for at in range(num)]
    return [{**LINE, "ordered_at": day, "customer_key": f"c{at}", **more} for at, day in enumerate(days)]


def write(file: Path, lines: Lines) -> Path:
    names = list(dict.fromkeys(name for line in lines for name in line))
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, names, restval="")
        writer.writeheader()
        writer.writerows(lines)
    return file


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Data]:
    """Return what loads lines through the source; options go behind the question mark."""

    def run(lines: Lines, query: str = "max_bad=0.5", splits: Sequence[str] = ("train", "val")) -> Data:
        file = write(tmp_path / "orders.csv", lines)
        return load_data(f"table:{file}?{query}", preset("tiny"), SimConfig(), splits)

    return run


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample files that the command writes."""
    folder = tmp_path_factory.mktemp("sample") / "shop"
    assert main(["table-sample", "--out", str(folder), "--images", "64", "--orders", "400"]) == 0
    return folder


def whole(data: Data) -> Rows:
    """Return the rows to fit on, where everything is one split's."""
    return data.splits["train"]


def test_the_sample_fills_words_pictures_sizes_and_history(sample: Path) -> None:
    spec = f"table:{sample}/orders.csv?garments=garments.csv&reasons=reasons.json"
    data = load_data(spec, preset("tiny"), SimConfig())
    lines = list(csv.DictReader((sample / "orders.csv").read_text(encoding="utf-8").splitlines()))
    assert sum(len(rows) for rows in data.splits.values()) == len(lines) > 400
    assert data.rejected == ()
    for rows in data.splits.values():
        for part in ("shopper_words", "garment_image", "garment_words", "size", "history"):
            assert rows.parts[part].present.mean() > 0.95, part
        assert not rows.parts["person_mask"].present.any()
        assert set(np.unique(rows.targets["fit"])) == {-1, 0, 1, 2}
        assert set(np.unique(rows.targets["match"])) <= {0.0, 1.0} or np.isnan(rows.targets["match"]).any()
        assert (rows.targets["category"] >= 0).all()
        told = rows.targets["body"][:, MEASUREMENTS.index("height_cm")]
        assert 0.1 < np.isnan(told).mean() < 0.9
    assert (data.splits["train"].extra["pair"] >= 0).sum() >= 2


def test_a_line_is_read_as_it_was_written(load: Callable[..., Data]) -> None:
    told = {
        "height_cm": "165",
        "weight_kg": "55",
        "usual_size": "M",
        "sex": "female",
        "preferences": "likes blue",
        "title": "Blue dress",
        "brand": "Acme",
        "category": "dress",
        "colour": "Blue",
        "pattern": "striped",
        "department": "women",
        "waist_cm_low": "70",
        "waist_cm_high": "74",
        "waist_cm": "71.5",
        "style_id": "s",
    }
    rows = whole(load(many(**told)))
    words = text_arrays(["165 cm. 55 kg. usually size M. woman. likes blue"], 65_536, 48)
    np.testing.assert_array_equal(rows.parts["shopper_words"].values.ids, words.ids)
    words = text_arrays(["Blue dress. Acme. women. dress. striped"], 65_536, 48)
    np.testing.assert_array_equal(rows.parts["garment_words"].values.ids, words.ids)
    size = dict(zip(SIZE_FIELDS, rows.parts["size"].values[0], strict=True))
    assert (size["letter"], size["waist_cm_low"], size["waist_cm_high"]) == (0, 70, 74)
    assert rows.targets["colour"][0] == COLOURS.index("blue")
    body = dict(zip(MEASUREMENTS, rows.targets["body"][0], strict=True))
    assert (body["height_cm"], body["weight_kg"], body["waist_cm"]) == (165, 55, 71.5)
    assert np.isnan(body["hip_cm"])
    assert rows.targets["taste_colour"][0, COLOURS.index("blue")] == 1
    assert np.isnan(rows.targets["taste_colour"][0]).sum() == len(COLOURS) - 1


@pytest.mark.parametrize(
    ("outcome", "fit", "reason", "match", "label"),
    [
        ("kept", "", "", 1, "fit"),
        ("kept", "large", "", 1, "large"),
        ("kept", "", "zu klein", 1, "small"),
        ("returned", "", "zu klein", 0, "small"),
        ("exchanged", "", "太大了", 0, "large"),
        ("Returned", "", "ZU  KLEIN", 0, "small"),
        ("returned", "fit", "gefällt nicht", 0, "fit"),
        ("returned", "", "gefällt nicht", 0, None),
        ("returned", "", "", 0, None),
        ("returned", "", "kam kaputt an", None, None),
        ("returned", "", "wer weiß", 0, None),
        ("", "small", "", None, "small"),
    ],
)
def test_outcome_opinion_and_reason_make_the_labels(
    outcome: str, fit: str, reason: str, match: int | None, label: str | None, load: Callable[..., Data], tmp_path: Path
) -> None:
    meanings = {"zu klein": "small", "太大了": "large", "Gefällt nicht": "style", "kam kaputt an": "ignore"}
    (tmp_path / "reasons.json").write_text(json.dumps(meanings), encoding="utf-8")
    rows = whole(load(many(outcome=outcome, fit=fit, reason=reason), "reasons=reasons.json"))
    expected = np.nan if match is None else match
    np.testing.assert_array_equal(rows.targets["match"], np.full(len(rows), expected, np.float32))
    assert set(rows.targets["fit"]) == {-1 if label is None else FIT_CLASSES.index(label)}


def test_reasons_that_have_no_meaning_are_counted_and_told_with_the_nearest(
    load: Callable[..., Data], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "reasons.csv").write_text("reason,meaning\nzu klein,small\nzu groß,large\n", encoding="utf-8")
    lines = [*many(30), *many(3, outcome="returned", reason="zu kein"), *many(1, outcome="returned", reason="夜")]
    with caplog.at_level(logging.WARNING):
        load(lines, "reasons=reasons.csv")
    assert caplog.messages == [
        "reason 'zu kein' in 3 lines has no meaning; did you mean 'zu klein', which is small?",
        "reason '夜' in 1 lines has no meaning",
    ]


def test_a_meaning_that_there_is_not_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reasons.json").write_text('{"zu klein": "smal"}')
    with pytest.raises(ConfigError, match=r"meaning of reason 'zu klein' .* to be one of .*did you mean 'small'"):
        read_reasons(str(tmp_path / "reasons.json"))


def test_reasons_are_the_same_however_they_are_spelt(tmp_path: Path) -> None:
    told = {unicodedata.normalize("NFD", "fällt zu groß aus"): "large", "ＴＯＯ ＴＩＧＨＴ": "small", "太小了": "small"}
    (tmp_path / "reasons.json").write_text(json.dumps(told), encoding="utf-8")
    reasons = read_reasons(str(tmp_path / "reasons.json"))
    assert [reasons.meaning(value) for value in ("Fällt zu GROSS aus", "too  tight", "太小了 ")] == [
        "large",
        "small",
        "small",
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("reasons.json", '{"zu klein": "small", "zu klein": "large"}'),
        ("reasons.json", '{"Zu klein": "small", "zu  klein": "large"}'),
        ("reasons.csv", "reason,meaning\nzu klein,small\nzu klein,small\nZU KLEIN,large\n"),
    ],
)
def test_a_reason_with_two_meanings_is_refused(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"expected one meaning of reason '(?i:zu +klein)' in .*, got small and large"):
        read_reasons(str(tmp_path / name))


@pytest.mark.parametrize("content", ['["zu klein"]', '{"zu klein": ["small"]}', '{"zu klein": null}'])
def test_a_file_of_another_kind_than_reasons_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "reasons.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="expected"):
        read_reasons(str(tmp_path / "reasons.json"))


def test_half_of_the_shoppers_not_fitted_on_calibrate_and_the_others_are_scored(load: Callable[..., Data]) -> None:
    lines = [{**line, "customer_key": f"c{at // 2}"} for at, line in enumerate(many(240))]
    val = load(lines, "val=0.5").splits["val"]
    calibrating, scored = halves(val)
    assert not set(calibrating.extra["shopper"]) & set(scored.extra["shopper"])
    assert 0.35 < len(calibrating) / len(val) < 0.65
    again = load(lines[:200], "val=0.5").splits["val"]
    np.testing.assert_array_equal(again.extra["calibrate"], val.extra["calibrate"][: len(again)])


def test_kept_without_a_word_counts_less_beside_opinions_and_is_not_scored_on(load: Callable[..., Data]) -> None:
    lines = [{**line, "fit": ("fit", "small", "")[at % 3]} for at, line in enumerate(many(120))]
    data = load(lines)
    rows, val = data.splits["train"], data.splits["val"]
    weights = dict(zip(rows.targets["fit"].tolist(), rows.extra["weight_fit"].tolist(), strict=True))
    assert set(rows.extra["weight_fit"].tolist()) == {0.25, 1.0}
    assert weights[FIT_CLASSES.index("small")] == 1
    assert (rows.targets["fit"] >= 0).all()
    assert -1 in val.targets["fit"]
    fits = data.history.counts(("garment", "g"), data.day)
    assert fits[1] <= 40
    mine = load(lines, "weak=0.5").splits["train"]
    assert set(mine.extra["weight_fit"].tolist()) == {0.5, 1.0}


def test_kept_means_that_it_fits_where_nobody_tells(load: Callable[..., Data]) -> None:
    lines = [*many(40), *many(10, outcome="returned", reason="too small")]
    data = load(lines)
    assert "weight_fit" not in data.splits["train"].extra
    assert (data.splits["val"].targets["fit"] >= 0).all()
    assert data.history.counts(("garment", "g"), data.day)[1] > 30


def test_one_line_that_says_that_it_fits_changes_no_other_line(
    load: Callable[..., Data], caplog: pytest.LogCaptureFixture
) -> None:
    lines = [*many(100), *many(40, outcome="returned", reason="too small")]
    spoken = {**lines[5], "fit": "fit"}
    with caplog.at_level(logging.INFO):
        one, none = (load(given, "split=date") for given in ([*lines[:5], spoken, *lines[6:]], lines))
    for split, rows in none.splits.items():
        np.testing.assert_array_equal(one.splits[split].targets["fit"], rows.targets["fit"])
        history, same = (own.parts["history"].values for own in (one.splits[split], rows))
        np.testing.assert_array_equal(history, same)
    assert "weight_fit" not in one.splits["train"].extra
    assert one.about["silent"] == none.about["silent"] == "fit"
    np.testing.assert_array_equal(*(data.history.counts(("garment", "g"), data.day) for data in (one, none)))
    assert "1 lines say that it fits, 99 were kept without a word: they count as fits" in caplog.messages


def test_sizes_of_one_garment_in_one_order_are_a_preference(load: Callable[..., Data]) -> None:
    both = [
        {**line, "order_id": f"o{at}", "size": size, "outcome": outcome}
        for at, line in enumerate(many(30))
        for size, outcome in (("M", "returned"), ("L", "kept"), *([("S", "returned")] if at % 2 else []))
    ]
    alone = [{**line, "order_id": f"x{at}", "size": "M"} for at, line in enumerate(many(10))]
    kept = [{**line, "order_id": f"y{at // 2}", "size": "ML"[at % 2]} for at, line in enumerate(many(10))]
    rows = whole(load([*both, *alone, *kept]))
    pair = rows.extra["pair"]
    for number in np.unique(pair[pair >= 0]):
        own = pair == number
        assert own.sum() in (2, 3)
        assert rows.targets["match"][own].sum() == 1
        assert len(set(rows.extra["shopper"][own])) == 1
    assert 15 < len(np.unique(pair)) - 1 <= 30


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
    ({"occurred_at": "2020-01-01"}, "expected occurred_at behind ordered_at, got '2020-01-01'"),
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
        (b'a,"b\n1,2\n', "expected a header in line 1 of .*, got one that does not read"),
    ],
)
def test_a_file_that_is_no_table_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_table(str(tmp_path / "orders.csv"))


def test_a_stray_quote_costs_its_own_line_and_no_other(load: Callable[..., Data], tmp_path: Path) -> None:
    lines = many(60, shopper_words="tall")
    text = write(tmp_path / "plain.csv", lines).read_text(encoding="utf-8").splitlines()
    text[7] = text[7].replace("tall", '"5\'6" tall"')
    text[20] = text[20].replace("tall", '"tall')
    text[40] = text[40].replace("tall", '"very ""tall"""')
    text[60] = text[60].replace("tall", '"tall')
    (tmp_path / "quotes.csv").write_text("\n".join(text), encoding="utf-8")
    data = load_data(f"table:{tmp_path}/quotes.csv?max_bad=0.1", preset("tiny"), SimConfig())
    assert [bad.line for bad in data.rejected] == [8, 21, 61]
    assert all(bad.why.startswith("expected quotes around a whole field") for bad in data.rejected)
    assert data.rejected[1].content == text[20]
    assert sum(len(rows) for rows in data.splits.values()) == 57


def test_names_that_some_program_wrote_as_floats_are_the_same_names(load: Callable[..., Data], tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    sizes = [{"garment_id": "1000", "title": "Blue dress" if at == 0 else "", "size": str(38 + at)} for at in range(3)]
    write(tmp_path / "garments.csv", sizes)
    lines = many(40, garment_id="1000.0", size="38.0")
    typed = [{**line, "garment_id": 1000.0, "size": 38.0 if at else None} for at, line in enumerate(lines)]
    parquet.write_table(pa.Table.from_pylist(typed), tmp_path / "orders.parquet")
    spec = f"table:{tmp_path}/orders.parquet?garments=garments.csv"
    for data in (load(lines, "garments=garments.csv"), load_data(spec, preset("tiny"), SimConfig())):
        assert data.rejected == ()
        for rows in data.splits.values():
            assert rows.parts["garment_words"].present.all()
            assert set(rows.parts["size"].values[:, SIZE_FIELDS.index("number")]) == {38.0}


def test_garments_that_their_own_table_does_not_list_are_told(
    load: Callable[..., Data], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "garments.csv", [{"garment_id": "g", "size": "M"}])
    lines = [*many(30), *many(4, garment_id="lost")]
    load(lines, "garments=garments.csv")
    assert any(
        "4 of 34 lines are of garments that are not in" in told and "such as 'lost'" in told for told in caplog.messages
    )
    with pytest.raises(
        ConfigError, match=r"expected the garments of .*orders.csv in .*, got none of them, such as 'lost' in"
    ):
        load(many(4, garment_id="lost"), "garments=garments.csv")


@pytest.mark.parametrize("value", ["inf", "-inf", "1e39", "nan"])
def test_a_number_that_is_not_finite_is_none(value: str, load: Callable[..., Data], tmp_path: Path) -> None:
    parts = {"sensors": {"kind": "numbers", "columns": ["t"]}}
    tasks = {"defect": {"classes": ["a", "b"]}}
    (tmp_path / "columns.json").write_text(json.dumps({"parts": parts, "tasks": tasks}))
    lines = [{"t": value if at == 3 else str(at), "defect": "ab"[at % 2]} for at in range(40)]
    file = write(tmp_path / "parts.csv", lines)
    spec = f"table:{file}?columns=columns.json&val=0.5"
    data = load_data(spec, adapted(spec, preset("tiny")), SimConfig())
    assert [(bad.line, bad.why) for bad in data.rejected] == [(5, f"expected t as a number, got {value!r}")]


def test_the_latest_state_of_an_order_line_counts(load: Callable[..., Data]) -> None:
    lines = many(30)
    lines = [{**line, "order_line_id": f"l{at}", "occurred_at": line["ordered_at"]} for at, line in enumerate(lines)]
    back = [{**line, "outcome": "returned", "occurred_at": "2026-03-01"} for line in lines[:10]]
    data = load([*back, *lines])
    assert data.rejected == ()
    rows = data.splits.values()
    assert sum(len(own) for own in rows) == 30
    assert sum(int((own.targets["match"] == 0).sum()) for own in rows) == 10


def test_a_line_that_is_there_twice_is_told_and_one_that_names_nobody_may_be(load: Callable[..., Data]) -> None:
    lines = many(30)
    data = load([*lines, lines[4], {**lines[5], "outcome": "returned"}])
    assert [(bad.line, bad.why) for bad in data.rejected] == [(32, "expected every order line once, got line 6 again")]
    nobody = [{**line, "customer_key": ""} for line in lines]
    assert load([*nobody, nobody[4]], "split=date").rejected == ()


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
        ("a.csv?delay=-1", "expected delay as days from 0 on, got -1"),
        ("a.csv?paths=all", "expected paths of a table to be one of any, below"),
        ("a.csv?delay=inf", "expected delay as days from 0 on, got inf"),
    ],
)
def test_a_wrong_option_says_what_was_expected(argument: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        table_options(argument)


def test_pictures_are_decoded_once_and_those_that_do_not_read_are_told_by_line(
    load: Callable[..., Data], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    plain = pictures.decode
    monkeypatch.setattr(pictures, "decode", lambda content: decoded.append(len(content)) or plain(content))
    for name, colour in (("one", "red"), ("two", "blue")):
        Image.new("RGB", (64, 48), colour).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "one.png").read_bytes()[:60])
    files = ["one.png", "two.png", "one.png", "gone.png", "broken.png", ""]
    lines = [{**line, "garment_id": f"g{at % 6}", "garment_image": files[at % 6]} for at, line in enumerate(many(60))]
    data = load(lines)
    assert len(decoded) == 3
    assert [(bad.line, bad.dropped) for bad in data.rejected] == [(5, False), (6, False)]
    assert "expected an image file, got none that opens" in data.rejected[0].why
    assert "cut off or damaged" in data.rejected[1].why
    assert sum(len(rows) for rows in data.splits.values()) == 60
    rows = data.splits["train"]
    image = rows.parts["garment_image"]
    assert len(image.values) == 2
    assert 0.3 < image.present.mean() < 0.7


def test_only_files_below_the_tables_folder_are_opened_unless_that_is_asked_for(
    load: Callable[..., Data], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    Image.new("RGB", (64, 48), "red").save(elsewhere / "shirt.png")
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (64, 48), "blue").save(tmp_path / "pictures" / "shirt.png")
    (tmp_path / "link.png").symlink_to(elsewhere / "shirt.png")
    up = f"../{elsewhere.name}/shirt.png"
    files = [
        "pictures/shirt.png",
        "pictures/../pictures/shirt.png",
        up,
        str(elsewhere / "shirt.png"),
        "link.png",
        "file:///x",
    ]
    lines = [{**line, "garment_id": f"g{at}", "garment_image": files[at]} for at, line in enumerate(many(6))]
    data = load(lines, "split=date&val=0.2")
    assert [bad.line for bad in data.rejected] == [4, 5, 6, 7]
    assert {bad.why for bad in data.rejected} == {"expected a file below the table's folder; option paths=any takes others"}
    anywhere = load(lines[:5], "split=date&val=0.2&paths=any")
    assert anywhere.rejected == ()
    assert all(rows.parts["garment_image"].present.all() for rows in anywhere.splits.values())


def test_what_is_no_picture_is_not_read_beyond_what_one_may_have_and_not_quoted(
    load: Callable[..., Data], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 1000)
    (tmp_path / "long.png").write_bytes(bytes(1001))
    (tmp_path / "secret.txt").write_text("hunter2")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    files = ["long.png", "secret.txt", "pipe.png", "folder.png"]
    lines = [
        {**line, "garment_id": f"g{at}", "garment_image": file}
        for at, (line, file) in enumerate(zip(many(4), files, strict=True))
    ]
    assert [bad.why for bad in load(lines, "split=date&val=0.3").rejected] == [
        "expected an image file of at most 1000 bytes, got more",
        "expected a JPEG, PNG or WebP image, got another file or one that is cut off or damaged",
        "expected an image file, got a folder, pipe or device",
        "expected an image file, got a folder, pipe or device",
    ]


def test_decimal_commas_are_read_where_none_parts_columns(tmp_path: Path) -> None:
    head = "ordered_at;garment_id;outcome;size;customer_key;height_cm;waist_cm_low;waist_cm_high;title\n"
    lines = [f"2026-01-{1 + at:02d};g;kept;M;c{at};170,5;70,5;74;Size 3,5\n" for at in range(28)]
    (tmp_path / "orders.csv").write_text(head + "".join(lines), encoding="utf-8")
    rows = whole(load_data(f"table:{tmp_path}/orders.csv", preset("tiny"), SimConfig()))
    assert set(rows.targets["body"][:, MEASUREMENTS.index("height_cm")]) == {170.5}
    assert set(rows.parts["size"].values[:, SIZE_FIELDS.index("waist_cm_low")]) == {70.5}
    words = text_arrays(["Size 3,5"], 65_536, 48)
    np.testing.assert_array_equal(rows.parts["garment_words"].values.ids, words.ids)
    commas = "".join(
        line.replace("170,5", '"170,5"').replace("70,5;74;Size 3,5", "70;74;").replace(";", ",") for line in lines
    )
    (tmp_path / "orders.csv").write_text(head.replace(";", ",") + commas, encoding="utf-8")
    with pytest.raises(RejectedError, match="expected height_cm as a number from 50 to 250, got '170,5'"):
        load_data(f"table:{tmp_path}/orders.csv", preset("tiny"), SimConfig())


def test_a_column_that_is_nearly_named_as_one_that_is_read_is_told_once(
    load: Callable[..., Data], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [{**line, "heigth_cm": "170", "reasn": "too small", "shade": "blue", "Photos": ""} for line in many(40)]
    load(lines)
    told = [message for message in caplog.messages if "is not read" in message]
    assert [(text.split("'")[1], text.split("'")[3]) for text in told] == [
        ("heigth_cm", "height_cm"),
        ("reasn", "reason"),
        ("Photos", "photo"),
    ]


def test_a_table_without_lines_says_so(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("ordered_at,garment_id,outcome\n")
    with pytest.raises(ConfigError, match=r"expected lines in .*orders.csv, got none below its header"):
        load_data(f"table:{tmp_path}/orders.csv", preset("tiny"), SimConfig())


def test_masks_of_shoppers_are_seen_as_serving_sees_them(load: Callable[..., Data], tmp_path: Path) -> None:
    person = np.zeros((96, 64), dtype=np.uint8)
    person[10:90, 24:40] = 255
    Image.fromarray(person).save(tmp_path / "mask.png")
    Image.new("L", (64, 96)).save(tmp_path / "nobody.png")
    lines = [{**line, "mask": "nobody.png" if at == 3 else "mask.png"} for at, line in enumerate(many(40))]
    data = load(lines)
    column = data.splits["train"].parts["person_mask"]
    assert column.values.shape == (1, 48, 32)
    assert {0, 255} <= set(np.unique(column.values))
    assert [bad.line for bad in data.rejected] == [5]
    assert "expected a mask with a person in white" in data.rejected[0].why


def test_a_photo_in_which_nobody_is_leaves_the_line_without_a_mask(load: Callable[..., Data], tmp_path: Path) -> None:
    Image.new("RGB", (200, 300), "white").save(tmp_path / "wall.jpg")
    data = load([{**line, "photo": "wall.jpg" if at == 3 else ""} for at, line in enumerate(many(40))])
    assert [(bad.line, bad.dropped) for bad in data.rejected] == [(5, False)]
    assert "expected a photo of one person" in data.rejected[0].why
    assert not whole(data).parts["person_mask"].present.any()


def test_a_garments_table_gives_the_ladder_and_refuses_sizes_that_are_not_on_it(
    load: Callable[..., Data], tmp_path: Path
) -> None:
    sizes = [{"garment_id": "g", "title": "Dress" if at == 0 else "", "size": s} for at, s in enumerate(("S", "M", "L"))]
    write(tmp_path / "garments.csv", [*sizes, {"garment_id": "g", "size": "L"}])
    lines = many(40)
    lines[2] = {**lines[2], "size": "XL"}
    data = load(lines, "garments=garments.csv&max_bad=0.3")
    told = {bad.file.rpartition("/")[2]: (bad.line, bad.why) for bad in data.rejected}
    assert told["orders.csv"] == (4, "expected a size of garment g to be one of L, M, S, got 'XL'; did you mean 'L'?")
    assert told["garments.csv"] == (5, "expected each size of garment g once, got 'L' again")
    size = data.splits["train"].parts["size"].values
    np.testing.assert_array_equal(size[:, SIZE_FIELDS.index("rank")], [0.5])


def test_a_split_by_date_scores_on_the_last_lines_and_by_shopper_on_other_people(load: Callable[..., Data]) -> None:
    lines = [{**line, "customer_key": f"c{at % 30}"} for at, line in enumerate(many(200))]
    by_date = load(lines[::-1], "split=date&val=0.1")
    assert len(by_date.splits["val"]) == 20
    seen = [rows.parts["history"].values[:, HISTORY_FIELDS.index("garment_log_count")] for rows in by_date.splits.values()]
    assert seen[0].max() <= seen[1].min()
    by_shopper = load(lines, "val=0.3")
    assert not set(by_shopper.splits["train"].extra["shopper"]) & set(by_shopper.splits["val"].extra["shopper"])
    assert 0.1 < len(by_shopper.splits["val"]) / 200 < 0.5


def test_a_line_sees_only_what_was_known_before_it(load: Callable[..., Data]) -> None:
    lines = many(40, outcome="returned", reason="too small")
    late = [{**line, "occurred_at": "2026-02-09"} for line in lines]
    count = HISTORY_FIELDS.index("garment_log_count")

    def seen(given: Lines) -> np.ndarray:
        rows = load(given, "split=date&val=0.02&delay=0")
        return np.concatenate([own.parts["history"].values[:, count] for own in rows.splits.values()])

    at_once, later = seen(lines), seen(late)
    assert at_once[0] == 0
    assert (np.diff(at_once) > 0).all()
    assert not later[:39].any()
    changed = [{**line, "reason": "too large"} if at >= 20 else line for at, line in enumerate(lines)]
    small = HISTORY_FIELDS.index("garment_small")
    one, two = (
        load(given, "split=date&val=0.02&delay=0").splits["train"].parts["history"].values for given in (lines, changed)
    )
    np.testing.assert_array_equal(one[:21, small], two[:21, small])
    assert one[22, small] > two[22, small]


def test_lines_of_one_order_tell_each_other_nothing(load: Callable[..., Data]) -> None:
    lines = [
        {**line, "order_id": f"o{at}", "customer_key": f"c{at}", "size": size, "outcome": outcome, "reason": reason}
        for at, line in enumerate(many(20))
        for size, outcome, reason in (("S", "returned", "too small"), ("M", "kept", ""))
    ]
    rows = whole(load(lines, "delay=0"))
    own = rows.parts["history"].values[:, HISTORY_FIELDS.index("shopper_log_count")]
    assert not own.any()


@pytest.mark.parametrize(
    "days", [("2026-01-05T10:00:00", "2026-01-05T10:00:01"), ("2026-01-05T23:59:00", "2026-01-06T00:01:00")]
)
def test_times_of_day_let_no_line_see_another_of_its_day_or_order(days: tuple[str, str], load: Callable[..., Data]) -> None:
    told = [("S", "returned", "too small"), ("M", "kept", "")]
    both = [
        {**LINE, "order_id": "o", "ordered_at": day, "size": size, "outcome": outcome, "reason": reason, "occurred_at": day}
        for day, (size, outcome, reason) in zip(days, told, strict=True)
    ]
    later = {**LINE, "ordered_at": "2026-01-07"}
    others = [{**line, "garment_id": "h", "ordered_at": f"2026-02-{1 + at:02d}"} for at, line in enumerate(many(20))]
    rows = whole(load([*both, later, *others], "split=date&val=0.02"))
    np.testing.assert_allclose(np.expm1(_seen(rows, "shopper_log_count")[:3]), [0, 0, 2], rtol=0.05)


def _seen(rows: Rows, name: str) -> np.ndarray:
    history = rows.parts["history"]
    return history.values[history.index, HISTORY_FIELDS.index(name)]


@pytest.mark.parametrize(("query", "first"), [("", 15), ("&delay=3", 4), ("&delay=0", 1)])
def test_a_verdict_of_which_no_day_is_told_is_seen_after_the_stated_delay(
    query: str, first: int, load: Callable[..., Data]
) -> None:
    rows = whole(load(many(40), f"split=date&val=0.02{query}"))
    assert int(np.flatnonzero(_seen(rows, "garment_log_count"))[0]) == first


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


def test_a_shops_own_names_are_mapped_by_a_columns_file(load: Callable[..., Data], tmp_path: Path) -> None:
    theirs = {"ordered_at": "datum", "garment_id": "artikel", "outcome": "status"}
    lines = [{theirs.get(name, name): value for name, value in line.items()} for line in many(40)]
    (tmp_path / "columns.json").write_text(json.dumps({"columns": theirs}))
    assert sum(len(rows) for rows in load(lines, "columns=columns.json").splits.values()) == 40
    (tmp_path / "columns.json").write_text(json.dumps({"columns": {**theirs, "size": "groesse"}}))
    with pytest.raises(ConfigError, match=r"expected a column of .*orders.csv to be one of .*, got 'groesse'"):
        load(lines, "columns=columns.json")

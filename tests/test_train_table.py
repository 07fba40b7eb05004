"""A shop's own table: what its lines become, which are refused and how that is told."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tables import Lines, loader, many, write
from train.__main__ import main
from train.data.reasons import read_reasons
from train.data.sim import SimConfig
from train.rows import Rows
from train.sources import Data, load_data
from tryon_core import encoding
from tryon_core.batch import COLOURS, FIT_CLASSES, HISTORY_FIELDS, MEASUREMENTS, SIZE_FIELDS
from tryon_core.errors import ConfigError
from tryon_core.person import frame_mask
from tryon_core.presets import preset
from tryon_core.text import text_arrays


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Data]:
    return loader(tmp_path)


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


def test_pictures_are_decoded_once_and_those_that_do_not_read_are_told_by_line(
    load: Callable[..., Data], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    plain = encoding.decode
    monkeypatch.setattr(encoding, "decode", lambda content: decoded.append(len(content)) or plain(content))
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


def test_masks_of_shoppers_are_seen_as_serving_sees_them(load: Callable[..., Data], tmp_path: Path) -> None:
    person = np.zeros((96, 64), dtype=np.uint8)
    person[10:90, 24:40] = 255
    Image.fromarray(person).save(tmp_path / "mask.png")
    Image.new("L", (64, 96)).save(tmp_path / "nobody.png")
    lines = [{**line, "mask": "nobody.png" if at == 3 else "mask.png"} for at, line in enumerate(many(40))]
    data = load(lines)
    column = data.splits["train"].parts["person_mask"]
    assert column.values.shape == (1, 48, 32)
    assert np.array_equal(column.values[0], frame_mask(person, 48, 32))
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


def test_a_shops_own_names_are_mapped_by_a_columns_file(load: Callable[..., Data], tmp_path: Path) -> None:
    theirs = {"ordered_at": "datum", "garment_id": "artikel", "outcome": "status"}
    lines = [{theirs.get(name, name): value for name, value in line.items()} for line in many(40)]
    (tmp_path / "columns.json").write_text(json.dumps({"columns": theirs}))
    assert sum(len(rows) for rows in load(lines, "columns=columns.json").splits.values()) == 40
    (tmp_path / "columns.json").write_text(json.dumps({"columns": {**theirs, "size": "groesse"}}))
    with pytest.raises(ConfigError, match=r"expected a column of .*orders.csv to be one of .*, got 'groesse'"):
        load(lines, "columns=columns.json")

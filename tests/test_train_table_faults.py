"""What goes wrong in a shop's files, and costs or changes no more than it must."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tables import loader, many, write
from train import pictures
from train.data.rejects import RejectedError
from train.data.sim import SimConfig
from train.sources import Data, adapted, load_data
from tryon_core.batch import MEASUREMENTS, SIZE_FIELDS
from tryon_core.errors import ConfigError
from tryon_core.presets import preset
from tryon_core.text import text_arrays


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Data]:
    """Return what loads lines through the source; options go behind the question mark."""
    return loader(tmp_path)


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
    rows = load_data(f"table:{tmp_path}/orders.csv", preset("tiny"), SimConfig()).splits["train"]
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

"""The rental data: read with every check, made from the published file, and never told their own verdict."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from tests.rentals import write_raw
from train.config import TrainConfig
from train.data.rtr import read_rentals
from train.data.sim import SimConfig
from train.effects import Events, fit_effects
from train.evaluate import evaluate
from train.loop import Place, build_model, fit
from train.mix import load_mixed, weighted
from train.options import build_parser, fit_config
from train.prepare import CHECKSUMS, prepare_rtr
from train.rtr_rows import NUM_FOLDS, Shop, _folds, rtr_config
from train.sources import load_data
from tryon_core.batch import RECORD_FIELDS, TOLD_FIELDS
from tryon_core.errors import ConfigError, InputError
from tryon_core.presets import preset

CONFIG = rtr_config(TrainConfig(model=preset("tiny")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("rentals")
    write_raw(place / "raw.json")
    prepare_rtr(place / "raw.json", place / "tables")
    return place / "tables"


def test_prepare_deals_every_line_out_once_and_writes_the_checksums_of_what_it_wrote(folder: Path) -> None:
    rows = [parquet.read_table(folder / f"{name}.parquet").column("row").to_pylist() for name in ("train", "val", "test")]
    assert [len(own) for own in rows] == [480, 60, 60]
    assert sorted(row for own in rows for row in own) == list(range(600))
    for line in (folder / CHECKSUMS).read_text().splitlines():
        digest, name = line.split()
        assert digest == hashlib.sha256((folder / name).read_bytes()).hexdigest()


def test_prepare_reads_what_the_published_file_writes(tmp_path: Path) -> None:
    line = (
        '{"fit": "fit", "user_id": "420272", "bust size": "34ddd/e", "item_id": "2260466", "weight": "137lbs", "size": 14,'
        ' "rented for": "vacation", "body type": "hourglass", "category": "romper", "height": "5\' 8\\"", "age": "28",'
        ' "rating": "10", "review_text": "Adorable", "review_date": "April 20, 2016"}\n'
    )
    with gzip.open(tmp_path / "raw.json.gz", "wt") as file:
        file.write(line * 10)
    prepare_rtr(tmp_path / "raw.json.gz", tmp_path / "out")
    table = parquet.read_table(tmp_path / "out" / "train.parquet")
    first = table.to_pylist()[0]
    assert {"rating", "review_text"}.isdisjoint(first)
    told = (first["weight_lbs"], first["height_in"], first["bust_size_num"], first["bust_size_letter"], first["size"])
    assert told == (137.0, 68.0, 34.0, "f", 14)
    assert first["review_date"].date().isoformat() == "2016-04-20"


def test_prepare_names_the_line_that_is_wrong(tmp_path: Path) -> None:
    write_raw(tmp_path / "raw.json", num=5)
    lines = (tmp_path / "raw.json").read_text().splitlines()
    (tmp_path / "raw.json").write_text("\n".join([*lines[:3], lines[3].replace('"fit": ', '"fit": "tight", "was": ')]))
    with pytest.raises(InputError, match=r"expected fit in line 4 of .*raw.json, got 'tight'"):
        prepare_rtr(tmp_path / "raw.json", tmp_path / "out")


def test_prepare_makes_the_split_that_other_tables_state(folder: Path, tmp_path: Path) -> None:
    write_raw(tmp_path / "raw.json")
    like = tmp_path / "like"
    like.mkdir()
    for name in ("train", "val"):
        table = parquet.read_table(folder / f"{name}.parquet", columns=["row"])
        parquet.write_table(table.slice(0, table.num_rows - 5), like / f"{name}.parquet")
    prepare_rtr(tmp_path / "raw.json", tmp_path / "out", like)
    sizes = [parquet.read_table(tmp_path / "out" / f"{name}.parquet").num_rows for name in ("train", "val", "test")]
    assert sizes == [475, 55, 70]


def test_a_wrong_value_is_named_by_file_column_and_row(folder: Path, tmp_path: Path) -> None:
    table = parquet.read_table(folder / "train.parquet")
    sizes = table.column("size").to_pylist()
    sizes[7] = -1
    place = table.column_names.index("size")
    parquet.write_table(table.set_column(place, "size", [sizes]), tmp_path / "train.parquet")
    with pytest.raises(InputError, match=r"column size, row 7 of .*train.parquet, got -1"):
        read_rentals(tmp_path / "train.parquet")
    parquet.write_table(table.drop_columns(["age"]), tmp_path / "train.parquet")
    with pytest.raises(ConfigError, match=r"expected column age in .*train.parquet"):
        read_rentals(tmp_path / "train.parquet")


def test_junk_ages_are_not_said(folder: Path) -> None:
    words = read_rentals(folder / "train.parquet").shopper_words.tolist()
    assert any("years" in text for text in words)
    assert not any("117 years" in text for text in words)


@pytest.mark.parametrize("query", ["", "?split=date"])
def test_no_training_row_sees_its_own_verdict(folder: Path, tmp_path: Path, query: str) -> None:
    before = load_data(f"rtr:{folder}{query}", CONFIG.model, SimConfig(), ("train",))
    row = 100
    table = parquet.read_table(folder / "train.parquet")
    fits = table.column("fit").to_pylist()
    fits[row] = "small" if fits[row] != "small" else "large"
    parquet.write_table(table.set_column(table.column_names.index("fit"), "fit", [fits]), tmp_path / "train.parquet")
    (tmp_path / "val.parquet").write_bytes((folder / "val.parquet").read_bytes())
    after = load_data(f"rtr:{tmp_path}{query}", CONFIG.model, SimConfig(), ("train",))
    seen = others = 0
    for split in ("train", "calibration"):
        one, two = before.splits[split], after.splits[split]
        changed = np.flatnonzero(one.targets["fit"] != two.targets["fit"])
        moved = np.zeros(len(one), bool)
        for part in ("history", "record"):
            differ = ~np.isclose(one.parts[part].values, two.parts[part].values, equal_nan=True).all(axis=1)
            moved |= differ
        seen += len(changed)
        others += int(moved.sum())
        assert not moved[changed].any()
    assert seen == 1
    assert others > 0  # which did see it


def test_by_date_no_row_is_moved_by_a_later_verdict(folder: Path) -> None:
    data = load_data(f"rtr:{folder}?split=date", CONFIG.model, SimConfig())
    train, val = (read_rentals(folder / f"{name}.parquet") for name in ("train", "val"))
    assert len(data.splits["val"]) == (len(train) + len(val)) // 10
    count = data.splits["train"].parts["record"].values[:, RECORD_FIELDS.index("own_log_count")]
    row = data.splits["train"].extra["row"]
    assert count[row < np.median(row)].mean() < count[row > np.median(row)].mean()


def test_effects_find_the_offsets_that_nobody_told(folder: Path) -> None:
    rng = np.random.default_rng(1)
    offset, num = rng.normal(0, 1.5, 20), 6000
    told = np.column_stack([np.full(num, 165.0), rng.normal(62, 8, num), *[np.full(num, 30.0)] * 3]).astype(np.float32)
    garment, size = rng.integers(0, 20, num), np.clip(np.round((told[:, 1] - 45) / 2 + rng.normal(0, 2, num)), 0, 40)
    ease = size + 2 * offset[garment] - (told[:, 1] - 45) / 2 + rng.normal(0, 1, num)
    fit = np.where(ease < -2, 0, np.where(ease > 2, 2, 1))
    events = Events(told, size, garment, garment, rng.integers(0, 1000, num), fit)
    effects = fit_effects(events, [str(i) for i in range(20)], [(str(i), "8") for i in range(20)])
    of = effects.of([str(i) for i in range(20)], ["8"] * 20)
    larger = of[:, 1] + of[:, 3] - of[:, 0] - of[:, 2]
    assert np.corrcoef(larger, offset)[0, 1] > 0.9
    assert not effects.of(["new"], ["8"]).any()


def test_every_row_of_scored_rentals_equals_what_a_lone_row_gives(folder: Path) -> None:
    shop = Shop(*(read_rentals(folder / f"{name}.parquet") for name in ("train", "val")))
    events = np.arange(shop.num_events)
    effects, rows = shop.effects(events), np.arange(shop.num_events, shop.num_events + 20)
    together = shop.numbers_of(rows, events, effects)
    for place, row in enumerate(rows):
        alone = shop.numbers_of(np.array([row]), events, effects)
        for whole, one in zip(together, alone, strict=True):
            np.testing.assert_allclose(whole[place], one[0], rtol=1e-5, atol=1e-6)


def test_rentals_leave_out_parts_and_tasks_that_they_tell_nothing_of() -> None:
    config = rtr_config(TrainConfig(model=preset("base")))
    assert set(config.model.parts) == {"shopper_words", "garment_words", "size", "history", "record"}
    assert set(config.model.tasks) == {"match", "fit", "body"}
    assert rtr_config(replace(config, seed=3)) == replace(config, seed=3)  # and what it settled stays settled


def test_the_command_line_has_the_last_word_over_what_rentals_settle() -> None:
    line = ["fit", "--preset", "base", "--data", "rtr:DIR?split=date", "--out", "x"]
    settled, told = (fit_config(build_parser().parse_args([*line, *more])) for more in ([], ["--epochs", "9"]))
    assert settled == rtr_config(TrainConfig(model=preset("base")))
    assert told == replace(settled, epochs=9)


def _config_of(*sources: str) -> TrainConfig:
    return fit_config(build_parser().parse_args(["fit", "--preset", "tiny", "--data", *sources, "--out", "x"]))


def test_beside_other_sources_rentals_leave_out_nothing_that_those_tell() -> None:
    plain = TrainConfig(model=preset("tiny"))
    assert _config_of("sim", "rtr:DIR@0.2") == plain  # the first source says how it is fitted, and rentals are not
    first = _config_of("rtr:DIR", "sim@0.2")
    assert set(first.model.parts) == {*plain.model.parts, "record"}
    assert set(first.model.tasks) == set(plain.model.tasks)
    assert first.epochs == rtr_config(plain).epochs
    assert first.model.tasks["match"] == rtr_config(plain).model.tasks["match"]
    assert first.missing["record"] == rtr_config(plain).missing["record"]
    assert first.missing["person_mask"] == plain.missing["person_mask"]


@pytest.mark.parametrize("rentals_first", [True, False])
def test_a_model_is_fitted_on_rentals_and_a_simulated_shop_together(folder: Path, rentals_first: bool) -> None:
    sources = [f"rtr:{folder}", "sim@0.5"] if rentals_first else ["sim", f"rtr:{folder}@0.5"]
    config = replace(_config_of(*sources), epochs=1, batch_size=20)
    shop = SimConfig(shoppers=60, garments=20, brands=4, orders=300)
    data = load_mixed([weighted(source) for source in sources], config.model, shop)
    rentals, drawn = data.splits["val"], next(iter(data.others.values()))
    rows = data.splits["train"]
    both = rows.take(np.r_[0:20, len(rows) - 20 : len(rows)])
    if not rentals_first:
        rentals, drawn = drawn, rentals
    assert ("record" in config.model.parts) == rentals_first
    assert "record" not in drawn.parts
    assert "person_mask" not in rentals.parts
    model = build_model(config, rows)
    fit(model, both, config, lambda event: None, place=Place())
    for own in (rentals, drawn):
        scores = evaluate(model, own.take(np.arange(20)))
        assert scores["fit"]["num"] > 0


def test_a_shop_that_has_nothing_of_what_a_model_sees_names_what_it_has() -> None:
    model = replace(
        CONFIG.model, parts={"record": "record"}, towers={"record": CONFIG.model.towers["record"]}, tasks={"fit": 1.0}
    )
    with pytest.raises(ConfigError, match=r"to be one of .*size, got 'record'") as err:
        load_data("sim", model, SimConfig(shoppers=60, garments=20, brands=4, orders=300))
    assert str(err.value).count("record") == 1


@pytest.mark.filterwarnings("error")
def test_a_number_that_nobody_tells_is_no_news_of_anyone() -> None:
    rng, num = np.random.default_rng(2), 300
    told = np.full((num, len(TOLD_FIELDS)), np.nan, np.float32)
    told[:, 0] = rng.normal(165, 6, num)
    size, garment = rng.integers(4, 20, num).astype(np.float64), rng.integers(0, 5, num)
    events = Events(told, size, garment, garment, rng.integers(0, 50, num), rng.integers(0, 3, num))
    effects = fit_effects(events, list("abcde"), [("a", "1")] * 5)
    assert effects.centre[0] == pytest.approx(np.float64(told[:, 0]).mean())
    assert effects.spread[0] == pytest.approx(np.float64(told[:, 0]).std(), abs=1e-5)
    np.testing.assert_array_equal(effects.centre[1:], 0)
    np.testing.assert_array_equal(effects.spread[1:], 1)
    height_and_weight = np.where(np.arange(len(TOLD_FIELDS)) < 2, np.float32(60), np.float32(np.nan))
    assert np.isfinite(effects.spare(height_and_weight[None], np.array([8.0]))).all()


def test_no_row_sees_the_verdict_of_the_same_shopper_on_the_same_garment_in_the_same_size(folder: Path) -> None:
    rentals = read_rentals(folder / "train.parquet")
    twice = rentals.take(np.repeat(np.arange(len(rentals)), 3))
    folds = _folds(twice, "").reshape(-1, 3)
    np.testing.assert_array_equal(folds, folds[:, :1].repeat(3, axis=1))
    assert len(np.unique(folds)) == NUM_FOLDS
    one, other = replace(rentals, size=rentals.size * 0), replace(rentals, size=np.arange(len(rentals)) % 2)
    assert len({tuple(_folds(own, "")) for own in (one, other)}) == 2  # another size is no repeat
    counts = np.bincount(_folds(rentals, ""), minlength=NUM_FOLDS)
    assert counts.min() > 0.5 * len(rentals) / NUM_FOLDS

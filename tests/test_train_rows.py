"""Rows, what training hides of them, and the history that each order saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.synthetic import make_rows
from train.config import TrainConfig
from train.data.sim import SimConfig
from train.pairs import pairs
from train.perturb import hidden, perturbed, without_charts, without_words
from train.replay import Line, replay
from train.rows import Rows, batches, epoch_order, num_batches, repeated, used_by
from train.sources import load_data
from tryon_core.batch import HISTORY_FIELDS, PARTS, SIZE_FIELDS, Column
from tryon_core.errors import ConfigError
from tryon_core.history import FitEvent, History
from tryon_core.presets import preset
from tryon_core.text import text_arrays


@pytest.fixture(scope="module")
def rows() -> Rows:
    return make_rows(preset("tiny"), 64)


def test_a_slice_holds_only_the_values_that_its_rows_use(rows: Rows) -> None:
    chosen = np.array([5, 3, 5, 60])
    part = rows.take(chosen)
    for name, column in part.parts.items():
        assert len(column.values) == len(np.unique(rows.parts[name].index[chosen]))
    whole, own = rows.parts["garment_image"], part.parts["garment_image"]
    np.testing.assert_array_equal(own.values[own.index], whole.values[whole.index[chosen]])
    np.testing.assert_array_equal(part.targets["fit"], rows.targets["fit"][chosen])


def test_a_slice_of_texts_reads_as_the_texts_do() -> None:
    texts = text_arrays(["one", "a much longer text", "two words"], 65_536, 64)
    rows = Rows({"shopper_words": Column(texts, np.array([0, 1, 2, -1]))}, {"fit": np.arange(4)})
    short = rows.take(np.array([3, 2, 0])).parts["shopper_words"]
    np.testing.assert_array_equal(short.index, [-1, 1, 0])
    np.testing.assert_array_equal(short.values.lengths, [1, 2])
    np.testing.assert_array_equal(short.values.ids, texts.ids[[0, 2], :2])


def test_repeated_rows_follow_one_another_and_only_copies_of_one_place_are_pairs(rows: Rows) -> None:
    outcome, group = np.array([1, 0, 0, 1, 0], dtype=np.float32), np.array([4, 4, -1, 5, 5])
    some = rows.take(np.arange(5))
    some = replace(some, targets={**some.targets, "match": outcome}, extra={**some.extra, "pair": group})
    every = repeated(some, 3)
    np.testing.assert_array_equal(every.targets["match"], np.repeat(outcome, 3))
    np.testing.assert_array_equal(every.parts["size"].index, np.repeat(some.parts["size"].index, 3))
    assert {tuple(map(int, pair)) for pair in zip(*pairs(every.extra["pair"], every.targets["match"]), strict=True)} == {
        (3 * kept + copy, 3 * returned + copy) for kept, returned in ((0, 1), (3, 4)) for copy in range(3)
    }
    assert repeated(some, 1) is some


def test_a_slice_may_be_written_to_without_changing_the_whole(rows: Rows) -> None:
    before = rows.parts["person_mask"].values.copy()
    part = rows.take(np.arange(8))
    part.parts["person_mask"].values[:] = 7
    part.targets["match"][:] = 7
    np.testing.assert_array_equal(rows.parts["person_mask"].values, before)
    assert rows.targets["match"].max() <= 1


@given(st.lists(st.integers(-1, 6), max_size=20))
def test_used_numbers_and_places_give_the_numbers_back(numbers: list[int]) -> None:
    index = np.array(numbers, dtype=np.int64)
    used, place = used_by(index)
    assert (used >= 0).all()
    np.testing.assert_array_equal(np.where(place < 0, -1, used[place.clip(0)] if len(used) else -1), index)


def test_parts_and_targets_of_different_lengths_are_refused() -> None:
    with pytest.raises(ConfigError, match="one length"):
        Rows({"photo": Column(np.zeros((1, 16, 16, 3), np.uint8), np.zeros(3, np.int64))}, {"fit": np.zeros(4, np.int64)})


@pytest.mark.parametrize(("num", "batch", "world"), [(10, 4, 1), (11, 4, 2), (9, 9, 3), (7, 100, 2)])
def test_workers_see_different_rows_in_equally_many_batches(num: int, batch: int, world: int) -> None:
    order = np.random.default_rng(0).permutation(num)
    each = [list(batches(order, batch, rank=rank, world=world)) for rank in range(world)]
    seen = np.concatenate([b for own in each for b in own])
    assert len(seen) == len(set(seen.tolist())) == num - num % world
    assert {len(own) for own in each} == {num_batches(num, batch, world)}
    assert max(len(b) for own in each for b in own) <= batch // world


@pytest.mark.parametrize("run", [1, 2, 4, 100])
def test_an_epoch_sees_every_row_once_and_a_shoppers_rows_in_runs(run: int) -> None:
    shopper = np.random.default_rng(1).integers(0, 9, 60)
    rows = Rows({}, {"fit": np.zeros(60, np.int64)}, {"shopper": shopper})
    order = epoch_order(rows, run, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(60))
    assert order.tolist() != epoch_order(rows, run, np.random.default_rng(1)).tolist()
    if run > 1:
        parts = [-(-int(num) // run) for num in np.bincount(shopper) if num]
        changes = np.count_nonzero(np.diff(shopper[order]))
        assert changes <= sum(parts) - 1


def test_fewer_rows_than_workers_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 3 rows"):
        list(batches(np.arange(2), 8, world=3))


def test_a_hidden_part_leaves_its_rows_at_minus_one_and_its_value_out(rows: Rows) -> None:
    chosen = np.arange(16)
    gone = np.isin(chosen, [2, 3, 11])
    part = rows.take(chosen, {"person_mask": gone, "shopper_words": np.ones(16, dtype=bool)})
    np.testing.assert_array_equal(part.parts["person_mask"].index < 0, gone)
    assert len(part.parts["shopper_words"].values) == 0
    kept = rows.parts["person_mask"].index[chosen[~gone]]
    assert len(part.parts["person_mask"].values) == len(np.unique(kept))


def test_training_hides_about_the_share_that_the_config_states(rows: Rows) -> None:
    shares = {"person_mask": 0.25, "size": 0.05, "history": 0.0}
    gone = hidden(shares, 20_000, np.random.default_rng(0))
    for part, share in shares.items():
        assert gone[part].mean() == pytest.approx(share, abs=0.01)


def test_perturbed_rows_keep_their_targets_and_what_is_not_hidden(rows: Rows) -> None:
    config = TrainConfig(model=preset("tiny"), missing={}, chart_missing=0, word_missing=0, augmentation={})
    chosen = np.arange(0, 64, 3)
    seen = perturbed(rows, chosen, config, np.random.default_rng(0))
    for name, column in rows.take(chosen).parts.items():
        np.testing.assert_array_equal(seen.parts[name].index, column.index)
    np.testing.assert_array_equal(seen.targets["body"], rows.targets["body"][chosen])


def test_a_seed_repeats_what_goes_missing_and_how_images_move(rows: Rows) -> None:
    config = TrainConfig(model=preset("tiny"))
    one, two = (perturbed(rows, np.arange(32), config, np.random.default_rng(3)) for _ in range(2))
    for name in one.parts:
        np.testing.assert_array_equal(one.parts[name].index, two.parts[name].index)
    np.testing.assert_array_equal(one.parts["garment_image"].values, two.parts["garment_image"].values)


def test_a_size_without_its_chart_keeps_label_and_rank(rows: Rows) -> None:
    sizes = rows.parts["size"].values
    bare = without_charts(sizes, 1 - 1e-12, np.random.default_rng(0))
    rank = SIZE_FIELDS.index("rank")
    np.testing.assert_array_equal(bare[:, rank], sizes[:, rank])
    assert np.isnan(bare[:, SIZE_FIELDS.index("height_cm_low")]).all()
    assert not np.isnan(sizes[:, SIZE_FIELDS.index("height_cm_low")]).any()


def test_texts_lose_words_but_never_all_and_keep_the_order_of_the_rest() -> None:
    texts = text_arrays(["a b c 170 cm d e f", "one"], 65_536, 64)
    for seed in range(20):
        fewer = without_words(texts, 0.5, np.random.default_rng(seed))
        assert fewer.lengths.min() >= 1
        assert fewer.lengths[1] == 1
        left = [tuple(pair) for pair in fewer.ids[0, : fewer.lengths[0]].tolist()]
        all_words = iter([tuple(pair) for pair in texts.ids[0].tolist()])
        assert all(word in all_words for word in left)
        assert not fewer.ids[0, fewer.lengths[0] :].any()
        assert np.isnan(fewer.values[0, fewer.lengths[0] :]).all()


def _lines() -> list[Line]:
    rng = np.random.default_rng(0)
    days = np.sort(rng.uniform(0, 100, 60)).tolist()
    return [
        Line(f"g{rng.integers(4)}", f"s{rng.integers(2)}", f"p{rng.integers(5)}", d, int(rng.integers(-1, 3))) for d in days
    ]


def test_no_line_sees_its_own_verdict_or_a_later_one() -> None:
    lines = _lines()
    features, _, _ = replay(lines)
    for row in range(0, 60, 7):
        changed = [replace(line, fit=0) if at >= row else line for at, line in enumerate(lines)]
        np.testing.assert_array_equal(replay(changed)[0][: row + 1], features[: row + 1])


def test_a_line_sees_what_a_history_of_the_lines_before_it_says() -> None:
    lines = _lines()
    features, history, day = replay(lines)
    before = History()
    for line in lines[:40]:
        if line.fit >= 0:
            before.add(FitEvent(line.garment, line.size, line.shopper, ("small", "fit", "large")[line.fit], line.day))
    asked = lines[40]
    np.testing.assert_allclose(features[40], before.features(asked.garment, asked.size, asked.shopper, asked.day))
    assert day == lines[-1].day
    assert history.counts(("garment", "g0"), day).sum() > 0
    assert features.shape == (60, len(HISTORY_FIELDS))


def test_lines_out_of_the_order_of_time_are_refused() -> None:
    lines = _lines()
    with pytest.raises(ConfigError, match="order of time"):
        replay([lines[1], lines[0]])


@pytest.mark.parametrize("spec", ["sin", "orders.csv", ""])
def test_an_unknown_source_is_told_with_those_that_there_are(spec: str) -> None:
    with pytest.raises(ConfigError, match=f"expected data source to be one of .*sim.*, got '{spec}'"):
        load_data(spec, preset("tiny"), SimConfig())


def test_an_argument_that_the_simulated_shop_does_not_take_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected source sim without an argument, got '5'"):
        load_data("sim:5", preset("tiny"), SimConfig())


@pytest.fixture(scope="module")
def shop_rows() -> dict[str, Rows]:
    options = SimConfig(seed=3, shoppers=60, garments=20, brands=4, orders=300)
    return dict(load_data("sim", preset("tiny"), options).splits)


def test_the_simulated_shop_fills_every_part_of_the_preset(shop_rows: dict[str, Rows]) -> None:
    config = preset("tiny")
    for rows in shop_rows.values():
        assert set(rows.parts) == {part for part in config.parts if PARTS[part].owner != "derived"}
        assert rows.parts["person_mask"].values.shape[1:] == (48, 32)
        assert rows.parts["garment_image"].values.shape[1:] == (32, 32, 3)
        assert set(np.unique(rows.targets["fit"])) <= {-1, 0, 1, 2}
        assert not np.isnan(rows.targets["match"]).any()
        assert (rows.targets["category"] >= 0).all()
        assert rows.targets["body"].shape == (len(rows), 9)


def test_fitted_and_scored_people_differ(shop_rows: dict[str, Rows]) -> None:
    assert not set(shop_rows["train"].extra["shopper"]) & set(shop_rows["val"].extra["shopper"])
    assert 200 < sum(len(rows) for rows in shop_rows.values()) < 300


def test_nobody_is_fitted_on_a_brand_set_aside(shop_rows: dict[str, Rows]) -> None:
    assert set(shop_rows["train"].extra["group_brand"]) == {"seen"}
    assert 0 < (shop_rows["val"].extra["group_brand"] == "unseen").mean() < 0.6


def test_a_brand_set_aside_has_the_fit_history_that_a_shop_would_have(shop_rows: dict[str, Rows]) -> None:
    rows = shop_rows["val"]
    column = rows.parts["history"]
    counts = column.values[column.index][:, HISTORY_FIELDS.index("garment_log_count")]
    unseen = rows.extra["group_brand"] == "unseen"
    assert counts[unseen].mean() > 0.5 * counts[~unseen].mean() > 0


def test_oracle_probabilities_come_with_the_rows(shop_rows: dict[str, Rows]) -> None:
    rows = shop_rows["val"]
    np.testing.assert_allclose(rows.extra["oracle_fit"].sum(axis=1), 1)
    assert ((rows.extra["oracle_match"] >= 0) & (rows.extra["oracle_match"] <= 1)).all()

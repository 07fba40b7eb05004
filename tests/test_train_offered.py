"""The right size among those on offer: the service's own choice, two baselines, and what the simulated shop tells of both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from train.config import TrainConfig
from train.data.labels import typical_girth
from train.data.sim import Shop, SimConfig, build_shop
from train.evaluate import evaluate
from train.loop import build_model
from train.offered import Offered, first_of, size_scores
from train.rows import Rows, halves
from train.sim_rows import sim_data
from train.sources import Data
from tryon_core.batch import HISTORY_FIELDS, SIZE_FIELDS, Column
from tryon_core.errors import ConfigError
from tryon_core.presets import preset

OPTIONS = SimConfig(seed=4, shoppers=240, garments=20, brands=4, orders=1500)


@pytest.fixture(scope="module")
def data() -> Data:
    return sim_data(preset("tiny"), OPTIONS, ("train", "val"))


@pytest.fixture(scope="module")
def shop() -> Shop:
    return build_shop(OPTIONS)


def _offered(right: list[int], sizes: int = 4) -> Offered:
    """Orders of garments in so many sizes, of which the numbered one was right."""
    num = len(right) * sizes
    one_hot = np.eye(sizes)[right].ravel()
    size = Column(np.zeros((1, len(SIZE_FIELDS)), np.float32), np.zeros(num, np.int64))
    row = np.repeat(np.arange(len(right)) * 3, sizes)
    return Offered(
        row, size, None, one_hot > 0, np.tile([3.0, 2, 1, 0], len(right)), np.tile([0.0, 5, 1, 0], len(right)), one_hot
    )


def test_the_size_returned_is_the_one_most_likely_to_fit() -> None:
    order = np.array([0, 0, 0, 1, 1])
    assert first_of(order, np.array([0.1, 0.7, 0.6, 0.2, 0.9])).tolist() == [1, 4]
    assert first_of(order, np.array([-1.0, -7.0, -6.0, -2.0, -2.0])).tolist() == [0, 3]


def test_top_one_counts_the_orders_whose_right_size_comes_first() -> None:
    offered = _offered([0, 1, 1, 3])
    fitness = np.eye(4)[[0, 1, 2, 3]].ravel()
    found = size_scores(fitness, offered, np.arange(100), num_resamples=50)
    assert found["num"] == 4
    assert found["num_sizes"] == 4
    assert found["top1"] == {"model": 0.75, "usual": 0.25, "most_kept": 0.5, "oracle": 1.0}
    assert found["best"] == {"model": 0.75, "usual": 0.25, "most_kept": 0.5}
    assert found["fits"]["model"] == 0.75
    assert found["interval"]["top1"]["oracle"] == (1.0, 1.0)
    low, high = found["interval"]["top1"]["model"]
    assert low < 0.75 < high


def test_without_truth_only_the_size_that_was_ordered_is_asked_for() -> None:
    found = size_scores(np.ones(8), replace(_offered([0, 1]), oracle=None), np.arange(9))
    assert set(found) == {"num", "num_sizes", "top1"}


def test_the_simulated_shop_offers_every_size_of_what_was_kept_and_fitted(data: Data, shop: Shop) -> None:
    offered = data.offered["val"]
    _, scored = halves(data.splits["val"])
    assert (scored.targets["fit"][offered.row] == 1).all()
    assert (scored.targets["match"][offered.row] == 1).all()
    assert (
        np.unique(offered.row).tolist()
        == np.flatnonzero((scored.targets["fit"] == 1) & (scored.targets["match"] == 1)).tolist()
    )
    assert offered.right.sum() == len(np.unique(offered.row))


def test_the_offer_that_was_ordered_is_the_orders_own_row(data: Data) -> None:
    offered = data.offered["val"]
    _, scored = halves(data.splits["val"])
    rows = offered.rows(scored)
    for part in ("size", "history"):
        own, theirs = scored.parts[part], rows.parts[part]
        np.testing.assert_array_equal(
            theirs.values[theirs.index[offered.right]], own.values[own.index[offered.row[offered.right]]]
        )
    assert offered.oracle is not None
    np.testing.assert_allclose(offered.oracle[offered.right], scored.extra["oracle_fit"][offered.row[offered.right], 1])


def test_sizes_of_one_offer_share_the_garments_history_and_not_their_own(data: Data) -> None:
    offered = data.offered["val"]
    assert offered.history is not None
    values = offered.history.values[offered.history.index]
    whole = [HISTORY_FIELDS.index(name) for name in ("garment_log_count", "shopper_log_count")]
    own = HISTORY_FIELDS.index("garment_size_log_count")
    differs = 0
    for row in np.unique(offered.row):
        sizes = values[offered.row == row]
        assert np.ptp(sizes[:, whole], axis=0).max() == 0
        differs += int(np.ptp(sizes[:, own]) > 0)
    assert differs > 0.9 * len(np.unique(offered.row))


def test_the_most_kept_size_is_counted_before_the_order(data: Data, shop: Shop) -> None:
    offered, orders = data.offered["val"], shop.orders
    val = np.flatnonzero(shop.holdout[orders.shopper])
    scored = val[~data.splits["val"].extra["calibrate"]]
    styles = np.array([own.style_id for own in shop.garments])
    for row in np.unique(offered.row)[::7]:
        order = scored[row]
        before = np.arange(len(orders)) < order
        same = before & (styles[orders.garment] == styles[orders.garment[order]]) & (orders.kept == 1)
        counts = np.bincount(orders.size[same], minlength=(offered.row == row).sum())
        np.testing.assert_allclose(offered.kept[offered.row == row], counts, atol=1.1e-3)


def test_the_usual_size_is_the_nearest_by_a_typical_brands_chart(data: Data, shop: Shop) -> None:
    assert typical_girth("women", "M") == pytest.approx(np.mean([92.0, 83.5, 99.5]))
    assert typical_girth("women", "EU 42") > typical_girth("women", "EU 40")
    with pytest.raises(ConfigError, match="size label of men"):
        typical_girth("men", "US 0")
    offered = data.offered["val"]
    _, scored = halves(data.splits["val"])
    nearest = first_of(np.unique(offered.row, return_inverse=True)[1], offered.usual)
    assert np.abs(offered.usual[nearest]).mean() < 4
    person = shop.shoppers[int(scored.extra["shopper"][offered.row[nearest[0]]])]
    assert person.usual_size


def test_calibrated_and_scored_people_differ_and_are_about_as_many(data: Data) -> None:
    apart, scored = halves(data.splits["val"])
    assert not set(apart.extra["shopper"]) & set(scored.extra["shopper"])
    assert len(apart) + len(scored) == len(data.splits["val"])
    assert 0.3 < len(apart) / len(data.splits["val"]) < 0.7
    train = data.splits["train"]
    assert halves(train) == (train, train)


def test_rows_that_tell_nobody_apart_are_all_calibrated_on_and_scored() -> None:
    rows = Rows({}, {"fit": np.zeros(4, np.int64)})
    assert halves(rows) == (rows, rows)


def test_an_evaluation_of_the_shop_tells_groups_and_sizes_and_both_oracles(data: Data) -> None:
    model = build_model(TrainConfig(model=preset("tiny")), data.splits["train"])
    _, scored = halves(data.splits["val"])
    found = evaluate(model, scored, offered=data.offered["val"], num_resamples=10)
    assert {"sex", "size", "bmi", "brand", "category", "garment_events", "shopper_events"} == set(found["by_group"])
    assert found["size"]["top1"]["oracle"] > found["size"]["top1"]["usual"]
    assert found["fit"]["oracle"]["nll"] < found["fit"]["oracle_blind"]["nll"] < found["fit"]["prior"]["nll"]
    assert {"nll_gain_share", "nll_gain_share_blind"} <= set(found["fit"]["interval"]) & set(
        found["by_parts"]["both"]["fit"]
    )

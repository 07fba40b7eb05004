from __future__ import annotations

import numpy as np
import pytest

from train.data.faults import blemish
from train.data.figures import render_mask
from train.data.sim import SimConfig, build_shop
from tryon_core.person import frame_mask

PEOPLE = 40


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float(((one > 0) & (other > 0)).sum() / ((one > 0) | (other > 0)).sum())


@pytest.fixture(scope="module")
def silhouettes() -> list[np.ndarray]:
    shop = build_shop(SimConfig(seed=3, shoppers=PEOPLE, garments=10, brands=3, orders=20))
    return [render_mask(shop.bodies.row(at), shop.shoppers[at].view, 384, 256) for at in range(PEOPLE)]


def test_a_blemished_mask_is_still_almost_the_person_and_seldom_quite(silhouettes: list[np.ndarray]) -> None:
    faulty = [blemish(person, np.random.default_rng(at)) for at, person in enumerate(silhouettes)]
    shares = [overlap(*pair) for pair in zip(silhouettes, faulty, strict=True)]
    assert min(shares) > 0.9
    assert 0.96 < np.median(shares) < 0.99
    assert {value for mask in faulty for value in np.unique(mask)} == {0, 255}


def test_nothing_appears_away_from_the_person(silhouettes: list[np.ndarray]) -> None:
    for seed, person in enumerate(silhouettes):
        framed = frame_mask(blemish(person, np.random.default_rng(100 + seed)), 96, 64)
        assert overlap(framed, frame_mask(person, 96, 64)) > 0.8


def test_narrow_gaps_are_closed_more_often_than_wide_ones() -> None:
    mask = np.zeros((384, 256), np.uint8)
    mask[20:360, 60:200] = 255
    mask[100:300, 90:92] = 0
    mask[100:300, 150:165] = 0
    seen = [blemish(mask, np.random.default_rng(seed)) > 0 for seed in range(30)]
    narrow, wide = (float(np.mean([m[110:290, a:b].mean() for m in seen])) for a, b in ((90, 92), (150, 165)))
    assert narrow > 0.4
    assert wide < 0.1


def test_the_same_gap_is_closed_more_often_beside_the_trunk_than_between_the_legs() -> None:
    mask = np.zeros((384, 256), np.uint8)
    mask[20:360, 60:200] = 255
    mask[60:340, 128:131] = 0
    seen = np.stack([blemish(mask, np.random.default_rng(seed)) > 0 for seed in range(60)])[:, :, 129]
    above, below = seen[:, 80:180].mean(), seen[:, 230:320].mean()
    assert 0.4 < above < 0.9
    assert 0.05 < below < above - 0.15


def test_an_empty_mask_stays_empty_and_a_generator_decides_all() -> None:
    assert not blemish(np.zeros((96, 64), np.uint8), np.random.default_rng(0)).any()
    mask = np.zeros((96, 64), np.uint8)
    mask[10:80, 20:40] = 255
    np.testing.assert_array_equal(blemish(mask, np.random.default_rng(5)), blemish(mask, np.random.default_rng(5)))


@pytest.fixture(scope="module")
def faulty_blocks() -> tuple[np.ndarray, np.ndarray]:
    """A block, bool[H, W], and 1500 of its blemished masks, bool[1500, H, W]."""
    mask = np.zeros((120, 60), np.uint8)
    mask[10:110, 15:45] = 255
    return mask > 0, np.stack([blemish(mask, np.random.default_rng(seed)) for seed in range(1500)]) > 0


def test_about_one_mask_in_a_hundred_ends_above_the_feet(faulty_blocks: tuple[np.ndarray, np.ndarray]) -> None:
    _, faulty = faulty_blocks
    ends = 120 - np.argmax(faulty[:, ::-1].any(axis=2), axis=1)
    lost = ends < 109
    assert 0.003 < lost.mean() < 0.02
    assert ends[lost].min() >= 105  # of a body of 100 pixels at most 4 are lost, beside the edge's own restlessness


def test_a_few_masks_have_a_hole_and_a_few_a_spot_on_the_edge(faulty_blocks: tuple[np.ndarray, np.ndarray]) -> None:
    block, faulty = faulty_blocks
    deep = np.zeros_like(block)
    deep[15:105, 20:40] = True
    holed = (~faulty & deep).any(axis=(1, 2)).mean()
    beyond = np.ones_like(block)
    beyond[9:111, 14:46] = False
    added = (faulty & beyond).any(axis=(1, 2)).mean()
    assert 0.005 < holed < 0.035
    assert 0.001 < added < 0.03


def test_an_edge_is_moved_by_nothing_on_average_and_not_everywhere_alike(
    faulty_blocks: tuple[np.ndarray, np.ndarray],
) -> None:
    large = np.zeros((1200, 600), np.uint8)
    large[100:1100, 150:450] = 255
    widths = np.stack([(blemish(large, np.random.default_rng(seed))[200:1000] > 0).sum(axis=1) for seed in range(40)])
    wider = widths.mean(axis=1) - 300
    assert abs(wider.mean()) < 0.4
    assert 0.3 < wider.std() < 1.2  # 2 x 0.0003 of 1000 pixels, and what is left of the restlessness
    assert 0.8 < np.median(widths.std(axis=1)) < 3.0

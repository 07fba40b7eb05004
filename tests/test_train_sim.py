"""The simulated shop is learnable, its oracle is known, and one seed gives one shop in every process and order of calls."""

import functools
import hashlib
import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from train.data.sim import Shop, SimConfig, build_shop, image_of, mask_of, photo_of, truth
from tryon_core.errors import ConfigError, InputError

SMALL = SimConfig(seed=5, shoppers=60, garments=40, brands=6, orders=400)


@functools.cache
def shop() -> Shop:
    return build_shop(SimConfig(seed=1, shoppers=2_000, garments=600, orders=30_000))


def auc(score: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    ranks = np.argsort(np.argsort(score))
    num = positive.sum()
    return float((ranks[positive].sum() - num * (num - 1) / 2) / (num * (~positive).sum()))


def test_the_share_of_fits_and_the_oracles_score_are_as_designed() -> None:
    orders = shop().orders
    told = orders.fit >= 0
    fit, oracle = orders.fit[told], orders.oracle_fit[told]
    assert 0.65 < (fit == 1).mean() < 0.80
    assert min((fit == 0).mean(), (fit == 2).mean()) > 0.08
    assert 0.85 < np.mean([auc(oracle[:, code], fit == code) for code in range(3)]) < 0.92


def test_the_oracle_is_calibrated() -> None:
    orders = shop().orders
    for low in np.arange(0, 1, 0.2):
        rows = (orders.oracle_kept >= low) & (orders.oracle_kept < low + 0.2)
        if rows.sum() > 500:
            assert orders.kept[rows].mean() == pytest.approx(orders.oracle_kept[rows].mean(), abs=0.04)
    told = orders.fit >= 0
    outcome = np.eye(3)[orders.fit[told]]
    np.testing.assert_allclose(outcome.mean(axis=0), orders.oracle_fit[told].mean(axis=0), atol=0.012)


def test_a_larger_size_is_never_more_often_too_small() -> None:
    for row in range(40):
        num = len(shop().garments[row].sizes)
        fit, kept = truth(shop(), np.full(num, row), np.full(num, row), np.arange(num))
        np.testing.assert_allclose(fit.sum(axis=1), 1)
        assert (np.diff(fit[:, 0]) <= 0).all()
        assert (np.diff(fit[:, 2]) >= 0).all()
        assert ((kept > 0) & (kept < 1)).all()


def test_the_truth_of_an_order_is_its_oracle_and_a_size_too_many_is_refused() -> None:
    orders = shop().orders
    fit, kept = truth(shop(), orders.shopper[:500], orders.garment[:500], orders.size[:500])
    np.testing.assert_array_equal(fit, orders.oracle_fit[:500])
    np.testing.assert_array_equal(kept, orders.oracle_kept[:500])
    with pytest.raises(InputError, match="size"):
        truth(shop(), np.array([0]), np.array([0]), np.array([99]))


def test_orders_are_dated_mostly_in_their_department_and_enough_are_the_wrong_size() -> None:
    orders, garments = shop().orders, shop().garments
    assert (np.diff(orders.day) >= 0).all()
    sexes = np.array([shopper.sex for shopper in shop().shoppers])[orders.shopper]
    departments = np.array([garment.department for garment in garments])[orders.garment]
    astray = (sexes == "female") != (departments == "women")
    assert 0.03 < astray.mean() < 0.15
    assert orders.oracle_kept[astray].mean() < orders.oracle_kept[~astray].mean() - 0.15
    assert (orders.fit == -1).mean() == pytest.approx(0.25, abs=0.02)
    assert 0.08 < (orders.oracle_fit[:, 1] < 0.3).mean() < 0.4
    assert all(len(garments[garment].sizes) > size for garment, size in zip(orders.garment, orders.size, strict=True))


def test_some_charts_are_missing_and_hidden_offsets_are_shared_by_a_styles_colours() -> None:
    garments = shop().garments
    charted = np.mean([bool(garment.sizes[0][1]) for garment in garments])
    assert 0.72 < charted < 0.88
    hidden: dict[str, set[float]] = {}
    for garment in garments:
        hidden.setdefault(garment.style_id, set()).add(garment.hidden)
    assert all(len(values) == 1 for values in hidden.values())
    assert len(hidden) < len(garments) == len({garment.id for garment in garments})


def test_held_out_people_are_a_known_share() -> None:
    assert shop().holdout.shape == (2_000,)
    assert shop().holdout.mean() == pytest.approx(0.15, abs=0.03)


def test_brands_set_aside_are_whole_and_a_known_share() -> None:
    numbers = np.array([garment.brand_number for garment in shop().garments])
    aside, kept = set(numbers[shop().unseen].tolist()), set(numbers[~shop().unseen].tolist())
    assert not aside & kept
    assert len(aside) == 12
    names = {garment.brand_number: garment.brand for garment in shop().garments}
    assert len(set(names.values())) == len(names)


def test_cameras_set_aside_photograph_held_out_people_and_nobody_else() -> None:
    used = {
        held: {id(s.view.rig) for s, h in zip(shop().shoppers, shop().holdout, strict=True) if h == held}
        for held in (True, False)
    }
    assert not used[True] & used[False]
    assert (len(used[True]), len(used[False])) == (8, 32)


@pytest.mark.parametrize(("num", "share", "aside"), [(1, 0.2, 0), (4, 0.1, 1), (10, 0.0, 0), (10, 1.0, 9)])
def test_something_is_set_aside_and_never_all(num: int, share: float, aside: int) -> None:
    built = build_shop(SimConfig(seed=2, shoppers=3, garments=60, orders=3, brands=num, unseen_share=share))
    assert len({g.brand_number for g, unseen in zip(built.garments, built.unseen, strict=True) if unseen}) == aside


def test_a_cloth_that_gives_is_less_often_called_small() -> None:
    orders, stretch = shop().orders, np.array([garment.fabric.stretch for garment in shop().garments])
    stiff, soft = ((orders.fit >= 0) & rows for rows in (stretch[orders.garment] == 0, stretch[orders.garment] > 0.6))
    assert (orders.fit[soft] == 0).mean() < 0.6 * (orders.fit[stiff] == 0).mean()


def test_about_half_of_the_orders_come_back_and_what_is_not_wanted_almost_always() -> None:
    orders = shop().orders
    assert 0.4 < orders.kept.mean() < 0.55
    avoids = [set(shop().shoppers[at].avoids) for at in orders.shopper]
    traits = [{g.colour, g.cut, g.pattern} for g in (shop().garments[at] for at in orders.garment)]
    against = np.array([bool(avoided & has) for avoided, has in zip(avoids, traits, strict=True)])
    assert orders.kept[against].mean() < 0.6 * orders.kept[~against].mean()
    assert auc(orders.oracle_kept, orders.kept == 1) > 0.82


def test_pictures_do_not_depend_on_the_order_of_calls_and_takes_differ() -> None:
    first, second = build_shop(SMALL), build_shop(SMALL)
    forwards = [(mask_of(first, at, 96, 64), photo_of(first, at, 96, 64), image_of(first, at, 48)) for at in range(4)]
    backwards = [
        (mask_of(second, at, 96, 64), photo_of(second, at, 96, 64), image_of(second, at, 48)) for at in (3, 2, 1, 0)
    ]
    for ours, theirs in zip(forwards, reversed(backwards), strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    assert np.mean(mask_of(first, 0, take=1) != mask_of(first, 0)) > 0.01


def test_another_process_builds_the_same_shop_and_another_seed_another_one() -> None:
    code = (
        "from tests.test_train_sim import SMALL, digest; from train.data.sim import build_shop;"
        "print(digest(build_shop(SMALL)))"
    )
    code = code if __name__.startswith("tests.") else code.replace("tests.test_train_sim", __name__)
    path = [entry for entry in sys.path if entry]
    script = f"import sys; sys.path[:0] = {path!r}; {code}"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == digest(build_shop(SMALL))
    other = build_shop(SimConfig(seed=6, shoppers=60, garments=40, brands=6, orders=400))
    assert digest(other) != run.stdout.strip()


def digest(built: Shop) -> str:
    """Return a hash of everything in a small shop."""
    total = hashlib.sha256()
    for array in (
        built.bodies.values,
        *vars(built.orders).values(),
        built.holdout,
        built.unseen,
        mask_of(built, 3),
        image_of(built, 2),
    ):
        total.update(np.ascontiguousarray(array).tobytes())
    total.update(repr((built.shoppers, built.garments)).encode())
    return total.hexdigest()


def test_configs_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="orders"):
        SimConfig(orders=0)
    with pytest.raises(ConfigError, match="holdout_share"):
        SimConfig(holdout_share=1.5)

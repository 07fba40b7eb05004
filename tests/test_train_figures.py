"""A figure tells the body's shape and never its scale, and a photo and a mask of one view are one person."""

import dataclasses
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from train.data.anatomy import _torso, outlines
from train.data.bodies import TRAITS, draw_bodies
from train.data.figures import render_mask, render_photo
from train.data.poses import Arm
from train.data.views import View, draw_view

Array = npt.NDArray[np.float64]


PARTS = ("chest", "waist", "hip")
AWAY = Arm(raised_rad=0.6, elbow_rad=0.0, place="beside")
PLAIN = {"fall": (0.0, 0.0), "floor": None, "things": (), "shadow": 0.0}


def standing(view: View, **pose: Any) -> View:
    """The same view in trousers, standing otherwise."""
    outfit = dataclasses.replace(view.outfit, bottoms="trousers")
    return dataclasses.replace(view, outfit=outfit, pose=dataclasses.replace(view.pose, **pose))


def wearing(view: View, **outfit: Any) -> View:
    return dataclasses.replace(view, outfit=dataclasses.replace(view.outfit, **outfit))


def crop(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_a_body_scaled_by_a_constant_has_the_same_mask(factor: float) -> None:
    rng = np.random.default_rng(0)
    body, view = draw_bodies(1, rng).row(0), draw_view(rng, True)
    scaled = {name: factor * value for name, value in body.items()}
    assert np.mean(crop(render_mask(body, view)) != crop(render_mask(scaled, view))) < 1e-3


def test_no_girth_and_no_weight_enters_the_drawing() -> None:
    rng = np.random.default_rng(1)
    body, view = draw_bodies(1, rng).row(0), draw_view(rng, False)
    unseen = ("weight_kg", "chest_cm", "waist_cm", "hip_cm", "thigh_cm", "neck_cm", "calf_cm", "ankle_cm", "wrist_cm")
    other = {name: 2 * value if name in unseen else value for name, value in body.items()}
    assert set(unseen) < set(TRAITS)
    np.testing.assert_array_equal(render_mask(body, view), render_mask(other, view))


def test_a_mask_is_one_person_inside_the_picture() -> None:
    rng = np.random.default_rng(2)
    bodies = draw_bodies(60, rng)
    for row in range(60):
        mask = render_mask(bodies.row(row), draw_view(rng, bodies.sex[row] == 0), 192, 128)
        assert mask.shape == (192, 128)
        assert set(np.unique(mask)) == {0, 255}
        border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert not border.any()
        assert 0.04 < (mask > 0).mean() < 0.5
        assert crop(mask).any(axis=1).all()


def test_a_wider_waist_and_hip_make_a_wider_figure() -> None:
    rng = np.random.default_rng(3)
    body = draw_bodies(1, rng, female_share=1).row(0)
    view = standing(draw_view(rng, True), turn_rad=0.0, arms=(AWAY, AWAY))
    wide = {name: value * (1.25 if name.startswith(("waist_b", "hip_b")) else 1) for name, value in body.items()}
    slim_mask, wide_mask = crop(render_mask(body, view)), crop(render_mask(wide, view))
    assert (wide_mask > 0).sum() > 1.03 * (slim_mask > 0).sum()


def test_turning_a_body_that_is_deeper_than_broad_widens_it() -> None:
    rng = np.random.default_rng(4)
    body = draw_bodies(1, rng).row(0)
    view = standing(draw_view(rng, True), turn_rad=0.0)
    deep = {name: value * (2 if "depth" in name else 1) for name, value in body.items()}
    np.testing.assert_array_equal(render_mask(body, view), render_mask(deep, view))
    turned = standing(view, turn_rad=0.35)
    assert (render_mask(deep, turned) > 0).sum() > (render_mask(body, turned) > 0).sum()


def test_a_difference_from_the_background_finds_the_mask_in_the_photo() -> None:
    rng = np.random.default_rng(5)
    bodies = draw_bodies(30, rng)
    for row in range(30):
        view = draw_view(rng, bodies.sex[row] == 0)
        view = dataclasses.replace(wearing(view, bag=False), scene=dataclasses.replace(view.scene, **PLAIN))
        photo = render_photo(bodies.row(row), view, 192, 128).astype(np.float64)
        mask = render_mask(bodies.row(row), view, 192, 128) > 0
        wall = np.stack([np.median(photo[:, [0, 1, 2, -3, -2, -1]], axis=1)] * 128, axis=1)
        found = np.abs(photo - wall).max(axis=2) > 30
        assert (found & mask).sum() / (found | mask).sum() > 0.93


def test_looser_and_boxier_clothes_and_jackets_widen_the_figure() -> None:
    rng = np.random.default_rng(8)
    body = draw_bodies(1, rng, female_share=1).row(0)
    view = wearing(standing(draw_view(rng, True), arms=(AWAY, AWAY)), looseness=0.0, boxiness=0.0, jacket=False)
    close = (crop(render_mask(body, view)) > 0).sum()
    for other in ({"looseness": 0.15}, {"boxiness": 1.0}, {"jacket": True, "sleeves": "long"}):
        assert (crop(render_mask(body, wearing(view, **other))) > 0).sum() > 1.005 * close, other


def test_heels_lengthen_a_figure_and_nothing_else_does_so_by_as_much() -> None:
    rng = np.random.default_rng(9)
    body = draw_bodies(1, rng, female_share=1).row(0)
    view = wearing(draw_view(rng, True), hairdo="short", lift=0.0, barefoot=True)
    heeled = wearing(view, lift=0.05, barefoot=False)
    for wears, tall in ((view, 1.0), (heeled, 1.05)):
        shape = {name: value / body["height_cm"] for name, value in body.items()}
        reach = np.concatenate([outline for _, outline in outlines(shape, wears.pose, wears.outfit)])[:, 1]
        assert reach.max() == pytest.approx(tall + 0.006, abs=0.01)
        assert reach.min() > -0.05


def test_an_arm_behind_the_back_hides_and_a_hand_on_the_hip_sticks_out() -> None:
    rng = np.random.default_rng(10)
    body = draw_bodies(1, rng, female_share=0).row(0)
    view = wearing(draw_view(rng, False), boxiness=0.0)
    beside, hip = Arm(raised_rad=0.3, elbow_rad=0.0, place="beside"), Arm(raised_rad=0.75, elbow_rad=1.8, place="front")
    behind = Arm(raised_rad=0.2, elbow_rad=0.75, place="behind")
    widths = [
        crop(render_mask(body, standing(view, arms=(arm, arm), turn_rad=0.0))).any(axis=0).sum()
        for arm in (behind, beside, hip)
    ]
    assert widths[0] < widths[1]
    assert widths[0] < widths[2]


def test_most_people_come_in_clothes_that_fit_closely_and_hold_their_arms_aside() -> None:
    rng = np.random.default_rng(11)
    views = [draw_view(rng, at % 2 == 0) for at in range(2_000)]
    assert 0.01 < np.median([view.outfit.looseness for view in views]) < 0.03
    assert 0.03 < np.mean([view.outfit.looseness > 0.06 for view in views]) < 0.2
    assert 0.03 < np.mean([view.outfit.boxiness > 0.3 for view in views]) < 0.2
    assert np.mean([arm.place == "beside" for view in views for arm in view.pose.arms]) > 0.9
    assert {arm.place for view in views for arm in view.pose.arms} == {"beside", "front", "behind"}


def test_a_perfect_look_at_the_clothed_and_turned_tells_girths_nearly_as_well_as_true_breadths() -> None:
    """The trunk's outline as it is drawn, of a height that is known: what no model can beat is near what it is measured by."""
    rng, num = np.random.default_rng(14), 3_000
    people = draw_bodies(num, rng, spread=1.1)
    known = np.stack([people.sex, people.column("height_cm"), people.column("weight_kg")], axis=1).astype(float)
    breadths = np.stack([people.column(f"{part}_breadth_cm") for part in PARTS], axis=1).astype(float)
    seen = np.array([seen_widths(people.row(at), draw_view(rng, people.sex[at] == 0)) for at in range(num)])
    for part, at_most in zip(PARTS, (1.1, 1.15, 1.12), strict=True):
        girth = people.column(f"{part}_cm").astype(float)
        floor, best, words = (error_cm(inputs, girth, known) for inputs in (breadths, seen, breadths[:, :0]))
        assert best < at_most * floor
        assert best < 0.9 * words


def seen_widths(body: dict[str, float], view: View) -> list[float]:
    """How wide the trunk is drawn at the heights of chest, waist and hip, cm."""
    shape = {name: value / body["height_cm"] for name, value in body.items()}
    trunk = [outline for role, outline in _torso(shape, view.pose, view.outfit) if role in ("top", "bottom")][-2:]
    points = np.concatenate(trunk)
    heights = (shape[f"{part}_height_cm"] for part in PARTS)
    near = [points[np.abs(points[:, 1] - height) < 0.02, 0] for height in heights]
    return [float(np.ptp(x)) * body["height_cm"] / (1 + view.outfit.lift) for x in near]


def error_cm(inputs: Array, girth: Array, known: Array) -> float:
    """The mean absolute error of a regression, fitted on two thirds, per sex."""
    whole = np.column_stack([inputs, known, np.ones(len(girth))])
    whole = np.column_stack([whole, whole * known[:, :1]])
    fitted = np.arange(len(girth)) < 2 * len(girth) // 3
    weights = np.linalg.lstsq(whole[fitted], girth[fitted], rcond=None)[0]
    return float(np.abs(whole[~fitted] @ weights - girth[~fitted]).mean())


def test_a_bag_is_no_part_of_the_person() -> None:
    rng = np.random.default_rng(12)
    body = draw_bodies(1, rng).row(0)
    view = wearing(standing(draw_view(rng, True), arms=(AWAY, AWAY)), bag=False)
    bagged = wearing(view, bag=True)
    np.testing.assert_array_equal(render_mask(body, view), render_mask(body, bagged))
    assert np.mean(render_photo(body, view) != render_photo(body, bagged)) > 0.005


def test_light_from_one_side_makes_that_side_of_the_person_lighter() -> None:
    rng = np.random.default_rng(13)
    body = draw_bodies(1, rng).row(0)
    view = standing(draw_view(rng, True), arms=(AWAY, AWAY), sway=0.0)
    scene = dataclasses.replace(view.scene, **{**PLAIN, "light": -1.0})
    view = dataclasses.replace(view, scene=scene)
    photo, mask = render_photo(body, view, 192, 128).astype(float), render_mask(body, view, 192, 128) > 0
    columns = np.flatnonzero(mask[120])
    legs = photo[120, columns].mean(axis=1)
    assert legs[1] > legs[-2]


def test_a_silhouette_tells_how_heavy_a_person_is_for_their_height() -> None:
    rng = np.random.default_rng(6)
    bodies = draw_bodies(300, rng, female_share=0)
    filled = np.zeros(300)
    for row in range(300):
        mask = crop(render_mask(bodies.row(row), draw_view(rng, False), 128, 96))
        filled[row] = (mask > 0).sum() / mask.shape[0] ** 2
    bmi = bodies.column("weight_kg") / (bodies.column("height_cm") / 100) ** 2
    assert np.corrcoef(filled, bmi)[0, 1] > 0.7


def test_a_mask_is_drawn_in_a_few_milliseconds() -> None:
    rng = np.random.default_rng(7)
    body, view = draw_bodies(1, rng).row(0), draw_view(rng, True)
    render_mask(body, view)
    start = time.process_time()
    for _ in range(50):
        render_mask(body, view)
    assert (time.process_time() - start) / 50 < 0.015

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.drawn import figure
from train.data.figures import render_mask, render_photo
from tryon_core.pose import Circle, Detection, Pose, pose_model
from tryon_core.usability import fault_of

HEIGHT, WIDTH = 640, 480
NOSE, LEFT_ANKLE, RIGHT_ANKLE = 0, 27, 28


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return render_photo(*figure(), HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return render_mask(*figure(), HEIGHT, WIDTH)


def seen(photo: np.ndarray) -> Pose:
    model = pose_model()
    return model.pose(photo, model.detect(photo)[0])


def test_a_rendered_person_is_detected_once_around_the_hips(photo: np.ndarray, truth: np.ndarray) -> None:
    (person,) = pose_model().detect(photo)
    rows = np.flatnonzero(truth.any(axis=1))
    assert person.score > 0.5
    assert person.circle.radius_px == pytest.approx(len(rows) / 2, rel=0.25)
    assert person.circle.hips[0] == pytest.approx(WIDTH / 2, abs=0.05 * WIDTH)


def test_landmarks_lie_on_the_head_and_the_feet_which_are_in_the_picture(photo: np.ndarray, truth: np.ndarray) -> None:
    pose, rows = seen(photo), np.flatnonzero(truth.any(axis=1))
    assert rows[0] < pose.points[NOSE][1] < rows[0] + 0.15 * len(rows)
    assert (pose.points[[LEFT_ANKLE, RIGHT_ANKLE], 1] > rows[0] + 0.88 * len(rows)).all()
    assert (pose.present[[NOSE, LEFT_ANKLE, RIGHT_ANKLE]] > 0.9).all()
    assert abs(pose.points[LEFT_ANKLE][0] - pose.points[RIGHT_ANKLE][0]) > 0.05 * len(
        rows
    )  # a figure without a face has no left


def test_a_person_turned_on_the_side_is_seen_upright(photo: np.ndarray) -> None:
    pose = seen(np.ascontiguousarray(np.rot90(photo)))
    mask = pose.mask >= 128
    assert np.ptp(np.flatnonzero(mask.any(axis=1))) > np.ptp(np.flatnonzero(mask.any(axis=0)))


def test_a_look_that_was_aimed_too_low_and_small_is_followed_by_one_that_has_the_feet(
    photo: np.ndarray, truth: np.ndarray
) -> None:
    model = pose_model()
    (person,) = model.detect(photo)
    hips, reach = person.circle.hips, person.circle.reach
    short = replace(person, circle=Circle(hips, hips + 0.75 * (reach - hips)))
    mask = model.pose(photo, short)
    laid = mask.laid_out(mask.mask, HEIGHT, WIDTH) > 0
    assert (laid & (truth > 0)).sum() / (laid | (truth > 0)).sum() > 0.93


def test_someone_who_fills_the_picture_and_beyond_is_found_from_farther_off() -> None:
    body, view = figure()
    photo = render_photo(body, replace(view, fill=0.99), 420, 200)
    assert pose_model().detect(photo)


def test_a_mask_of_the_view_is_laid_where_it_was_seen(photo: np.ndarray) -> None:
    pose = seen(photo)
    everywhere = pose.laid_out(np.full((256, 256), 255, np.uint8), HEIGHT, WIDTH) > 0
    corner = pose.view @ np.array([128.0, 128.0, 1.0])
    assert everywhere[int(corner[1]), int(corner[0])]
    radius = pose.circle.radius_px
    assert everywhere.sum() == pytest.approx(min(WIDTH, 2.5 * radius) * min(HEIGHT, 2.5 * radius), rel=0.25)


@pytest.mark.parametrize(
    "circle",
    [
        Circle(np.array([5.0, 5.0]), np.array([5.0, 5.0])),
        Circle(np.array([np.nan, 5.0]), np.array([5.0, 5.0])),
        Circle(np.array([5.0, 5.0]), np.array([5.0, np.inf])),
        Circle(np.array([1e7, 5.0]), np.array([5.0, 5.0])),
    ],
    ids=["a point", "nowhere", "without end", "far outside"],
)
@pytest.mark.filterwarnings("error")
def test_where_there_is_nothing_to_look_at_there_is_nobody(photo: np.ndarray, circle: Circle) -> None:
    pose = pose_model().pose(photo, Detection(1.0, np.zeros(4), circle))
    assert fault_of(pose, HEIGHT, WIDTH, alone=True) == "no_person"
    assert not pose.laid_out(pose.mask, HEIGHT, WIDTH).any()


def test_threads_that_share_the_networks_see_what_one_alone_sees(photo: np.ndarray) -> None:
    photos = [photo, np.ascontiguousarray(photo[:, ::-1]), np.asarray(Image.fromarray(photo).rotate(5))]
    alone = [seen(one).mask for one in photos]
    with ThreadPoolExecutor(3) as pool:
        for one, other in zip(alone, pool.map(lambda p: seen(p).mask, photos), strict=True):
            assert np.mean(np.abs(one.astype(int) - other)) < 0.05

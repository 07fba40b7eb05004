from __future__ import annotations

import tracemalloc
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from tests.drawn import figure as standing
from train.data.figures import render_mask, render_photo
from tryon_core.person import FRAME_MARGIN, find_person, frame_mask
from tryon_core.pose import pose_model
from tryon_core.refusals import REFUSALS, refusal_code

HEIGHT, WIDTH = 480, 360


def figure(tall: int, centre: float, top: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A standing figure's silhouette, uint8[H, W]: head, trunk, arms a little apart, two legs."""
    fine = 4
    image = Image.new("L", (fine * width, fine * height))
    draw = ImageDraw.Draw(image)

    def place(x: float, y: float) -> tuple[float, float]:
        return fine * (centre + x * tall), fine * (top + y * tall)

    draw.ellipse([*place(-0.055, 0), *place(0.055, 0.14)], fill=255)
    draw.rectangle([*place(-0.03, 0.12), *place(0.03, 0.2)], fill=255)
    draw.polygon(
        [place(-0.13, 0.18), place(0.13, 0.18), place(0.1, 0.38), place(0.12, 0.52), place(-0.12, 0.52), place(-0.1, 0.38)],
        fill=255,
    )
    for side in (-1, 1):
        draw.polygon([place(side * x, y) for x, y in ((0.1, 0.18), (0.14, 0.19), (0.21, 0.5), (0.17, 0.51))], fill=255)
        draw.polygon([place(side * x, y) for x, y in ((0.01, 0.5), (0.12, 0.5), (0.09, 1.0), (0.03, 1.0))], fill=255)
    return np.where(np.asarray(image.reduce(fine)) > 127, 255, 0).astype(np.uint8)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float(((one > 127) & (other > 127)).sum() / ((one > 127) | (other > 127)).sum())


@cache
def rendered(height: int = 640, width: int = 480, fill: float = 0.85) -> tuple[np.ndarray, np.ndarray]:
    """A rendered person's photo and true silhouette; the same for a shape and fill."""
    body, view = standing()
    view = replace(view, fill=fill)
    return render_photo(body, view, height, width), render_mask(body, view, height, width)


def found_in(photo: np.ndarray) -> np.ndarray:
    found = find_person(photo)
    assert found.mask is not None, found.reason
    assert found.reason == ""
    assert found.mask.shape == photo.shape[:2]
    return found.mask


def refusal(photo: np.ndarray) -> str | None:
    found = find_person(photo)
    assert found.mask is None
    return refusal_code(found.reason)


def wall(height: int = 640, width: int = 480, colour: int = 215) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


@pytest.mark.parametrize(("height", "width", "fill"), [(640, 480, 0.85), (1024, 683, 0.95), (480, 640, 0.7)])
def test_a_standing_person_is_found_to_the_outline(height: int, width: int, fill: float) -> None:
    photo, truth = rendered(height, width, fill)
    mask = found_in(photo)
    assert set(np.unique(mask)) == {0, 255}
    assert overlap(mask, truth) > 0.94


def test_a_mirrored_photo_gives_the_mirrored_mask() -> None:
    photo, _ = rendered()
    assert overlap(found_in(np.ascontiguousarray(photo[:, ::-1])), found_in(photo)[:, ::-1]) > 0.95


def test_a_busy_background_does_not_matter_much() -> None:
    photo, truth = rendered()
    noise = np.random.default_rng(0).integers(0, 256, (16, 12, 3), dtype=np.uint8)
    busy = np.asarray(Image.fromarray(noise).resize((480, 640), Image.Resampling.BICUBIC))
    assert overlap(found_in(np.where(truth[..., None] > 0, photo, busy)), truth) > 0.85


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_an_empty_background_holds_no_person(colour: int) -> None:
    assert refusal(wall(colour=colour)) == "no_person"


def test_noise_all_over_holds_no_person() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 360, 3), dtype=np.uint8)
    assert refusal(noise) == "no_person"


def test_two_people_of_one_size_are_one_too_many() -> None:
    photo, _ = rendered(640, 400)
    assert refusal(np.concatenate([photo, photo[:, ::-1]], axis=1)) == "several"


def test_a_small_person_behind_does_not_make_two() -> None:
    photo, truth = rendered(800, 500)
    scene = np.concatenate([photo, np.repeat(photo[:, -1:], 300, axis=1)], axis=1)
    scene[200:520, 560:760] = np.asarray(Image.fromarray(photo).resize((200, 320), Image.Resampling.BOX))
    assert overlap(found_in(scene)[:, :500], truth) > 0.9
    assert not (found_in(scene)[:, 560:] > 0).any()


@pytest.mark.parametrize("part", ["knees", "waist", "ankles"])
def test_a_body_that_the_picture_cuts_off_below_is_not_whole(part: str) -> None:
    photo, truth = rendered()
    rows = np.flatnonzero(truth.any(axis=1))
    share = {"waist": 0.45, "knees": 0.75, "ankles": 0.93}[part]
    assert refusal(photo[: rows[0] + int(share * len(rows))]) == "not_full_body"


def test_a_body_without_its_head_is_refused() -> None:
    photo, truth = rendered()
    rows = np.flatnonzero(truth.any(axis=1))
    assert refusal(photo[rows[0] + int(0.1 * len(rows)) :])


def test_a_lying_person_is_not_upright() -> None:
    photo, _ = rendered(640, 640)
    assert refusal(np.ascontiguousarray(np.rot90(photo))) in ("not_upright", "no_person")


@pytest.mark.parametrize("turns", [1, 3])
def test_a_photo_on_its_side_is_not_upright_rather_than_too_small(turns: int) -> None:
    photo, _ = rendered(360, 360)
    turned = np.ascontiguousarray(np.rot90(photo, turns))
    pose = pose_model().pose(turned, pose_model().detect(turned)[0])
    assert np.ptp(pose.points[:, 1]) < 160  # in which it is less tall than the least person
    assert refusal(turned) == "not_upright"


def test_a_small_person_is_too_small() -> None:
    photo, _ = rendered()
    scene = np.array(Image.fromarray(photo[:1, :1]).resize((300, 300)))
    scene[80:240, 90:210] = np.asarray(Image.fromarray(photo).resize((120, 160), Image.Resampling.BOX))
    assert refusal(scene) == "too_small"


@pytest.mark.parametrize(("radius", "code"), [(1, None), (2, None), (7, "not_sharp"), (10, "not_sharp")])
def test_a_blurred_photo_is_refused_from_where_the_outline_suffers(radius: int, code: str | None) -> None:
    photo, _ = rendered()
    blurred = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(radius)))
    found = find_person(blurred)
    assert refusal_code(found.reason) in (code, *(("no_person",) if code else ()))


def test_every_refusal_has_a_code_and_a_sentence_of_its_own() -> None:
    assert [refusal_code(sentence) for sentence in REFUSALS.values()] == list(REFUSALS)
    assert refusal_code(None) is None
    assert refusal_code("something else") is None


@pytest.mark.parametrize(("tall", "centre", "top"), [(400, 180, 40), (300, 100, 20), (300, 260, 160), (220, 180, 130)])
def test_a_framed_mask_does_not_depend_on_where_and_how_large_the_person_was(tall: int, centre: int, top: int) -> None:
    reference = frame_mask(figure(800, 360, 80, height=960, width=720), 96, 64)
    assert overlap(frame_mask(figure(tall, centre, top), 96, 64), reference) > 0.95


def test_a_framed_mask_is_the_same_to_the_pixel_wherever_the_person_stood() -> None:
    standing = figure(300, 90, 10)
    framed = frame_mask(standing, 96, 64)
    for right, down in ((180, 0), (110, 160), (3, 7)):
        np.testing.assert_array_equal(frame_mask(np.roll(standing, (down, right), (0, 1)), 96, 64), framed)


def test_a_framed_mask_fills_the_frame_but_for_its_margin_and_keeps_proportions() -> None:
    silhouette = figure(400, 180, 40)
    framed = frame_mask(silhouette, 100, 100)
    inside = framed > 127
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    assert (rows[0], rows[-1] + 1) == (100 * FRAME_MARGIN, 100 * (1 - FRAME_MARGIN))
    wide = np.flatnonzero(silhouette.any(axis=0))
    tall = np.flatnonzero(silhouette.any(axis=1))
    proportion = (wide[-1] - wide[0] + 1) / (tall[-1] - tall[0] + 1)
    assert len(columns) / len(rows) == pytest.approx(proportion, abs=0.03)
    assert columns[0] + columns[-1] == pytest.approx(99, abs=1)


def test_a_wide_mask_is_limited_by_the_frames_width() -> None:
    framed = frame_mask(np.full((10, 100), 255, np.uint8), 96, 64)
    assert (framed.max(axis=0) > 127).all()
    assert (framed.max(axis=1) > 127).sum() == 6


def test_a_mask_framed_twice_is_the_same_person() -> None:
    once = frame_mask(figure(400, 180, 40), 96, 64)
    assert overlap(frame_mask(once, 96, 64), once) > 0.97


def test_a_framed_mask_tells_widths_finer_than_its_pixels() -> None:
    def width(px: int) -> float:
        return float(frame_mask(np.full((960, px), 255, np.uint8), 96, 64).sum(axis=1).max() / 255)

    widths = [width(px) for px in range(200, 221)]
    assert (np.diff(widths) > 0).sum() >= 18


def test_an_empty_mask_stays_empty_and_one_pixel_becomes_a_person() -> None:
    assert not frame_mask(np.zeros((50, 40), np.uint8), 96, 64).any()
    one = np.zeros((50, 40), np.uint8)
    one[3, 7] = 255
    assert frame_mask(one, 96, 64).any()


@pytest.mark.parametrize("shape", [(20_000, 1), (1, 20_000), (20_000, 40)])
def test_masks_of_absurd_proportions_take_no_absurd_memory(shape: tuple[int, int]) -> None:
    tracemalloc.start()
    framed = frame_mask(np.full(shape, 255, np.uint8), 96, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert framed.shape == (96, 64)
    assert peak < 60e6


def test_a_mask_that_is_averaged_down_is_framed_like_one_that_is_not() -> None:
    small = figure(800, 360, 80, height=960, width=720)
    large = np.repeat(np.repeat(small, 9, axis=0), 9, axis=1)
    np.testing.assert_allclose(frame_mask(large, 96, 64).astype(int), frame_mask(small, 96, 64), atol=12)


def test_pixels_of_at_most_half_the_largest_value_are_not_the_person() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 15:25] = 200
    alone = frame_mask(mask, 96, 64)
    mask[0, :] = 100
    np.testing.assert_array_equal(frame_mask(mask, 96, 64), alone)
    np.testing.assert_array_equal(frame_mask((mask > 100).astype(np.uint8), 96, 64), alone)
    mask[0, :] = 101
    assert not np.array_equal(frame_mask(mask, 96, 64), alone)


def test_a_framed_block_lies_in_the_middle_to_a_fraction_of_a_pixel() -> None:
    framed = frame_mask(np.full((200, 37), 255, np.uint8), 96, 64).astype(float)
    across, down = framed.sum(axis=0), framed.sum(axis=1)
    assert (across @ np.arange(64)) / across.sum() == pytest.approx(31.5, abs=0.02)
    assert (down @ np.arange(96)) / down.sum() == pytest.approx(47.5, abs=0.02)
    assert down.sum() / down.max() == pytest.approx(96 * (1 - 2 * FRAME_MARGIN), rel=0.01)

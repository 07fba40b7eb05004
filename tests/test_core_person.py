from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tryon_core.person import FRAME_MARGIN, find_person, frame_mask

HEIGHT, WIDTH = 480, 360


def plain(colour: tuple[int, int, int] = (220, 222, 215)) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), colour, np.uint8)


def graded() -> np.ndarray:
    """A wall lit from above and from the left, with a sensor's noise."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    light = 235 - 50 * rows / HEIGHT - 25 * columns / WIDTH
    noise = np.random.default_rng(0).normal(0, 3, (HEIGHT, WIDTH, 3))
    return (light[..., None] * (1, 0.98, 0.94) + noise).clip(0, 255).astype(np.uint8)


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


def photographed(silhouette: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The silhouette before a background: skin above and below, a dark dress between, and stripes on it."""
    rows = np.mgrid[0 : silhouette.shape[0], 0 : silhouette.shape[1]][0]
    clothes = np.where((rows // 6 % 2 == 0)[..., None], (40, 60, 120), (70, 30, 60))
    skin = np.array((176, 120, 96))
    person = np.where((rows > 0.25 * HEIGHT)[..., None] & (rows < 0.6 * HEIGHT)[..., None], clothes, skin)
    return np.where(silhouette[..., None] > 0, person, background).astype(np.uint8)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float(((one > 0) & (other > 0)).sum() / ((one > 0) | (other > 0)).sum())


@pytest.mark.parametrize("background", [plain(), plain((90, 140, 150)), graded()], ids=["white", "teal", "graded"])
def test_a_standing_figure_is_found(background: np.ndarray) -> None:
    silhouette = figure(400, 180, 40)
    found = find_person(photographed(silhouette, background))
    assert found.reason == ""
    assert found.mask is not None
    assert set(np.unique(found.mask)) == {0, 255}
    expected = Image.fromarray(silhouette).resize(found.mask.shape[::-1], Image.Resampling.BOX)
    assert overlap(found.mask, np.asarray(expected) > 127) > 0.93


def test_what_the_clothes_enclose_is_filled() -> None:
    photo = photographed(figure(400, 180, 40), plain())
    photo[180:200, 170:190] = plain()[0, 0]
    found = find_person(photo)
    assert found.mask is not None
    assert found.mask[int(190 * 256 / 480), int(180 * 256 / 480)] == 255


def refusal(photo: np.ndarray) -> str:
    found = find_person(photo)
    assert found.mask is None
    return found.reason


@pytest.mark.parametrize("background", [plain(), graded(), plain((0, 0, 0))], ids=["white", "graded", "black"])
def test_an_empty_background_holds_no_person(background: np.ndarray) -> None:
    assert "no person" in refusal(background)


def test_noise_all_over_holds_no_person() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    assert "no person" in refusal(noise)


def test_two_people_are_one_too_many() -> None:
    both = np.maximum(figure(400, 90, 40), figure(380, 270, 60))
    assert "more than one" in refusal(photographed(both, graded()))


def test_a_lying_person_is_not_upright() -> None:
    lying = np.rot90(figure(340, 110, 10, height=360, width=220))
    background = np.full((220, 360, 3), 220, np.uint8)
    assert "not upright" in refusal(photographed(lying, background))


def test_a_body_down_to_the_knees_is_not_whole() -> None:
    assert "head to feet" in refusal(photographed(figure(700, 180, 40), plain()))


@pytest.mark.parametrize("tall", [900, 1200, 1600])
@pytest.mark.parametrize("background", [plain(), graded()], ids=["white", "graded"])
def test_a_head_and_shoulders_are_refused(tall: int, background: np.ndarray) -> None:
    assert refusal(photographed(figure(tall, 180, 60), background))


@pytest.mark.parametrize(("tall", "top"), [(520, 40), (470, -30)], ids=["feet", "head"])
def test_a_body_that_the_picture_cuts_off_is_not_whole(tall: int, top: int) -> None:
    assert "head to feet" in refusal(photographed(figure(tall, 180, top), plain()))


def test_a_small_person_is_too_small() -> None:
    assert "too small" in refusal(photographed(figure(150, 180, 200), plain()))


def test_a_box_of_a_persons_proportions_has_no_head() -> None:
    box = np.zeros((HEIGHT, WIDTH), np.uint8)
    box[60:440, 80:280] = 255
    assert "head to feet" in refusal(photographed(box, plain()))


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
    rows, columns = np.flatnonzero(framed.any(axis=1)), np.flatnonzero(framed.any(axis=0))
    assert (rows[0], rows[-1] + 1) == (100 * FRAME_MARGIN, 100 * (1 - FRAME_MARGIN))
    wide = np.flatnonzero(silhouette.any(axis=0))
    tall = np.flatnonzero(silhouette.any(axis=1))
    proportion = (wide[-1] - wide[0] + 1) / (tall[-1] - tall[0] + 1)
    assert len(columns) / len(rows) == pytest.approx(proportion, abs=0.02)
    assert columns[0] + columns[-1] == pytest.approx(99, abs=1)


def test_a_wide_mask_is_limited_by_the_frames_width() -> None:
    framed = frame_mask(np.full((10, 100), 255, np.uint8), 96, 64)
    assert framed.any(axis=0).all()
    assert framed.any(axis=1).sum() == 6


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

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tryon_core.augment import Augmentation, augment
from tryon_core.errors import ConfigError

HEIGHT, WIDTH = 48, 64


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(num: int, *shape: int) -> Tensor:
    drawn = np.random.default_rng(0).integers(0, 256, (num, *shape), dtype=np.uint8)
    return torch.from_numpy(drawn if len(shape) == 3 else np.where(drawn < 128, 0, 255).astype(np.uint8))


def grey(images: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(images)[..., None].repeat(3, axis=3))


def blob(x: float, y: float) -> np.ndarray:
    """A round spot, its centre x to the right of the middle and y below it, pixels."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    distance = (columns - (WIDTH - 1) / 2 - x) ** 2 + (rows - (HEIGHT - 1) / 2 - y) ** 2
    return (250 * np.exp(-distance / 18)).round().astype(np.uint8)


def centre(image: np.ndarray) -> np.ndarray:
    """Return a spot's centre, (x, y) from the middle, pixels."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    mass = image.astype(float)
    return np.array([(columns * mass).sum(), (rows * mass).sum()]) / mass.sum() - ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 3)])
def test_nothing_asked_changes_nothing(shape: tuple[int, ...]) -> None:
    images = noise(4, *shape)
    assert torch.equal(augment(images, Augmentation(), seeded(0)), images)
    assert torch.equal(augment(images, Augmentation(crop=1e-12), seeded(0)), images)


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 3)])
def test_a_flip_mirrors_half_of_the_images_to_the_bit(shape: tuple[int, ...]) -> None:
    images = noise(64, *shape)
    moved = augment(images, Augmentation(flip=True), seeded(0))
    assert (moved.dtype, moved.shape) == (images.dtype, images.shape)
    mirrored = [torch.equal(after, before.flip(1)) for after, before in zip(moved, images, strict=True)]
    kept = [torch.equal(after, before) for after, before in zip(moved, images, strict=True)]
    assert all(one != other for one, other in zip(mirrored, kept, strict=True))
    assert 20 <= sum(mirrored) <= 44


def test_a_rotation_turns_about_the_middle_by_at_most_its_angle_and_keeps_shapes() -> None:
    moved = augment(grey([blob(12, 6)] * 64), Augmentation(rotation_deg=30), seeded(0)).numpy()[..., 0]
    start = complex(*centre(blob(12, 6)))
    turns = np.array([complex(*centre(image)) for image in moved]) / start
    angles = np.rad2deg(np.angle(turns))
    np.testing.assert_allclose(np.abs(turns), 1, atol=0.02)
    assert -30.5 < angles.min() < -20
    assert 20 < angles.max() < 30.5
    for image, angle in zip(moved, angles, strict=True):
        turned = complex(12, 6) * np.exp(1j * np.deg2rad(angle))
        assert np.abs(image.astype(int) - blob(turned.real, turned.imag)).max() < 16


def test_a_crop_is_a_window_of_the_image_scaled_up() -> None:
    ramp = np.tile(np.arange(0, 4 * WIDTH, 4, dtype=np.uint8), (HEIGHT, 1))
    moved = augment(grey([ramp] * 64), Augmentation(crop=0.4), seeded(0)).numpy()[..., 0].astype(float)
    slopes = []
    for image in moved:
        row = image[HEIGHT // 2, 2:-2]
        slope, start = np.polyfit(np.arange(2, WIDTH - 2), row, 1)
        assert np.abs(row - (slope * np.arange(2, WIDTH - 2) + start)).max() < 1.5
        assert start > -3
        assert start + slope * (WIDTH - 1) < 4 * (WIDTH - 1) + 3
        slopes.append(slope / 4)
    assert 0.59 < min(slopes) < 0.7
    assert 0.9 < max(slopes) < 1.01


def test_a_mask_that_moves_by_parts_of_a_pixel_keeps_its_area() -> None:
    masks = torch.from_numpy(np.stack([np.where(blob(4, 2) > 60, 255, 0).astype(np.uint8)] * 16))
    moved = augment(masks, Augmentation(crop=0.1, rotation_deg=20, flip=True), seeded(0))
    assert not torch.equal(moved, masks)
    turned = augment(masks, Augmentation(rotation_deg=20, flip=True), seeded(0)).float().sum(dim=(1, 2))
    torch.testing.assert_close(turned, masks.float().sum(dim=(1, 2)), rtol=0.02, atol=0)


def test_a_crop_keeps_proportions() -> None:
    pair = np.maximum(blob(8, 0), blob(-8, 0))[None], np.maximum(blob(0, 8), blob(0, -8))[None]
    across, along = (augment(torch.from_numpy(image), Augmentation(crop=0.3), seeded(5)).numpy()[0] for image in pair)
    wide = np.ptp([np.flatnonzero(across.max(axis=0) > 200)[i] for i in (0, -1)])
    tall = np.ptp([np.flatnonzero(along.max(axis=1) > 200)[i] for i in (0, -1)])
    assert wide == pytest.approx(tall, abs=1)


def test_a_seed_repeats_its_draws_and_another_makes_others() -> None:
    images, how = noise(8, HEIGHT, WIDTH, 3), Augmentation(crop=0.3, rotation_deg=10, flip=True)
    assert torch.equal(augment(images, how, seeded(1)), augment(images, how, seeded(1)))
    assert not torch.equal(augment(images, how, seeded(1)), augment(images, how, seeded(2)))


def test_each_image_is_moved_by_its_own_draw() -> None:
    moved = augment(torch.from_numpy(np.stack([blob(12, 6)] * 8)), Augmentation(rotation_deg=30), seeded(0))
    assert len({image.numpy().tobytes() for image in moved}) == 8


def test_no_images_stay_none() -> None:
    assert augment(noise(0, HEIGHT, WIDTH), Augmentation(flip=True), seeded(0)).shape == (0, HEIGHT, WIDTH)


@pytest.mark.parametrize("wrong", [{"crop": 1.0}, {"crop": -0.1}, {"rotation_deg": -1.0}])
def test_an_augmentation_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="expected crop in"):
        Augmentation(**wrong)  # type: ignore[arg-type]

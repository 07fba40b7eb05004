"""Files of photos and masks as silhouettes: what is refused, and that serving sees the same."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.drawn import figure
from train.data.figures import render_photo
from train.pictures import mask, picture, silhouette
from tryon_core.config import ImageTower
from tryon_core.encoding import NoPersonError, prepared_image
from tryon_core.errors import InputError

MASKS = ImageTower(encoder="cnn", height=96, width=64, channels=1, mean=(0.2,), std=(0.4,))
PHOTOS = ImageTower(encoder="cnn", height=96, width=64, denoise_sigma=0.5)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_specks_too_far_apart_to_be_seen_in_a_frame_are_no_person() -> None:
    specks = np.zeros((1024, 1024), np.uint8)
    specks[0, 0] = specks[-1, -1] = 255
    with pytest.raises(InputError, match="a few specks far apart"):
        mask(png(specks), MASKS)
    with pytest.raises(InputError, match="one that is black"):
        mask(png(np.zeros((64, 64), np.uint8)), MASKS)


def test_one_speck_alone_fills_the_frame() -> None:
    speck = np.zeros((64, 64), np.uint8)
    speck[20, 30] = 255
    assert mask(png(speck), MASKS).max() > 240


def test_a_photo_is_read_for_fitting_as_it_is_for_serving() -> None:
    photo = png(render_photo(*figure(), 480, 360))
    for read, part, tower in ((picture, "photo", PHOTOS), (silhouette, "person_mask", MASKS)):
        np.testing.assert_array_equal(read(photo, tower), prepared_image(photo, part, tower))
    assert silhouette(photo, MASKS).shape == (96, 64)


def test_a_wall_is_no_person_and_says_why() -> None:
    wall = png(np.full((480, 360, 3), 215, np.uint8))
    with pytest.raises(NoPersonError, match="no person was found"):
        prepared_image(wall, "person_mask", MASKS)
    with pytest.raises(InputError, match="expected a photo of one person, got one of which is said: no person"):
        silhouette(wall, MASKS)

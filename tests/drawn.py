"""People and garments as files, drawn for the tests, and what a model sees of them."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from train.data.bodies import draw_bodies
from train.data.figures import View, draw_view, render_photo
from train.data.poses import Arm
from tryon_core.config import ImageTower
from tryon_core.person import find_person, frame_mask
from tryon_core.photo import decode, prepare


@lru_cache(maxsize=256)
def pixels_of(part: str, file: bytes, tower: ImageTower) -> Any:
    """Return an image file as its part's encoder sees it."""
    if part != "person_mask":
        return prepare(decode(file), tower.height, tower.width)
    found = find_person(decode(file))
    assert found.mask is not None, found.reason
    return frame_mask(found.mask, tower.height, tower.width)


@cache
def photo(build: float = 1.0) -> bytes:
    """A rendered person before a plain wall, JPEG; a build over 1 is broader."""
    return encoded(Image.fromarray(render_photo(*figure(build), 420, 300)))


def figure(build: float = 1.0, seed: int = 1) -> tuple[dict[str, float], View]:
    """What `render_photo` and `render_mask` draw a person from, who stands facing the camera with arms apart."""
    rng = np.random.default_rng(seed)
    body = draw_bodies(1, rng, female_share=1.0).row(0)
    broad = {name: value * build if "breadth" in name or "width" in name else value for name, value in body.items()}
    broad |= {name: body[name] for name in ("head_breadth_cm", "neck_width_cm")}
    view = draw_view(rng, True)
    arm = Arm(raised_rad=0.35, elbow_rad=0.0, place="beside")
    pose = replace(view.pose, turn_rad=0.0, sway=0.0, tilt_rad=0.0, arms=(arm, arm))
    worn = {"looseness": 0.02, "boxiness": 0.0, "jacket": False, "bottoms": "trousers", "sleeves": "short", "flare": 0.0}
    outfit = replace(view.outfit, **worn, bag=False)
    return broad, replace(view, fill=0.9, shift=(0.5, 0.5), pose=pose, outfit=outfit)


@cache
def garment_image(seed: int) -> bytes:
    """A drawn garment, JPEG."""
    image = Image.new("RGB", (120, 120), (240, 240, 238))
    colour = tuple(int(c) for c in np.random.default_rng(seed).integers(0, 255, 3))
    ImageDraw.Draw(image).rectangle((25, 15 + 5 * seed, 95, 105), fill=colour)
    return encoded(image)


def encoded(image: Image.Image, kind: str = "JPEG") -> bytes:
    """An image as a file's bytes."""
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()

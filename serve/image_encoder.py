"""The image-encoder deployment: compressed bytes in, one feature each out; a tower for people, one for garments."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from tryon_core.checkpoint import Checkpoint
from tryon_core.config import ImageTower
from tryon_core.errors import InputError
from tryon_core.person import find_person, frame_mask
from tryon_core.photo import Mask, decode, prepare

from .replica import ModelReplica
from .wire import Feature, feature_of


class ImageEncoder(ModelReplica):
    """Decodes, finds the person where a photo is one, and encodes."""

    async def encode(self, model: str, part: str, images: Sequence[bytes]) -> list[Feature]:
        """Return a feature per image, in order; a wrong image spoils no other.

        Args:
            model: the fingerprint that the caller works with.
            part: `person_mask` or `photo` for a shopper's photo, `garment_image` for a garment's.
            images: JPEG, PNG or WebP files.

        Raises:
            UnavailableError: another model is loaded.
        """
        checkpoint = self.checkpoint(model)
        return await asyncio.to_thread(encode_images, checkpoint, part, images)


@torch.inference_mode()
def encode_images(checkpoint: Checkpoint, part: str, images: Sequence[bytes]) -> list[Feature]:
    """Return a feature per image file, in order."""
    config = checkpoint.model.config
    tower = config.towers[config.parts[part]]
    assert isinstance(tower, ImageTower)
    prepared = [_prepared(image, part, tower) for image in images]
    pixels = [p for p in prepared if not isinstance(p, Feature)]
    if not pixels:
        return [p for p in prepared if isinstance(p, Feature)]
    embeddings = iter(checkpoint.model.encode(part, np.stack(pixels)).half().cpu().numpy())
    return [p if isinstance(p, Feature) else Feature("ok", "", next(embeddings)) for p in prepared]


def _prepared(image: bytes, part: str, tower: ImageTower) -> Mask | Feature | Any:
    try:
        pixels = decode(image)
    except InputError as err:
        return feature_of(err)
    if part != "person_mask":
        return prepare(pixels, tower.height, tower.width, denoise_sigma=tower.denoise_sigma)
    person = find_person(pixels)
    if person.mask is None:
        return Feature("refused", person.reason)
    return frame_mask(person.mask, tower.height, tower.width)

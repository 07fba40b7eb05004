"""The image-encoder deployment: compressed bytes in, one feature each out; a tower for people, one for garments."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from tryon_core.encoding import Embedding, Refused, encode_images, encode_masks, warm_up
from tryon_core.errors import InputError

from .replica import ModelReplica
from .wire import Feature, feature_of


class ImageEncoder(ModelReplica):
    """Decodes, finds the person where a photo is one, and encodes."""

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Load the checkpoint that the config names, and what finds people in photos, before the first call.

        Raises:
            CheckpointError: the one does not load and there is no old one, or the other is damaged.
            ConfigError: the model lacks a task that an answer needs, and there is no old one.
        """
        await super().reconfigure(user_config)
        if self._checkpoint is not None:
            await asyncio.to_thread(warm_up, self._checkpoint.model)

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
        encoded = await asyncio.to_thread(encode_images, checkpoint.model, part, images)
        return [_feature(entry) for entry in encoded]

    async def encode_masks(self, model: str, masks: Sequence[bytes]) -> list[Feature]:
        """Return a feature per mask, in order, of the part `person_mask`; a wrong mask spoils no other.

        Args:
            model: the fingerprint that the caller works with; it has that part.
            masks: PNG files of 1 bit a pixel.

        Raises:
            UnavailableError: another model is loaded.
        """
        checkpoint = self.checkpoint(model)
        encoded = await asyncio.to_thread(encode_masks, checkpoint.model, masks)
        return [_feature(entry) for entry in encoded]


def _feature(encoded: Embedding | Refused | InputError) -> Feature:
    if isinstance(encoded, InputError):
        return feature_of(encoded)
    return Feature("refused", encoded.reason) if isinstance(encoded, Refused) else Feature("ok", "", encoded)

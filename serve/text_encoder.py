"""The text-encoder deployment: texts in, one feature each out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import torch

from tryon_core.checkpoint import Checkpoint
from tryon_core.config import TextTower
from tryon_core.text import text_arrays

from .replica import ModelReplica
from .wire import Feature


class TextEncoder(ModelReplica):
    """Parses and encodes words."""

    async def encode(self, model: str, part: str, texts: Sequence[str]) -> list[Feature]:
        """Return a feature per text, in order.

        Args:
            model: the fingerprint that the caller works with.
            part: `shopper_words` or `garment_words`.
            texts: each of at most `words.MAX_CHARACTERS`, which the ingress has checked.

        Raises:
            UnavailableError: another model is loaded.
        """
        checkpoint = self.checkpoint(model)
        return await asyncio.to_thread(encode_texts, checkpoint, part, texts)


@torch.inference_mode()
def encode_texts(checkpoint: Checkpoint, part: str, texts: Sequence[str]) -> list[Feature]:
    """Return a feature per text, in order."""
    tower = checkpoint.model.config.towers[checkpoint.model.config.parts[part]]
    assert isinstance(tower, TextTower)
    arrays = text_arrays(texts, tower.rows, tower.max_tokens)
    return [Feature("ok", "", embedding) for embedding in checkpoint.model.encode(part, arrays).half().cpu().numpy()]

"""The text-encoder deployment: texts in, one feature each out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tryon_core.encoding import encode_texts

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
        embeddings = await asyncio.to_thread(encode_texts, checkpoint.model, part, texts)
        return [Feature("ok", "", embedding) for embedding in embeddings]

"""The text-encoder deployment: texts in, one feature each out, or what explains one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tryon_core.encoding import encode_ablated, encode_texts
from tryon_core.errors import TooLargeError
from tryon_core.explain import Ablation
from tryon_core.words import MAX_CHARACTERS

from .replica import ModelReplica
from .wire import Feature, feature_of

_TOO_LONG = feature_of(TooLargeError(f"expected words of at most {MAX_CHARACTERS} characters together, got more"))


class TextEncoder(ModelReplica):
    """Parses and encodes words."""

    async def encode(self, model: str, part: str, texts: Sequence[str]) -> list[Feature]:
        """Return a feature per text, in order; a text that is too long spoils no other.

        Args:
            model: the fingerprint that the caller works with.
            part: `shopper_words` or `garment_words`.
            texts: shoppers' words or garments'.

        Raises:
            UnavailableError: another model is loaded.
        """
        checkpoint = self.checkpoint(model)
        short = [text for text in texts if len(text) <= MAX_CHARACTERS]
        embeddings = iter(await asyncio.to_thread(encode_texts, checkpoint.model, part, short) if short else [])
        return [Feature("ok", "", next(embeddings)) if len(text) <= MAX_CHARACTERS else _TOO_LONG for text in texts]

    async def ablate(self, model: str, part: str, texts: Sequence[str]) -> list[Ablation]:
        """Return, in order, each text's words and its embedding without each of them.

        Args:
            model: the fingerprint that the caller works with.
            part: `shopper_words` or `garment_words`.
            texts: texts that `encode` took.

        Raises:
            UnavailableError: another model is loaded.
        """
        return await asyncio.to_thread(encode_ablated, self.checkpoint(model).model, part, texts)

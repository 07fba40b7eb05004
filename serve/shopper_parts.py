"""What is kept of a shopper, seen by one model: which embeddings it can use, and what it says of the photo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.manifest import Manifest
from tryon_core.refusals import refusal_code
from tryon_core.shopper import Profile, shopper_words

from .records import ShopperRecord
from .schema import PhotoOut, ProfileIn
from .wire import Feature

PHOTO_PARTS = ("person_mask", "photo")
PHOTO_GONE = {
    "photo_expired": "what the photo told was kept for its time and is deleted, as it was promised; it may be sent anew",
    "model_changed": "the model has changed since the photo was sent, and photos are not kept; it may be sent anew",
    "photo_unseen": "this model does not look at photos",
    "mask_unseen": "this model does not look at masks",
}
"""Code to sentence, of photos that were given and are not used, beside `tryon_core.refusals.REFUSALS`."""
Halves = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Kept:
    """A shopper as the store has them.

    Args:
        told: what they said; its `photo` tells that one was given and what became of it.
        seen: what encoders said of the photo, which lives shorter; None where none was given, or its time is over.
    """

    told: ShopperRecord
    seen: ShopperRecord | None = None

    @property
    def profile(self) -> Profile | None:
        """The profile in the core's form."""
        return profile_of(self.told.profile)

    @property
    def words(self) -> str | None:
        """Text and profile as the model reads them."""
        return shopper_words(self.told.words or "", self.profile)


@dataclass(frozen=True)
class Known:
    """What one model knows of a shopper who is kept."""

    photo: PhotoOut
    had_photo: bool
    embeddings: Mapping[str, Halves] = field(default_factory=dict, repr=False)
    """Part name to float16[dim]."""


def profile_of(data: Mapping[str, Any]) -> Profile | None:
    """Return the core's form of a profile that is kept; None where it says nothing."""
    return ProfileIn.model_validate(data).to_profile() if data else None


def seen_by(manifest: Manifest, kept: Kept) -> Known:
    """Return what a model knows of a shopper without asking an encoder: what the photo told, and words it has encoded."""
    words = embedding_of(manifest, "shopper_words", kept.told)
    embeddings = {"shopper_words": words.embedding} if words and words.embedding is not None else {}
    if kept.told.photo is None:
        return Known(PhotoOut(used=False), False, embeddings)
    parts = [part for part in PHOTO_PARTS if part in manifest.config.parts]
    found = {part: f for part in parts if kept.seen is not None and (f := embedding_of(manifest, part, kept.seen))}
    if not found:
        code = kept.told.photo.code if kept.told.photo.code in PHOTO_GONE else _gone(parts, kept)
        return Known(PhotoOut(used=False, reason=PHOTO_GONE[code], code=code), True, embeddings)
    embeddings |= {part: f.embedding for part, f in found.items() if f.embedding is not None}
    reason = next((f.reason for f in found.values() if f.status != "ok"), None)
    return Known(PhotoOut(used=reason is None, reason=reason, code=refusal_code(reason)), True, embeddings)


def embedding_of(manifest: Manifest, part: str, record: ShopperRecord) -> Feature | None:
    """Return what a model's encoder said of a part; None where that encoder was never asked."""
    tower = manifest.config.parts.get(part)
    value = None if tower is None else record.embeddings.get((part, manifest.towers[tower]))
    return None if value is None or tower is None else Feature.from_bytes(value, manifest.config.towers[tower].embedding_dim)


def _gone(parts: list[str], kept: Kept) -> str:
    if not parts:
        return "photo_unseen"
    return "photo_expired" if kept.seen is None else "model_changed"

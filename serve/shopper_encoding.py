"""A new shopper's photo, mask and words to what is kept of them, under every model that serves or is about to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tryon_core.batch import Column
from tryon_core.errors import InputError
from tryon_core.offers import ScoreJob

from .errors import UnavailableError
from .features import Asset
from .metrics import Timings
from .recommender import Recommender
from .records import PhotoOutcome
from .schema import MeasurementOut
from .shopper_parts import PHOTO_GONE, PHOTO_PARTS, Known
from .wire import Feature

logger = logging.getLogger(__name__)
Values = Mapping[tuple[str, str], bytes]
"""(part, encoder fingerprint) to the value that is kept."""


@dataclass(frozen=True)
class Sight:
    """What a shopper's photo or mask shows; at most one of them, and it is kept nowhere."""

    photo: bytes | None = field(default=None, repr=False)
    mask: bytes | None = field(default=None, repr=False)

    @property
    def pointer(self) -> str:
        """The form field that it came in."""
        return "/photo" if self.mask is None else "/mask"

    def __bool__(self) -> bool:
        return self.photo is not None or self.mask is not None


@dataclass(frozen=True)
class Encoded:
    """What encoders said of a shopper."""

    photo: PhotoOutcome | None = None
    """None where no photo and no mask was given."""
    seen: Values = field(default_factory=dict, repr=False)
    said: Values = field(default_factory=dict, repr=False)


async def encode_shopper(models: Sequence[Recommender], words: str | None, sight: Sight, timings: Timings) -> Encoded:
    """Return what the encoders say, past the cache, of which nothing could be deleted.

    Args:
        models: the one that serves, and any that is about to: what those cannot tell yet is left out.

    Raises:
        InputError: the photo or mask is wrong.
        UnavailableError: an encoder of the model that serves is overloaded or not there.
    """
    seen: dict[tuple[str, str], Feature] = {}
    said: dict[tuple[str, str], Feature] = {}
    for at, model in enumerate(models):
        try:
            first, second = await asyncio.gather(_sight(model, sight, timings), _words(model, words, timings))
        except (UnavailableError, RuntimeError, InputError):
            if at == 0:
                raise
            logger.info(
                "a shopper is kept without what model %s would say, which is not there yet", model.manifest.fingerprint
            )
            continue
        seen, said = first | seen, second | said
    for feature in seen.values():
        feature.check(sight.pointer)
    for feature in said.values():
        feature.check("/text")
    own = [(key, f) for key, f in seen.items() if key[1] in models[0].manifest.towers.values()]
    return Encoded(_outcome(models[0], sight, own), _values(seen), _values(said))


async def encode_words(model: Recommender, words: str | None, timings: Timings) -> Values:
    """Return what a model's encoder says of a shopper's words, past the cache.

    Raises:
        UnavailableError: it is overloaded or not there.
    """
    return _values(await _words(model, words, timings))


async def measure(model: Recommender, known: Known, timings: Timings) -> dict[str, MeasurementOut]:
    """Return what a shopper's body is taken for, in cm, each with the bounds of 80 % of people of whom as much is known.

    Raises:
        UnavailableError: fusion is overloaded or not there.
    """
    if not known.embeddings or not model.manifest.half_widths(known.embeddings):
        return {}
    row = np.zeros(1, np.int64)
    scores = await model.score(ScoreJob(1, {part: Column(e[None], row) for part, e in known.embeddings.items()}), timings)
    return model.measurements(known.embeddings, scores, weight=False)  # nobody needs to be told what they look to weigh


async def _sight(model: Recommender, sight: Sight, timings: Timings) -> dict[tuple[str, str], Feature]:
    parts = [part for part in PHOTO_PARTS if part in model.manifest.config.parts]
    if sight.mask is not None:
        parts = [part for part in parts if part == "person_mask"]
    if not sight or not parts:
        return {}
    with timings.stage("image"):
        if sight.mask is not None:
            features = [await model.features.encode_mask(sight.mask, timings)]
        else:
            assets = [Asset(part, sight.photo or b"") for part in parts]
            features = list(await asyncio.gather(*(model.features.encode(asset, timings) for asset in assets)))
    return {_key(model, part): feature for part, feature in zip(parts, features, strict=True)}


async def _words(model: Recommender, words: str | None, timings: Timings) -> dict[tuple[str, str], Feature]:
    if not words or "shopper_words" not in model.manifest.config.parts:
        return {}
    with timings.stage("text"):
        feature = await model.features.encode(Asset("shopper_words", words), timings)
    return {_key(model, "shopper_words"): feature}


def _outcome(model: Recommender, sight: Sight, seen: Sequence[tuple[tuple[str, str], Feature]]) -> PhotoOutcome | None:
    if not sight:
        return None
    if not seen:
        looks = any(part in model.manifest.config.parts for part in PHOTO_PARTS)
        code = "mask_unseen" if sight.mask is not None and looks else "photo_unseen"
        return PhotoOutcome(used=False, reason=PHOTO_GONE[code], code=code)
    (_, encoder), feature = seen[0]
    return PhotoOutcome(used=feature.status == "ok", reason=feature.reason or None, encoder=encoder)


def _key(model: Recommender, part: str) -> tuple[str, str]:
    return part, model.manifest.towers[model.manifest.config.parts[part]]


def _values(features: Mapping[tuple[str, str], Feature]) -> Values:
    return {key: feature.to_bytes() for key, feature in features.items()}

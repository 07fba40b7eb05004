"""Files and texts to the half-precision embeddings that travel and are kept; a wrong one spoils no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .batch import Column
from .config import ImageTower, TextTower
from .errors import InputError
from .explain import Ablation
from .model import Model
from .person import find_person, frame_mask
from .photo import decode, prepare
from .spans import words_of
from .text import text_arrays, token_arrays

Embedding = npt.NDArray[np.float16]
"""float16[dim], contiguous."""
_VARIANTS = 512
"""Texts that are encoded at once where words are left out: a bound of memory."""


@dataclass(frozen=True)
class Refused:
    """A good image in which no usable person is."""

    reason: str


@torch.inference_mode()
def encode_images(model: Model, part: str, images: Sequence[bytes]) -> list[Embedding | Refused | InputError]:
    """Return for each image file, in order, its embedding, or why there is none.

    Args:
        part: an image part of the model; for `person_mask` the images are photos, of which the person is taken.
        images: JPEG, PNG or WebP files.
    """
    tower = model.config.towers[model.config.parts[part]]
    assert isinstance(tower, ImageTower)
    prepared = [_prepared(image, part, tower) for image in images]
    pixels = [p for p in prepared if isinstance(p, np.ndarray)]
    embeddings = iter(_halves(model.encode(part, np.stack(pixels))) if pixels else [])
    return [next(embeddings) if isinstance(p, np.ndarray) else p for p in prepared]


@torch.inference_mode()
def encode_texts(model: Model, part: str, texts: Sequence[str]) -> list[Embedding]:
    """Return each text's embedding, in order.

    Raises:
        TooLargeError: a text has too many characters.
    """
    tower = model.config.towers[model.config.parts[part]]
    assert isinstance(tower, TextTower)
    return _halves(model.encode(part, text_arrays(texts, tower.rows, tower.max_tokens)))


@torch.inference_mode()
def encode_ablated(model: Model, part: str, texts: Sequence[str]) -> list[Ablation]:
    """Return for each text, in order, its words and its embedding without each of them, all texts' as one batch.

    Raises:
        TooLargeError: a text has too many characters.
    """
    tower = model.config.towers[model.config.parts[part]]
    assert isinstance(tower, TextTower)
    read = [words_of(text, tower.max_tokens) for text in texts]
    left = [[[t for at, t in enumerate(tokens) if at not in w.tokens] for w in words] for tokens, words in read]
    told = [tokens for text in left for tokens in text if tokens]
    chunks = [token_arrays(told[at : at + _VARIANTS], tower.rows) for at in range(0, len(told), _VARIANTS)]
    halves = [embedding for chunk in chunks for embedding in _halves(model.encode(part, chunk))]
    embeddings, ablations, done = np.stack(halves) if halves else np.zeros((0, tower.embedding_dim), np.float16), [], 0
    for (_, words), text in zip(read, left, strict=True):
        known = np.array([bool(tokens) for tokens in text], dtype=bool)
        own = np.ascontiguousarray(embeddings[done : done + int(known.sum())])
        places = np.array([(word.start, word.end) for word in words], dtype=np.int64).reshape(-1, 2)
        ablations.append(Ablation(places, Column(own, np.where(known, known.cumsum() - 1, -1))))
        done += len(own)
    return ablations


def _halves(embeddings: torch.Tensor) -> list[Embedding]:
    return list(embeddings.half().cpu().numpy())


def _prepared(image: bytes, part: str, tower: ImageTower) -> npt.NDArray[Any] | Refused | InputError:
    try:
        pixels = decode(image)
    except InputError as err:
        return err
    if part != "person_mask":
        return prepare(pixels, tower.height, tower.width, denoise_sigma=tower.denoise_sigma)
    person = find_person(pixels)
    return Refused(person.reason) if person.mask is None else frame_mask(person.mask, tower.height, tower.width)

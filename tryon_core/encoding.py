"""Files and texts to the half-precision embeddings that travel and are kept; a wrong one spoils no other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .batch import Column
from .config import ImageTower, TextTower
from .errors import InputError
from .explain import Ablation
from .mask import decode_mask
from .model import Model
from .person import find_person, frame_mask
from .photo import decode, prepare
from .pose import pose_model
from .refusals import REFUSALS
from .spans import Word, words_of
from .text import text_arrays, token_arrays
from .words import Token

Embedding = npt.NDArray[np.float16]
"""float16[dim], contiguous."""
_VARIANTS = 512
"""Texts that are encoded at once where words are left out: a bound of memory."""


@dataclass(frozen=True)
class Refused:
    """A good image in which no usable person is."""

    reason: str


class NoPersonError(InputError):
    """A good image in which no usable person is; `detail` is a sentence of `refusals.REFUSALS`."""


def prepared_image(image: bytes, part: str, tower: ImageTower) -> npt.NDArray[Any]:
    """Return an image file as a tower takes it: uint8[height, width], or uint8[height, width, 3].

    Args:
        image: a JPEG, PNG or WebP file.
        part: for `person_mask` a photo, of which the person is taken.

    Raises:
        InputError: it does not read, or is too large or small.
        NoPersonError: a person is to be taken, and none is whom a mask can be taken of.
    """
    pixels = decode(image)
    if part != "person_mask":
        return prepare(pixels, tower.height, tower.width, denoise_sigma=tower.denoise_sigma)
    person = find_person(pixels)
    if person.mask is None:
        raise NoPersonError(person.reason)
    return frame_mask(person.mask, tower.height, tower.width)


@torch.inference_mode()
def encode_images(model: Model, part: str, images: Sequence[bytes]) -> list[Embedding | Refused | InputError]:
    """Return for each image file, in order, its embedding, or why there is none.

    Args:
        part: an image part of the model; for `person_mask` the images are photos, of which the person is taken.
        images: JPEG, PNG or WebP files.
    """
    tower = model.config.towers[model.config.parts[part]]
    assert isinstance(tower, ImageTower)
    return _encoded(model, part, [_prepared(image, part, tower) for image in images])


@torch.inference_mode()
def encode_masks(model: Model, masks: Sequence[bytes]) -> list[Embedding | Refused | InputError]:
    """Return for each mask file, in order, its embedding, or why there is none; it is what its person's photo would give.

    Args:
        model: one with the part `person_mask`.
        masks: as `mask.decode_mask` takes them.
    """
    tower = model.config.towers[model.config.parts["person_mask"]]
    assert isinstance(tower, ImageTower)
    return _encoded(model, "person_mask", [_framed(mask, tower) for mask in masks])


def warm_up(model: Model) -> None:
    """Load what encoding photos needs besides the model, and run it once, so that no shopper waits for that.

    Raises:
        CheckpointError: the installation's pose networks are damaged.
    """
    if "person_mask" in model.config.parts:
        pose_model().warm_up()


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
    left = [[_without(tokens, word) for word in words] for tokens, words in read]
    embeddings = _ablated(model, part, tower, [tokens for own in left for tokens in own if tokens])
    return [_ablation(words, own, embeddings, tower.embedding_dim) for (_, words), own in zip(read, left, strict=True)]


def _without(tokens: Sequence[Token], word: Word) -> list[Token]:
    return [token for at, token in enumerate(tokens) if at not in word.tokens]


def _ablated(model: Model, part: str, tower: TextTower, texts: Sequence[Sequence[Token]]) -> Iterator[Embedding]:
    for at in range(0, len(texts), _VARIANTS):
        yield from _halves(model.encode(part, token_arrays(texts[at : at + _VARIANTS], tower.rows)))


def _ablation(words: Sequence[Word], left: Sequence[Sequence[Token]], embeddings: Iterator[Embedding], dim: int) -> Ablation:
    """Return one text's words, and as many of the embeddings as the text without each has tokens left."""
    known = np.array([bool(tokens) for tokens in left], dtype=bool)
    values = np.array(list(itertools.islice(embeddings, int(known.sum()))), dtype=np.float16).reshape(-1, dim)
    places = np.array([(word.start, word.end) for word in words], dtype=np.int64).reshape(-1, 2)
    return Ablation(places, Column(values, np.where(known, known.cumsum() - 1, -1)))


def _encoded(
    model: Model, part: str, prepared: Sequence[npt.NDArray[Any] | Refused | InputError]
) -> list[Embedding | Refused | InputError]:
    pixels = [p for p in prepared if isinstance(p, np.ndarray)]
    embeddings = iter(_halves(model.encode(part, np.stack(pixels))) if pixels else [])
    return [next(embeddings) if isinstance(p, np.ndarray) else p for p in prepared]


def _framed(content: bytes, tower: ImageTower) -> npt.NDArray[Any] | Refused | InputError:
    try:
        mask = decode_mask(content)
    except InputError as err:
        return err
    return Refused(REFUSALS["no_person"]) if mask is None else frame_mask(mask, tower.height, tower.width)


def _halves(embeddings: torch.Tensor) -> list[Embedding]:
    return list(embeddings.half().cpu().numpy())


def _prepared(image: bytes, part: str, tower: ImageTower) -> npt.NDArray[Any] | Refused | InputError:
    try:
        return prepared_image(image, part, tower)
    except NoPersonError as err:
        return Refused(err.detail)
    except InputError as err:
        return err

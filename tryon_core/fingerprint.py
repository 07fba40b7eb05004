"""Names for contents: what weights and settings made an embedding or an answer; imports no torch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from .batch import PARTS
from .config import ImageTower, ModelConfig, TextTower
from .words import PARSER_VERSION

PREPROCESSING_VERSION = 2
"""Raise it when `photo` or `person` changes what an encoder sees for the same bytes."""


ENCODER_VERSION = 4
"""Raise it when a tower, the fusion or a head computes something else from the same weights."""

VERSIONS = {"preprocessing": PREPROCESSING_VERSION, "parser": PARSER_VERSION, "encoder": ENCODER_VERSION}
"""Under which a checkpoint's weights were fitted; those of others mean something else."""


def tower_fingerprint(config: ModelConfig, tower: str, weights: Mapping[str, npt.NDArray[Any]]) -> str:
    """Return 16 hex digits for one encoder: its weights, its settings and how its input is prepared."""
    settings = config.towers[tower]
    version = PREPROCESSING_VERSION if isinstance(settings, ImageTower) else 0
    version = PARSER_VERSION if isinstance(settings, TextTower) else version
    prefix = f"towers.{tower}."
    own = {name: array for name, array in weights.items() if name.startswith(prefix)}
    return _digest(own, {"settings": _stated(settings), "version": [version, ENCODER_VERSION]})


def model_fingerprint(config: ModelConfig, weights: Mapping[str, npt.NDArray[Any]], calibration: Mapping[str, Any]) -> str:
    """Return 16 hex digits for everything that an answer depends on: weights, config, preprocessing, calibration."""
    versions = [PREPROCESSING_VERSION, PARSER_VERSION, ENCODER_VERSION]
    widths = {name: PARTS[name].width for name in config.parts if name in PARTS}
    return _digest(weights, {"config": _stated(config), "calibration": calibration, "versions": versions, "w": widths})


def emphasised_fingerprint(model: str, weights: Mapping[str, float]) -> str:
    """Return the fingerprint of a model with factors on the weights of its parts; its own where none of them is changed."""
    changed = {part: weight for part, weight in weights.items() if weight != 1}
    return _digest({}, {"model": model, "weights": changed}) if changed else model


def content_key(secret: bytes, *content: bytes) -> str:
    """Return 32 hex digits that name a content to holders of `secret` and tell nobody else what it was.

    Args:
        secret: 1 to 64 bytes.
        content: byte strings; their lengths are part of the name, so that ("ab", "c") and ("a", "bc") differ.
    """
    digest = blake2b(key=secret, digest_size=16)
    for chunk in content:
        digest.update(len(chunk).to_bytes(8, "little"))
        digest.update(chunk)
    return digest.hexdigest()


def _stated(value: Any) -> Any:
    """Return a config as plain data without what is at its default, so that a new field leaves old fingerprints be."""
    if dataclasses.is_dataclass(value):
        told = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if getattr(value, f.name) != f.default}
        return {name: _stated(own) for name, own in told.items()} | {"is": type(value).__name__}
    return {key: _stated(own) for key, own in value.items()} if isinstance(value, Mapping) else value


def _digest(weights: Mapping[str, npt.NDArray[Any]], settings: Mapping[str, Any]) -> str:
    digest = blake2b(digest_size=8)
    digest.update(json.dumps(settings, sort_keys=True, default=list).encode())
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name}{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()

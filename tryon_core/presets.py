"""Model configs by name; presets are functions, so that each call gives a fresh one to change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .batch import LOOK_TASKS
from .config import FusionConfig, ImageTower, ModelConfig, NumbersTower, TextTower
from .errors import ConfigError, expected_one_of

_PARTS = {
    "person_mask": "person_mask",
    "shopper_words": "text",
    "garment_image": "garment_image",
    "garment_words": "text",
    "size": "size",
    "history": "history",
    "ease": "ease",
    "verdict": "verdict",
}


_TASKS = {"match": 1.0, "fit": 1.0, "body": 1.0} | {t: 0.5 if t.startswith("taste") else 0.2 for t in LOOK_TASKS}
"""Looks and the taste in them are learnt beside the match, which compares them: from kept and returned alone it would not
find out in any reasonable time that a colour in the words is one in the picture."""


def preset(name: str) -> ModelConfig:
    """Return a preset's config.

    Raises:
        ConfigError: no preset has that name.
    """
    if name not in PRESETS:
        raise ConfigError(expected_one_of("preset", name, PRESETS))
    return PRESETS[name]()


def _article() -> ModelConfig:
    """The published model with its faults mended: CNN and bidirectional LSTM, concatenated, binary cross-entropy."""
    return ModelConfig(
        name="article",
        parts={"photo": "photo", "shopper_words": "text", "garment_words": "text"},
        towers={
            "photo": ImageTower(encoder="cnn", height=128, width=128, stages=(32, 64), embedding_dim=256),
            "text": TextTower(encoder="lstm", width=128, embedding_dim=256, dropout=0.0),
        },
        fusion=FusionConfig(kind="concat", width=256, depth=0),
        tasks={"match": 1.0},
    )


def _tiny() -> ModelConfig:
    """Small enough that a test trains it."""
    numbers = NumbersTower(embedding_dim=16, hidden=16)
    return ModelConfig(
        name="tiny",
        parts=_PARTS,
        towers={
            "person_mask": _of_masks(ImageTower(encoder="cnn", height=48, width=32, stages=(8, 8), embedding_dim=16)),
            "garment_image": ImageTower(encoder="cnn", height=32, width=32, stages=(8, 8), embedding_dim=16),
            "text": TextTower(encoder="gru", width=16, embedding_dim=16, max_tokens=48, quantities=True),
            "size": numbers,
            "history": numbers,
            "ease": numbers,
            "verdict": numbers,
        },
        fusion=FusionConfig(width=32, depth=1, interactions=True),
        tasks=_TASKS,
    )


def _base() -> ModelConfig:
    """The shipped default: fast on a CPU."""
    cnn = ImageTower(encoder="cnn", height=64, width=64, stages=(24, 48, 64), stem_stride=2)
    return ModelConfig(
        name="base",
        parts=_PARTS,
        towers={
            "person_mask": _of_masks(
                replace(cnn, height=96, stages=(24, 48, 96), pooling="average", places=(12, 2)),
            ),
            "garment_image": cnn,
            "text": TextTower(encoder="gru", width=64, embedding_dim=64, quantities=True),
            "size": NumbersTower(),
            "history": NumbersTower(embedding_dim=32, hidden=32),
            "ease": NumbersTower(),
            "verdict": NumbersTower(embedding_dim=32, hidden=32),
        },
        fusion=FusionConfig(kind="concat", width=128, depth=2, interactions=True, dropout=0.1),
        tasks=_TASKS,
    )


def _large() -> ModelConfig:
    """ViT-B/16 and a 12-layer text transformer; for GPUs."""
    return ModelConfig(
        name="large",
        parts=_PARTS,
        towers={
            "person_mask": _of_masks(ImageTower(encoder="resnet18", height=256, width=192, embedding_dim=256)),
            "garment_image": ImageTower(encoder="vit_b_16", height=224, width=224, embedding_dim=256),
            "text": TextTower(
                encoder="transformer", width=512, depth=12, num_heads=8, embedding_dim=256, max_tokens=128, dropout=0.1
            ),
            "size": NumbersTower(embedding_dim=128, hidden=128),
            "history": NumbersTower(embedding_dim=64, hidden=64),
            "ease": NumbersTower(embedding_dim=128, hidden=128),
            "verdict": NumbersTower(embedding_dim=64, hidden=64),
        },
        fusion=FusionConfig(kind="attention", width=512, depth=4, num_heads=8, interactions=True, dropout=0.1),
        tasks=_TASKS,
    )


def _of_masks(tower: ImageTower) -> ImageTower:
    """Return a tower that takes masks: one channel, of which about a fifth is person."""
    return replace(tower, channels=1, mean=(0.2,), std=(0.4,))


PRESETS: dict[str, Callable[[], ModelConfig]] = {"article": _article, "tiny": _tiny, "base": _base, "large": _large}

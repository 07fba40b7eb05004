"""Training rows made of almost nothing, whose labels words and sizes explain; they stand in for a shop."""

from __future__ import annotations

import numpy as np

from train.rows import Rows, tastes
from tryon_core.batch import CATEGORIES, HISTORY_FIELDS, LOOKS, MEASUREMENTS, SIZE_FIELDS, Column
from tryon_core.config import ImageTower, ModelConfig, TextTower
from tryon_core.text import text_arrays


def make_rows(config: ModelConfig, num: int = 256, seed: int = 0) -> Rows:
    """Return rows in which the tall find low ranks small, the short find high ranks large, and the tall keep more."""
    rng = np.random.default_rng(seed)
    people, garments = max(4, num // 4), max(4, num // 8)
    height = rng.uniform(150, 190, people)
    category = rng.integers(0, 8, garments)
    who, what, rank = rng.integers(0, people, num), rng.integers(0, garments, num), rng.uniform(0, 1, num)
    gap = (height[who] - 170) / 20 - (2 * rank - 1)
    fit = np.where(gap > 0.5, 0, np.where(gap < -0.5, 2, 1)).astype(np.int64)
    parts = {}
    for part, name in config.parts.items():
        tower, owner = config.towers[name], who if part in ("person_mask", "photo", "shopper_words") else what
        if isinstance(tower, ImageTower):
            shape = (tower.height, tower.width) if tower.channels == 1 else (tower.height, tower.width, 3)
            dark = 40 + 150 * ((height - 150) / 40 if owner is who else category / 8)
            parts[part] = Column(np.stack([np.full(shape, d, dtype=np.uint8) for d in dark]), owner)
        elif isinstance(tower, TextTower):
            told = [f"{h:.0f} cm" for h in height] if owner is who else [f"a {CATEGORIES[c]} of linen" for c in category]
            parts[part] = Column(text_arrays(told, tower.rows, tower.max_tokens), owner)
        elif part == "size":
            numbers = np.full((num, len(SIZE_FIELDS)), np.nan, dtype=np.float32)
            numbers[:, SIZE_FIELDS.index("rank")] = rank
            numbers[:, SIZE_FIELDS.index("height_cm_low")] = 145 + 40 * rank
            numbers[:, SIZE_FIELDS.index("height_cm_high")] = 155 + 40 * rank
            parts[part] = Column(numbers, np.arange(num))
        elif part == "history":
            parts[part] = Column(rng.normal(size=(num, len(HISTORY_FIELDS))).astype(np.float32), np.arange(num))
    body = np.full((num, len(MEASUREMENTS)), np.nan, dtype=np.float32)
    body[:, 0] = height[who]
    fit[::7] = -1
    match = np.where((height[who] - 170) / 20 + (category[what] - 3.5) / 7 > 0, 1.0, 0.0).astype(np.float32)
    looks = {look: category[what].astype(np.int64) % len(names) for look, names in LOOKS.items()}
    taste = {f"taste_{look}": tastes(match, fit, looks[look], len(names)) for look, names in LOOKS.items()}
    return Rows(parts, {"fit": fit, "match": match, "body": body, **looks, **taste})

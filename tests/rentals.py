"""A drawn rental shop in the published file's format, with untold garment offsets that lines reveal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from train.rtr_rows import Shop

_DATE = ("January 1, 2015", "June 3, 2015", "March 20, 2016", "December 31, 2016")


def write_raw(path: Path, num: int = 600, seed: int = 0) -> None:
    """Write JSON lines: offsets of garments in steps of size, bodies whose size follows from weight, some fields missing."""
    rng = np.random.default_rng(seed)
    offset, weights = rng.normal(0, 2.5, 12), rng.integers(105, 190, 150)
    lines = []
    for _ in range(num):
        shopper, garment = int(rng.integers(150)), int(rng.integers(12))
        right = (weights[shopper] - 95) / 5
        size = int(np.clip(round(right + rng.normal(0, 2)), 0, 30))
        ease = size + offset[garment] - right + rng.normal(0, 1)
        fields: dict[str, Any] = {
            "fit": "small" if ease < -2.5 else "large" if ease > 2.5 else "fit",
            "user_id": str(1000 + shopper),
            "item_id": str(garment),
            "size": size,
            "weight": f"{weights[shopper]}lbs",
            "height": "5' 8\"" if shopper % 2 else "5'",
            "bust size": ("34d", "36dd", "32ddd/e", "34b+")[shopper % 4],
            "age": str(20 + shopper % 50) if shopper % 9 else "117",
            "body type": ("athletic", "pear")[shopper % 2],
            "rented for": "wedding",
            "category": ("dress", "gown")[garment % 2],
            "rating": "10",
            "review_text": "so nice",
            "review_date": _DATE[int(rng.integers(4))],
        }
        for name in ("weight", "bust size", "body type", "rented for"):
            if rng.random() < 0.1:
                del fields[name]
        lines.append(json.dumps(fields))
    path.write_text("\n".join(lines) + "\n")


def request_of(shop: Shop, row: int) -> dict[str, Any]:
    """Return the HTTP request that says of a row what the shop knows of it: its words, its garment, its own earlier lines."""
    every = shop.all
    _, lines = shop.lines_of(np.array([row]), np.arange(shop.num_events))
    owned = [
        {"garment_id": str(every.garment[i]), "size": str(every.size[i]), "fit": ("small", "fit", "large")[every.fit[i]]}
        for i in lines
    ]
    garment = {"id": str(every.garment[row]), "category": every.garment_words[row] or None}
    return {
        "shopper": {"text": every.shopper_words[row], "profile": {"owned": owned}},
        "garments": [{**garment, "sizes": [{"label": str(every.size[row])}]}],
    }

"""The sample that ships with a checkpoint: some of its shop's garments as a catalogue, and one rendered shopper."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tryon_core.errors import ConfigError

from .data.sim import Shop, SimConfig, build_shop, image_of, photo_of
from .data.stock import SimGarment

PER_CATEGORY = 1
_IMAGE_PX = 192
_PHOTO_PX = (800, 533)
_WORDS = "165 cm, 55 kg, usually M, likes loose blue dresses\n"


def write_sample(about: Mapping[str, Any], out: Path) -> int:
    """Write catalogue.json, the garments' images, shopper.jpg and shopper.txt; return the number of garments.

    Args:
        about: a checkpoint's `metrics["data"]`, which says how its shop was drawn.
        out: a folder, made where missing.

    Raises:
        ConfigError: the checkpoint was fitted on other data.
    """
    if about.get("source") != "sim":
        raise ConfigError(f"expected a checkpoint that was fitted on the simulated shop, got one of {about.get('source')!r}")
    shop = build_shop(SimConfig(**{name: value for name, value in about.items() if name not in ("source", "mixed")}))
    chosen = _some_of_each(shop)
    out.mkdir(parents=True, exist_ok=True)
    catalogue = [_described(shop.garments[j]) for j in chosen]
    for entry, j in zip(catalogue, chosen, strict=True):
        (out / entry["image"]).write_bytes(_jpeg(image_of(shop, j, _IMAGE_PX)))
    (out / "catalogue.json").write_text(json.dumps(catalogue, indent=1) + "\n", encoding="utf-8")
    (out / "shopper.jpg").write_bytes(_jpeg(photo_of(shop, _sample_person(shop), *_PHOTO_PX)))
    (out / "shopper.txt").write_text(_WORDS, encoding="utf-8")
    return len(catalogue)


def _some_of_each(shop: Shop) -> list[int]:
    """Return the most ordered garments of each department and category that publish a chart, one of a style."""
    counts = np.bincount(shop.orders.garment, minlength=len(shop.garments))
    kept: dict[tuple[str, str], list[int]] = {}
    styles: set[str] = set()
    for j in np.argsort(-counts, kind="stable").tolist():
        garment = shop.garments[j]
        own = kept.setdefault((garment.department, garment.category), [])
        if garment.sizes[0][1] and garment.style_id not in styles and len(own) < PER_CATEGORY:
            own.append(j)
            styles.add(garment.style_id)
    return [j for key in sorted(kept) for j in kept[key]]


def _sample_person(shop: Shop) -> int:
    """Return the held-out woman whose height and weight are nearest to what the sample's words say."""
    height, weight = (np.asarray(shop.bodies.column(name)) for name in ("height_cm", "weight_kg"))
    far = np.abs(height - 165) / 10 + np.abs(weight - 55) / 10
    women = np.array([shopper.sex == "female" for shopper in shop.shoppers])
    return int(np.where(shop.holdout & women, far, np.inf).argmin())


def _described(garment: SimGarment) -> dict[str, Any]:
    """Return a garment in the JSON form of the HTTP API, with the name of its image's file."""
    texts = {
        key: getattr(garment, key) for key in ("id", "title", "brand", "style_id", "department", "category", "description")
    }
    sizes = [
        {"label": label, "chart": {"of": "body", **{k: list(v) for k, v in chart.items()}}} for label, chart in garment.sizes
    ]
    return {**texts, "sizes": sizes, "image": f"{garment.id}.jpg"}


def _jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()

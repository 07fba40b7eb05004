"""The simulated shop as a shop would export it: order lines, garments and reasons as files that source `table` reads."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tryon_core.batch import FIT_CLASSES

from . import labels
from .sim import Shop, SimShopper, image_of
from .stock import SimGarment

REASONS = {
    "small": ("zu klein", "too tight", "太小了"),
    "large": ("zu groß", "too big", "太大了"),
    "style": ("gefällt nicht", "not as pictured", "不喜欢"),
    "ignore": ("damaged in transit", "arrived late"),
}
"""What shoppers give as reasons, by what they mean."""
_BEGIN = datetime(2024, 1, 1)
_FIRST_REPLY, _LAST_REPLY = 3, 21
"""Days until the outcome of an order is known."""


@dataclass(frozen=True)
class ExportOptions:
    """What a shop knows of its shoppers and their orders."""

    height_missing: float = 0.6
    """Share of the shoppers who told neither height nor weight."""
    size_missing: float = 0.3
    """Share of the shoppers who told no usual size."""
    reason_missing: float = 0.2
    """Share of the returns without a reason."""
    reason_beside: float = 0.05
    """Share of the returns for reasons that have nothing to do with fit and taste."""
    both_sizes: float = 0.1
    """Share of the orders that come back for their size whose shopper had ordered the next size with it."""
    images: int = 0
    """Width and height of product photos in pixels; none where 0."""


def write_shop(shop: Shop, out: Path, options: ExportOptions, seed: int = 0) -> int:
    """Write orders.csv, garments.csv, reasons.json and pictures of the garments ordered; return the number of order lines.

    Lines say what became of an order and, of returns, why: how a garment that was kept fits is not told.

    Args:
        out: a folder, made where missing.
    """
    rng = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    told = [_told(shopper, options, rng) for shopper in shop.shoppers]
    lines = [line for order in range(len(shop.orders.day)) for line in _order(shop, order, told, options, rng)]
    _write(out / "orders.csv", lines)
    used = sorted({line["garment_id"] for line in lines})
    by_id = {garment.id: at for at, garment in enumerate(shop.garments)}
    _write(out / "garments.csv", [row for name in used for row in _garment(shop.garments[by_id[name]], options)])
    meanings = {text: meaning for meaning, texts in REASONS.items() for text in texts}
    (out / "reasons.json").write_text(json.dumps(meanings, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for name in used if options.images else ():
        (out / "images").mkdir(exist_ok=True)
        picture = Image.fromarray(image_of(shop, by_id[name], options.images))
        picture.save(out / "images" / f"{name}.jpg", quality=85)
    return len(lines)


def _told(shopper: SimShopper, options: ExportOptions, rng: np.random.Generator) -> dict[str, str]:
    """Return the columns that tell of a shopper."""
    measured, sized = rng.random(2) >= (options.height_missing, options.size_missing)
    liked = " ".join(filter(None, (shopper.cut, *shopper.colours, shopper.pattern, shopper.category)))
    return {
        "customer_key": shopper.key,
        "height_cm": f"{shopper.height_cm:.0f}" if measured else "",
        "weight_kg": f"{shopper.weight_kg:.0f}" if measured else "",
        "usual_size": shopper.usual_size if sized else "",
        "sex": shopper.sex,
        "preferences": f"likes {liked}" if liked else "",
    }


def _order(
    shop: Shop, order: int, told: Sequence[Mapping[str, str]], options: ExportOptions, rng: np.random.Generator
) -> Iterable[dict[str, Any]]:
    """Yield the lines of an order: the one that was drawn, and perhaps the next size of the same garment."""
    orders = shop.orders
    shopper, garment, size = int(orders.shopper[order]), int(orders.garment[order]), int(orders.size[order])
    kept, said = bool(orders.kept[order]), int(orders.fit[order])
    placed = _BEGIN + timedelta(days=float(orders.day[order]))
    known = placed + timedelta(days=float(rng.uniform(_FIRST_REPLY, _LAST_REPLY)))
    about = {
        "order_id": f"order-{shop.config.seed}-{order}",
        "ordered_at": placed.isoformat(timespec="seconds"),
        "occurred_at": known.isoformat(timespec="seconds"),
        **told[shopper],
        "garment_id": shop.garments[garment].id,
    }
    yield {**about, **_ending(shop.garments[garment], size, kept, said, options, rng)}
    other = size + {"small": 1, "large": -1}.get(FIT_CLASSES[said] if said >= 0 else "", 0)
    if kept or other == size or not 0 <= other < len(shop.garments[garment].sizes) or rng.random() >= options.both_sizes:
        return
    who, what = np.array([shopper]), np.array([garment])
    chances, _ = labels.oracle(shop.truth, who, what, np.array([other]))
    outcome, stayed = labels.draw_outcomes(chances, labels.agreement(shop.truth, who, what), rng)
    yield {**about, **_ending(shop.garments[garment], other, bool(stayed[0]), int(outcome[0]), options, rng)}


def _ending(
    garment: SimGarment, size: int, kept: bool, said: int, options: ExportOptions, rng: np.random.Generator
) -> dict[str, str]:
    label = garment.sizes[size][0]
    if kept:
        return {"size": label, "outcome": "kept", "reason": ""}
    meaning = {"small": "small", "large": "large", "fit": "style"}.get(FIT_CLASSES[said] if said >= 0 else "", "")
    meaning = "ignore" if rng.random() < options.reason_beside else meaning
    silent = not meaning or rng.random() < options.reason_missing
    return {"size": label, "outcome": "returned", "reason": "" if silent else str(rng.choice(REASONS[meaning]))}


def _garment(garment: SimGarment, options: ExportOptions) -> Iterable[dict[str, Any]]:
    """Yield a line for each size of a garment, the first with its facts."""
    names = ("style_id", "title", "brand", "department", "category", "description", "colour", "pattern", "cut")
    facts = {name: getattr(garment, name) for name in names}
    facts["garment_image"] = f"images/{garment.id}.jpg" if options.images else ""
    for label, chart in garment.sizes:
        bounds = {
            f"{key}_{end}": f"{value:.0f}" for key, range_ in chart.items() for end, value in zip(_ENDS, range_, strict=True)
        }
        yield {"garment_id": garment.id, **facts, "size": label, **bounds}
        facts = dict.fromkeys(facts, "")


_ENDS = ("low", "high")


def _write(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

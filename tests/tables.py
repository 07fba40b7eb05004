"""Order lines of a shop as files, written for the tests."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from train.data.sim import SimConfig
from train.sources import Data, load_data
from tryon_core.presets import preset

Lines = Sequence[Mapping[str, str]]


LINE = {"ordered_at": "2026-01-01", "garment_id": "g", "outcome": "kept", "size": "M", "customer_key": "c"}


def many(num: int = 40, **more: str) -> list[dict[str, str]]:
    """Return good lines of as many shoppers, one a day."""
    days = [(date(2026, 1, 1) + timedelta(days=at)).isoformat() for at in range(num)]
    return [{**LINE, "ordered_at": day, "customer_key": f"c{at}", **more} for at, day in enumerate(days)]


def write(file: Path, lines: Lines) -> Path:
    names = list(dict.fromkeys(name for line in lines for name in line))
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, names, restval="")
        writer.writeheader()
        writer.writerows(lines)
    return file


def loader(folder: Path) -> Callable[..., Data]:
    """Return what writes lines into a folder and loads them through the source; options go behind the question mark."""

    def run(lines: Lines, query: str = "max_bad=0.5", splits: Sequence[str] = ("train", "val")) -> Data:
        file = write(folder / "orders.csv", lines)
        return load_data(f"table:{file}?{query}", preset("tiny"), SimConfig(), splits)

    return run

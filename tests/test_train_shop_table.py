"""The simulated shop as a table: what is exported reads back as what happened, and nothing that a shop would not know."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from train.data.shop_table import REASONS, ExportOptions, write_shop
from train.data.sim import Shop, SimConfig, build_shop
from train.sources import load_data
from tryon_core.presets import preset


@pytest.fixture(scope="module")
def shop() -> Shop:
    return build_shop(SimConfig(seed=4, shoppers=300, garments=40, brands=5, orders=1500))


@pytest.fixture(scope="module")
def folder(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "shop"
    write_shop(shop, out, ExportOptions(both_sizes=0.5))
    return out


def _lines(folder: Path, name: str = "orders.csv") -> list[dict[str, str]]:
    return list(csv.DictReader((folder / name).read_text(encoding="utf-8").splitlines()))


def test_six_in_ten_shoppers_told_no_height(folder: Path) -> None:
    people = {line["customer_key"]: line for line in _lines(folder)}
    assert np.mean([not person["height_cm"] for person in people.values()]) == pytest.approx(0.6, abs=0.08)
    assert all(bool(person["height_cm"]) == bool(person["weight_kg"]) for person in people.values())


def test_every_order_is_there_and_ended_as_it_did(shop: Shop, folder: Path) -> None:
    first: dict[str, dict[str, str]] = {}
    for line in _lines(folder):
        first.setdefault(line["order_id"], line)
    assert len(first) == len(shop.orders.day)
    for order, kept in enumerate(shop.orders.kept):
        line = first[f"order-4-{order}"]
        assert line["outcome"] == ("kept" if kept else "returned")
        assert line["garment_id"] == shop.garments[shop.orders.garment[order]].id
        assert not (kept and line["reason"])


def test_reasons_say_what_was_told_and_no_more(shop: Shop, folder: Path) -> None:
    meaning = {text: what for what, texts in REASONS.items() for text in texts}
    told = {"small": 0, "large": 2, "style": 1}
    lines = {line["order_id"]: line for line in _lines(folder)[::-1]}
    said = [
        (meaning[line["reason"]], shop.orders.fit[int(name.split("-")[2])]) for name, line in lines.items() if line["reason"]
    ]
    assert len(said) > 200
    assert all(fit == told[what] for what, fit in said if what != "ignore")


def test_both_sizes_of_an_order_are_neighbours_of_one_garment(folder: Path) -> None:
    ladder: dict[str, list[str]] = {}
    for line in _lines(folder, "garments.csv"):
        ladder.setdefault(line["garment_id"], []).append(line["size"])
    orders: dict[str, list[dict[str, str]]] = {}
    for line in _lines(folder):
        orders.setdefault(line["order_id"], []).append(line)
    both = [lines for lines in orders.values() if len(lines) > 1]
    assert len(both) > 20
    for one, other in both:
        sizes = ladder[one["garment_id"]]
        assert one["garment_id"] == other["garment_id"]
        assert abs(sizes.index(one["size"]) - sizes.index(other["size"])) == 1


def test_the_export_loads_without_a_bad_line(folder: Path) -> None:
    spec = f"table:{folder}/orders.csv?garments=garments.csv&reasons=reasons.json&split=date"
    data = load_data(spec, preset("tiny"), SimConfig())
    assert data.rejected == ()
    assert sum(len(rows) for rows in data.splits.values()) == len(_lines(folder))

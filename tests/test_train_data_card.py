"""The data card says what its shop is, its pictures lie beside it, and the one in the repository is of the default shop."""

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import train.data
from train.__main__ import main
from train.data.sim import SimConfig, build_shop
from train.data_card import data_card, write_data_card
from train.data_pictures import people_sheet
from train.scores import auc

SMALL = SimConfig(seed=4, shoppers=120, garments=60, brands=10, orders=2_000)
SHIPPED = Path(train.data.__file__).parent / "card"


def pictures_of(card: str) -> list[str]:
    return re.findall(r"!\[[^\]]+\]\(([a-z]+\.png)\)", card)


def test_a_card_lies_beside_the_pictures_that_it_shows(tmp_path: Path) -> None:
    num_bytes = write_data_card(SMALL, tmp_path, "python -m train data-card --out card")
    card = (tmp_path / "DATA_CARD.md").read_text(encoding="utf-8")
    assert {*pictures_of(card), "DATA_CARD.md"} == {path.name for path in tmp_path.iterdir()}
    assert num_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert "`python -m train data-card --out card`" in card


def test_a_card_tells_the_oracles_score_of_the_shop_and_of_unseen_brands() -> None:
    shop = build_shop(SMALL)
    card = data_card(shop, "")
    held, unseen = shop.holdout[shop.orders.shopper], shop.unseen[shop.orders.garment]
    for name, rows in (("train", ~held & ~unseen), ("val", held), ("val, unseen brands", held & unseen)):
        told = rows & (shop.orders.fit >= 0)
        fit, oracle = shop.orders.fit[told], shop.orders.oracle_fit[told]
        mean = np.mean([auc(oracle[:, code], fit == code) for code in range(3)])
        line = next(line for line in card.splitlines() if line.startswith(f"| {name} |"))
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[1] == f"{rows.sum():,}"
        assert cells[5] == f"{mean:.3f}"


def test_a_sheet_of_people_has_their_masks_below_their_photos() -> None:
    pixels = np.asarray(people_sheet(build_shop(SMALL)).convert("RGB"))
    height = pixels.shape[0] // 2
    assert set(np.unique(pixels[height:])) <= {0, 255}
    assert len(np.unique(pixels[:height].reshape(-1, 3), axis=0)) > 50


def test_the_shipped_card_is_of_the_default_shop_small_and_whole() -> None:
    card = (SHIPPED / "DATA_CARD.md").read_text(encoding="utf-8")
    assert set(pictures_of(card)) == {path.name for path in SHIPPED.glob("*.png")}
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 400_000
    for path in SHIPPED.glob("*.png"):
        with Image.open(path) as picture:
            picture.verify()
    for name, value in asdict(SimConfig()).items():
        assert value == "" or f"| {name.replace('_', ' ')} | {value} |" in card


def test_the_command_refuses_a_folder_that_holds_something(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert main(["data-card", "--out", str(tmp_path)]) == 2
    assert "folder" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

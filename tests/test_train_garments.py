"""Folders of garment photos: what is read, what is refused, what is told of files that do not read."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from train.__main__ import main
from train.config import TrainConfig, with_choices
from train.data.sim import SimConfig
from train.export import export
from train.garment_rows import garments_data
from train.loop import Place, build_model, fit
from train.sources import Data, load_data
from tryon_core.augment import Augmentation
from tryon_core.batch import CATEGORIES
from tryon_core.checkpoint import load_checkpoint
from tryon_core.errors import ConfigError
from tryon_core.presets import preset
from tryon_core.tasks import TASKS

GARMENTS = Path(__file__).parents[2] / "shared" / "data" / "garments"
TINY = preset("tiny")
ONE = {"garment_image": TINY.towers["garment_image"]}


def draw_photos(folder: Path, *, per_category: int = 2, size: int = 48) -> Path:
    """Write a garment folder of both splits, each category in a grey of its own."""
    for split in ("train", "val"):
        for c, category in enumerate(CATEGORIES):
            (folder / split / category).mkdir(parents=True)
            for number in range(per_category):
                image = Image.new("RGB", (size, size + 16), (20 * c + 10, 20 * c + 10, 100))
                image.save(folder / split / category / f"{number}.jpg", quality=95)
    return folder


def read(folder: Path, *splits: str) -> Data:
    return load_data(f"garments:{folder}", TINY, SimConfig(), splits or ("train", "val"))


def test_each_photo_is_a_row_of_its_folders_category_of_which_nothing_else_is_known(tmp_path: Path) -> None:
    data = read(draw_photos(tmp_path))
    rows = data.splits["train"]
    assert set(rows.parts) == {"garment_image"}
    assert set(rows.targets) == set(TINY.tasks)
    column = rows.parts["garment_image"]
    assert column.values.shape == (20, 32, 32, 3)
    greys = column.values[column.index][:, 16, 16, 0]
    assert np.abs(greys - (20.0 * rows.targets["category"] + 10)).max() <= 3
    assert np.bincount(rows.targets["category"]).tolist() == [2] * 10
    for task, target in rows.targets.items():
        assert target.shape[1:] == ((TASKS[task].num_outputs,) if task.startswith("taste") or task == "body" else ())
        if task != "category":
            assert np.isnan(target).all() if target.dtype.kind == "f" else (target == -1).all()
    assert data.about == {"source": "garments", "photos_train": 20, "photos_val": 20}


def test_photos_that_do_not_read_are_told_by_path_counted_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = draw_photos(tmp_path)
    broken = folder / "train" / "hat" / "0.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    (folder / "train" / "shoes" / "readme.txt").write_text("no photo")
    (folder / "train" / "shoes" / ".hidden").write_text("what a file browser leaves behind")
    with caplog.at_level(logging.WARNING):
        data = read(folder, "train")
    assert len(data.splits["train"]) == 19
    assert data.about["unreadable_train"] == 2
    assert [str(broken) in caplog.messages[0], "readme.txt" in caplog.messages[1]] == [True, True]
    assert "2 of 21 files" in caplog.messages[2]


def test_a_folder_that_no_category_is_named_after_is_refused_with_the_closest_name(tmp_path: Path) -> None:
    folder = draw_photos(tmp_path)
    (folder / "train" / "shirt").rename(folder / "train" / "shirts")
    with pytest.raises(ConfigError, match="got 'shirts'; did you mean 'shirt'"):
        read(folder)


def test_missing_folders_and_splits_without_a_photo_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a folder behind garments:"):
        load_data("garments", TINY, SimConfig())
    with pytest.raises(ConfigError, match="got nothing at"):
        read(tmp_path / "nowhere")
    (tmp_path / "train" / "hat").mkdir(parents=True)
    with pytest.raises(ConfigError, match="got 0 files of which none reads"):
        read(tmp_path, "train")
    (tmp_path / "train" / "list.csv").write_text("a,b")
    with pytest.raises(ConfigError, match=r"got the file list\.csv"):
        read(tmp_path, "train")


def test_a_model_that_sees_no_garment_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a model that sees part garment_image"):
        garments_data(preset("article"), str(tmp_path), SimConfig(), ("train",))


def test_a_model_that_tells_no_category_is_refused(tmp_path: Path) -> None:
    config = replace(TINY, parts={"garment_image": "garment_image"}, towers=ONE, tasks={"colour": 1.0})
    with pytest.raises(ConfigError, match="expected a model with task category, got one of colour"):
        garments_data(config, str(tmp_path), SimConfig(), ())


def test_a_model_fitted_on_photos_alone_is_written_with_the_categorys_scores_and_loads(tmp_path: Path) -> None:
    data = read(draw_photos(tmp_path / "photos"))
    config = TrainConfig(model=TINY, epochs=1, batch_size=8, looks_epochs=30, looks_rate=1e-2, looks_batch_size=10)
    config = replace(config, frozen=("garment_image",), looks_augmentation=Augmentation(flip=True))
    model = build_model(config, data.splits["train"])
    fit(model, data.splits["train"], config, lambda event: None, place=Place())
    scores = export(str(tmp_path / "out"), model, data, command="fit", date="today")
    assert set(scores) == {"category", "by_parts"}
    assert scores["category"]["accuracy"] > 0.5
    manifest = load_checkpoint(str(tmp_path / "out")).manifest
    assert manifest.metrics["data"]["photos_train"] == 20


@pytest.mark.slow
@pytest.mark.cluster
def test_one_command_learns_looks_of_drawn_garments_and_photos_and_scores_both(ray_cluster: None, tmp_path: Path) -> None:
    photos, out = draw_photos(tmp_path / "photos"), tmp_path / "out"
    line = f"fit --preset tiny --smoke --looks-epochs 1 --frozen garment_image --data sim garments:{photos}@0.1 --out {out}"
    assert main(line.split()) == 0
    metrics = load_checkpoint(str(out)).manifest.metrics
    assert {"fit", "match", "category"} <= set(metrics["val"])
    (other,) = metrics["others"].values()
    assert other["category"]["num"] == 20


@pytest.mark.skipif(not GARMENTS.is_dir(), reason="the garment photos are not at hand")
def test_all_real_photos_read_and_a_model_can_be_made_for_them() -> None:
    data = read(GARMENTS, "val")
    assert len(data.splits["val"]) == 341
    assert "unreadable_val" not in data.about
    assert np.bincount(data.splits["val"].targets["category"]).min() >= 12
    build_model(TrainConfig(model=with_choices(TINY, image_size="garment_image=32")), data.splits["val"])

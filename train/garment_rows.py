"""Folders of garment photos as rows: a picture each, and its category, which is the folder's name; nothing else is known."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tryon_core.batch import CATEGORIES, Column
from tryon_core.config import ImageTower, ModelConfig
from tryon_core.errors import ConfigError, InputError, expected_one_of
from tryon_core.history import History
from tryon_core.photo import RGB, decode, prepare

from .data.sim import SimConfig
from .rows import Array, Rows, unknown_of
from .sources import Data

log = logging.getLogger(__name__)
_TOLD = 5
"""Unreadable files that are named one by one."""


@dataclass(frozen=True)
class Photos:
    """The photos of one split."""

    pixels: RGB
    """uint8[N, height, width, 3], prepared as serving prepares them."""
    category: Array
    """int64[N], places in `batch.CATEGORIES`."""
    unreadable: tuple[str, ...]
    """Files that were left out, each with why."""


def garments_data(config: ModelConfig, argument: str, options: SimConfig, splits: Sequence[str]) -> Data:
    """Read ``DIR/<split>/<category>/<photo>``; there is no shopper, no words, no order, and of looks only the category.

    Args:
        argument: the folder that holds one folder per split.
        options: not looked at; nothing is drawn.

    Raises:
        ConfigError: the model sees no garment images or tells no category, a folder is missing or named
            after no category, or a split has no photo that reads.
    """
    tower = config.towers.get(config.parts.get("garment_image", ""))
    if not isinstance(tower, ImageTower):
        raise ConfigError(f"expected a model that sees part garment_image, got one of {', '.join(config.parts)}")
    if "category" not in config.tasks:
        raise ConfigError(f"expected a model with task category, got one of {', '.join(config.tasks)}")
    if not argument:
        raise ConfigError("expected a folder behind garments:, with train and val in it, got none")
    photos = {split: read_photos(Path(argument) / split, tower) for split in splits}
    about = {f"photos_{split}": len(own.category) for split, own in photos.items()}
    about |= {f"unreadable_{split}": len(own.unreadable) for split, own in photos.items() if own.unreadable}
    rows = {split: _rows(own, config) for split, own in photos.items()}
    return Data(rows, History(), 0.0, {"source": "garments", **about})


def read_photos(folder: Path, tower: ImageTower) -> Photos:
    """Return a split's photos in the order of their paths; files that do not read are told, counted and left out.

    Raises:
        ConfigError: the folder is missing, holds one that is named after no category, or no photo that reads.
    """
    pixels, category, unreadable = [], [], []
    for path, name in _files(folder):
        try:
            image = decode(path.read_bytes(), longest_px=2 * max(tower.height, tower.width))
        except (InputError, OSError) as err:
            unreadable.append(f"{path}: {err}")
            continue
        pixels.append(prepare(image, tower.height, tower.width, denoise_sigma=tower.denoise_sigma))
        category.append(CATEGORIES.index(name))
    for told in unreadable[:_TOLD]:
        log.warning("left out %s", told)
    if unreadable:
        log.warning("%d of %d files in %s were left out", len(unreadable), len(unreadable) + len(pixels), folder)
    if not pixels:
        raise ConfigError(f"expected photos in {folder}, got {len(unreadable)} files of which none reads")
    return Photos(np.stack(pixels), np.array(category, dtype=np.int64), tuple(unreadable))


def _rows(photos: Photos, config: ModelConfig) -> Rows:
    num = len(photos.category)
    targets = {task: unknown_of(task, num) for task in config.tasks} | {"category": photos.category}
    return Rows({"garment_image": Column(photos.pixels, np.arange(num))}, targets)


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file with the name of its category's folder."""
    if not folder.is_dir():
        raise ConfigError(f"expected a folder of categories, got nothing at {folder}")
    for category in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        if not category.is_dir():
            raise ConfigError(f"expected only folders named after categories in {folder}, got the file {category.name}")
        if category.name not in CATEGORIES:
            raise ConfigError(expected_one_of(f"a folder's name in {folder}", category.name, CATEGORIES))
        for path in sorted(category.iterdir()):
            if not path.name.startswith("."):
                yield path, category.name

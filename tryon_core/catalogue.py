"""What ships with the package: the default checkpoint, and a small drawn catalogue to try it on; imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .errors import ConfigError
from .garment import Garment, garment_from_json

_ASSETS = Path(__file__).parent / "assets"
SHIPPED_CHECKPOINT = str(_ASSETS / "base")
SAMPLE = _ASSETS / "sample"
"""Folder of catalogue.json, the garments' images, and a rendered shopper: shopper.jpg and shopper.txt."""


@dataclass(frozen=True)
class CatalogueItem:
    """A garment with its image as a compressed file."""

    garment: Garment
    image: bytes


def sample_catalogue(folder: Path = SAMPLE) -> list[CatalogueItem]:
    """Return the shipped garments, which the simulated shop of the shipped checkpoint sells.

    Raises:
        ConfigError: the files are not there, as in a damaged installation.
    """
    try:
        garments = json.loads((folder / "catalogue.json").read_text(encoding="utf-8"))
        return [CatalogueItem(garment_from_json(g), (folder / g["image"]).read_bytes()) for g in garments]
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise ConfigError(f"expected the sample catalogue in {folder}, got {err!r}") from err

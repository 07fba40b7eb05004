from __future__ import annotations

import asyncio

import numpy as np
import pytest
from PIL import Image

from serve.image_encoder import ImageEncoder
from tests.drawn import encoded, photo
from tests.serving import untrained_checkpoint
from tryon_core import pose
from tryon_core.checkpoint import load_checkpoint
from tryon_core.presets import preset
from tryon_core.refusals import REFUSALS


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return untrained_checkpoint(tmp_path_factory.mktemp("model"), preset("tiny"))


def test_what_finds_people_is_loaded_before_the_first_photo(url: str) -> None:
    pose._shipped.cache_clear()
    asyncio.run(ImageEncoder().reconfigure({"checkpoint": url}))
    assert pose._shipped.cache_info().currsize == 1


def test_a_photo_is_encoded_and_one_without_a_person_refused_side_by_side(url: str) -> None:
    async def run() -> list[object]:
        encoder = ImageEncoder()
        await encoder.reconfigure({"checkpoint": url})
        model = load_checkpoint(url).manifest.fingerprint
        wall = encoded(Image.fromarray(np.full((300, 200, 3), 200, np.uint8)))
        return [(f.status, f.reason) for f in await encoder.encode(model, "person_mask", [photo(), wall, photo()[:500]])]

    used, refused, damaged = asyncio.run(run())
    assert used == ("ok", "")
    assert refused == ("refused", REFUSALS["no_person"])
    assert damaged[0] == "unsupported"  # type: ignore[index]

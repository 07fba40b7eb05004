"""What the service answers for rentals is what evaluation says of the same rows: one history, fitted and served."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from serve.schema import ProfileIn
from tests.in_process import client, service
from tests.rentals import request_of, write_raw
from train.config import TrainConfig
from train.data.sim import SimConfig
from train.evaluate import raw_outputs
from train.export import export
from train.loop import Place, build_model, fit
from train.prepare import prepare_rtr
from train.rtr_rows import Shop, rtr_config, splits_of
from train.sources import load_data
from tryon_core.catalogue import CatalogueItem
from tryon_core.checkpoint import load_checkpoint
from tryon_core.garment import Garment, Size
from tryon_core.predictor import Predictor
from tryon_core.presets import preset
from tryon_core.shopper import Owned
from tryon_core.tasks import TASKS

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "rtr"


def fitted(folder: Path, out: Path, preset_name: str, epochs: int, batch_size: int) -> None:
    """Fit and write a checkpoint of the rentals in a folder."""
    config = replace(rtr_config(TrainConfig(model=preset(preset_name))), epochs=epochs, batch_size=batch_size)
    data = load_data(f"rtr:{folder}", config.model, SimConfig())
    model = build_model(config, data.splits["train"])
    fit(model, data.splits["train"], config, lambda event: None, place=Place())
    export(str(out), model, data, command="a test", date="2026-01-01")


async def assert_answers_equal(folder: Path, url: Path, rows: Sequence[int]) -> None:
    """Ask for val rows and compare their probabilities with what evaluation predicts for the whole of val."""
    checkpoint = load_checkpoint(str(url))
    val = load_data(f"rtr:{folder}", checkpoint.model.config, SimConfig(), ("val",)).splits["val"]
    raw = torch.from_numpy(raw_outputs(checkpoint.model, val)["fit"])
    expected = TASKS["fit"].predict(raw, checkpoint.manifest.temperature("fit")).numpy()
    shop = Shop(*splits_of(folder, ""))
    got = []
    async with service(str(url)) as (ingress, _), client(ingress) as http:
        for row in rows:
            answer = await http.post("/v1/recommendations", json=request_of(shop, shop.num_events + row))
            assert answer.status_code == 200, answer.text
            told = answer.json()["recommendations"][0]["fit"]
            got.append([told["small"], told["fit"], told["large"]])
    np.testing.assert_allclose(np.array(got), expected[list(rows)], atol=1e-3)
    assert np.ptp(expected[list(rows), 1]) > 0.05  # rows that all had one answer would show nothing


def test_http_answers_equal_evaluation_on_a_drawn_rental_file(tmp_path: Path) -> None:
    write_raw(tmp_path / "raw.json")
    prepare_rtr(tmp_path / "raw.json", tmp_path / "tables")
    fitted(tmp_path / "tables", tmp_path / "model", "tiny", 4, 64)
    asyncio.run(assert_answers_equal(tmp_path / "tables", tmp_path / "model", range(60)))


def test_the_command_line_answers_what_the_service_answers_where_words_tell_a_body(tmp_path: Path) -> None:
    write_raw(tmp_path / "raw.json")
    prepare_rtr(tmp_path / "raw.json", tmp_path / "tables")
    url = str(tmp_path / "model")
    fitted(tmp_path / "tables", Path(url), "tiny", 2, 64)
    garment = Garment("3", category="dress", sizes=(Size("12"),))
    predictor = Predictor(url, [CatalogueItem(garment, _picture())])
    texts = ["5'4\", 120 lbs", "5'4\", 185 lbs, 36dd"]
    own = [predictor.predict(None, text).prediction for text in texts]
    served = asyncio.run(_served(url, texts))
    np.testing.assert_allclose(own, served, atol=1e-3)
    assert abs(own[0] - own[1]) > 0.01  # answers that were alike would show nothing


def test_a_request_tells_how_old_a_verdict_is_where_it_wants_to() -> None:
    owned = [{"size": "8", "garment_id": "3", "fit": "small", "days_ago": 400}, {"size": "10"}]
    assert ProfileIn.model_validate({"owned": owned}).to_profile().owned == (
        Owned("8", "3", fit="small", days_ago=400.0),
        Owned("10"),
    )
    with pytest.raises(ValueError, match="days_ago"):
        ProfileIn.model_validate({"owned": [{"size": "8", "days_ago": -1}]})


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(file, "PNG")
    return file.getvalue()


async def _served(url: str, texts: Sequence[str]) -> list[float]:
    garment = {"id": "3", "category": "dress", "sizes": [{"label": "12"}]}
    async with service(url) as (ingress, _), client(ingress) as http:
        asked = [{"shopper": {"text": text}, "garments": [garment]} for text in texts]
        answers = [(await http.post("/v1/recommendations", json=body)).json() for body in asked]
    return [answer["recommendations"][0]["match"] for answer in answers]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="the public rental data are not beside the checkout")
def test_http_answers_equal_evaluation_on_the_public_rental_data(tmp_path: Path) -> None:
    fitted(SHARED, tmp_path / "model", "base", 1, 512)
    asyncio.run(assert_answers_equal(SHARED, tmp_path / "model", range(200)))

"""Embeddings of texts and pictures, over the real application in this process."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from serve.schema_embeddings import EmbeddingsOut
from tests.drawn import garment_image
from tests.in_process import client, service
from tests.serving import GARMENTS, assert_problem, untrained_checkpoint, variant
from tryon_core.checkpoint import load_checkpoint
from tryon_core.encoding import encode_images, encode_texts

PICTURES = [base64.b64encode(garment_image(n)).decode() for n in range(3)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return untrained_checkpoint(tmp_path_factory.mktemp("models") / "model", variant("cnn", "gru", "concat"))


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 120))


def test_embeddings_are_the_encoders_own_in_the_inputs_order_equal_inputs_alike(url: str) -> None:
    async def test() -> None:
        model = load_checkpoint(url).model
        texts = [*GARMENTS[:3], GARMENTS[0]]
        async with service(url) as (ingress, _), client(ingress) as http:
            for modality, sent, expected in (
                ("text", texts, encode_texts(model, "garment_words", texts)),
                ("image", PICTURES, encode_images(model, "garment_image", [garment_image(n) for n in range(3)])),
            ):
                answer = (await http.post("/v1/embeddings", json={"input": sent, "modality": modality})).json()
                assert [one["index"] for one in answer["data"]] == list(range(len(sent)))
                got = np.array([one["embedding"] for one in answer["data"]])
                np.testing.assert_allclose(got, np.array(expected, np.float64), atol=2e-3)
                assert answer["dim"] == got.shape[1]
                manifest = ingress.recommender.manifest
                assert answer["model"] == manifest.fingerprint
                assert answer["encoder"] in manifest.towers.values()
            assert answer["encoder"] == ingress.recommender.manifest.towers["garment_image"]

    run(test)


def test_wrong_inputs_are_told_by_place_and_bounds_hold(url: str) -> None:
    wrong: list[tuple[dict[str, Any], int, str, str]] = [
        ({"input": [], "modality": "text"}, 422, "at least 1 item", "/input"),
        ({"input": ["a"] * 257, "modality": "text"}, 422, "at most 256 items", "/input"),
        ({"input": ["a", ""], "modality": "text"}, 422, "at least 1 character", "/input/1"),
        ({"input": ["a", "x" * 20_000], "modality": "text"}, 413, "characters", "/input/1"),
        ({"input": ["a"], "modality": "audio"}, 422, "'text' or 'image'", "/modality"),
        ({"input": ["a"]}, 422, "Field required", "/modality"),
        ({"input": [PICTURES[0], "no base64!"], "modality": "image"}, 422, "expected base64", "/input/1"),
        ({"input": [PICTURES[0], PICTURES[1][:400]], "modality": "image"}, 415, "cut off", "/input/1"),
    ]

    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            for body, status, told, pointer in wrong:
                assert_problem(await http.post("/v1/embeddings", json=body), status, told, pointer=pointer)
        async with service(url, max_body_bytes=1000) as (ingress, _), client(ingress) as http:
            body = {"input": ["a" * 2000], "modality": "text"}
            assert_problem(await http.post("/v1/embeddings", json=body), 413, "a body of at most 1000 bytes")

    run(test)


def test_the_documents_example_is_answered_as_they_say(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]
            answer = await http.post("/v1/embeddings", json=schemas["EmbeddingsIn"]["example"])
            EmbeddingsOut.model_validate(answer.json())
            EmbeddingsOut.model_validate(schemas["EmbeddingsOut"]["example"])
            assert set(answer.json()) == set(schemas["EmbeddingsOut"]["example"])

    run(test)

"""`explain` over the real application: shares that sum to the answer, words in their places, and nothing where nobody asks."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
import torch

from serve.explain import EXPLAINED
from serve.graph import build
from tests.in_process import client, service
from tests.serving import Case, assert_equal, reference, untrained_checkpoint, variant
from tryon_core.catalogue import SAMPLE, sample_catalogue
from tryon_core.checkpoint import load_checkpoint
from tryon_core.errors import ConfigError
from tryon_core.manifest import read_manifest
from tryon_core.predictor import Predictor

SAID = "身高一米六五, 55 kg, usually M, 喜欢蓝色 dresses"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return untrained_checkpoint(tmp_path_factory.mktemp("models") / "model", variant("cnn", "gru", "concat"))


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 120))


def log_odds(chance: float) -> float:
    return math.log(chance / (1 - chance))


@pytest.mark.parametrize("explain", [True, "parts"])
def test_base_and_shares_of_all_parts_sum_to_the_log_odds_of_the_answer(url: str, explain: bool | str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            answer = await http.post("/v1/recommendations", json=Case(said=SAID).body() | {"explain": explain})
            assert_equal(answer.json(), reference(url, Case(said=SAID)))
            for garment in answer.json()["recommendations"]:
                for name in ("match", "confidence"):
                    told = garment["explanation"][name]
                    assert set(told["parts"]) == {
                        *("person_mask", "shopper_words", "garment_image", "garment_words", "size", "history"),
                    }
                    total = told["base"] + sum(told["parts"].values())
                    assert total == pytest.approx(log_odds(garment[name]), abs=1e-3)

    run(test)


def test_words_stand_where_the_answer_says_in_the_texts_that_it_tells(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            body = Case(said=SAID).body() | {"explain": True}
            body["shopper"]["profile"] = {"height_cm": 165}
            for garment in (await http.post("/v1/recommendations", json=body)).json()["recommendations"]:
                why = garment["explanation"]
                assert why["read"]["shopper_words"] == f"165 cm. {SAID}"
                for answer in ("match", "confidence"):
                    for part, words in why[answer]["words"].items():
                        for word in words:
                            assert why["read"][part][word["start"] : word["end"]] == word["text"]
                    told = {word["text"] for word in why[answer]["words"]["shopper_words"]}
                    assert {"165 cm", "一米六五", "55 kg", "M", "dresses"} <= told
                    assert any(word in told for word in ("蓝色", "欢蓝", "蓝"))
                    assert {"Loose", "dress"} <= {word["text"] for word in why[answer]["words"]["garment_words"]}

    run(test)


def test_who_asks_for_no_explanation_pays_for_none(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            plain = await http.post("/v1/recommendations", json=Case().body())
            assert {garment["explanation"] for garment in plain.json()["recommendations"]} == {None}
            assert (stages.text.ablate.num_calls, stages.fusion.score.num_calls) == (0, 1)
            encoded = stages.text.encode.num_calls
            again = await http.post("/v1/recommendations", json=Case().body() | {"explain": True})
            assert stages.text.encode.num_calls == encoded  # what is cached stays cached
            assert stages.text.ablate.num_calls > 0
            for one, two in zip(plain.json()["recommendations"], again.json()["recommendations"], strict=True):
                assert {**two, "explanation": None} == one

    run(test)


def test_a_part_that_was_not_given_has_no_share(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            body = {"garments": [{"id": "a"}, {"id": "b", "title": "Blue dress"}], "explain": True}
            told = (await http.post("/v1/recommendations", json=body)).json()["recommendations"]
            parts = {garment["garment_id"]: set(garment["explanation"]["match"]["parts"]) for garment in told}
            assert parts == {"a": {"history"}, "b": {"history", "garment_words"}}
            words = {garment["garment_id"]: set(garment["explanation"]["match"]["words"]) for garment in told}
            assert words == {"a": set(), "b": {"garment_words"}}

    run(test)


def test_the_best_of_many_garments_are_explained(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            garments = [{"id": str(n), "title": f"dress {n}"} for n in range(EXPLAINED + 5)]
            body = {"shopper": {"text": "165 cm"}, "garments": garments, "explain": True}
            told = (await http.post("/v1/recommendations", json=body)).json()["recommendations"]
            assert [garment["explanation"] is not None for garment in told] == [True] * EXPLAINED + [False] * 5

    run(test)


@pytest.mark.parametrize("wrong", ["all", 1, None, {}])
def test_anything_else_that_is_asked_of_an_explanation_is_refused(url: str, wrong: Any) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            answer = await http.post("/v1/recommendations", json={"garments": [{"id": "a"}], "explain": wrong})
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["pointer"].startswith("/explain")

    run(test)


def test_openapi_tells_of_explanations(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]
            assert {"match", "confidence", "read"} == set(schemas["ExplanationOut"]["properties"])
            assert {"base", "parts", "words"} == set(schemas["SharesOut"]["properties"])
            assert "log-odds" in schemas["SharesOut"]["description"]
            assert "what the answer loses without it" in schemas["SharesOut"]["properties"]["words"]["description"]
            assert "ExplanationOut" in str(schemas["RecommendationOut"]["properties"]["explanation"])

    run(test)


def test_the_local_command_explains_as_the_service_does(url: str) -> None:
    catalogue = sample_catalogue()[:3]
    photo, words = (SAMPLE / "shopper.jpg").read_bytes(), "165 cm, 55 kg, usually M"
    predictor = Predictor(url, catalogue)
    assert predictor.predict(photo, words).explanation == {}
    found = predictor.predict(photo, words, explain=True)
    match = found.explanation["match"]
    assert match.base + sum(match.parts.values()) == pytest.approx(log_odds(found.prediction), abs=1e-3)
    assert {found.read["shopper_words"][w.start : w.end] for w in match.words["shopper_words"]} == {
        *("165 cm", "55 kg", "usually", "M"),
    }


@pytest.fixture(scope="module", params=["average", "weighted", "attention"])
def weighing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return untrained_checkpoint(tmp_path_factory.mktemp("models") / "model", variant("cnn", "gru", request.param))


def test_weights_of_parts_change_the_answer_as_the_model_says_and_the_models_name(weighing: str) -> None:
    weights = {"person_mask": 9.0, "garment_words": 0.1}
    emphasised = load_checkpoint(weighing).emphasised(weights)

    async def test() -> None:
        async with service(weighing) as (ingress, stages), client(ingress) as http:
            plain = (await http.post("/v1/recommendations", json=Case().body())).json()
            for replica in (stages.image.replica, stages.text.replica, stages.fusion.replica, ingress):
                await replica.reconfigure({"checkpoint": weighing, "weights": weights})
            encoded = stages.image.encode.num_calls
            other = (await http.post("/v1/recommendations", json=Case().body())).json()
            assert stages.image.encode.num_calls == encoded  # encoders are the same, and so is what is cached of them
            assert plain["model"] == read_manifest(weighing).fingerprint
            assert other["model"] == emphasised.manifest.fingerprint != plain["model"]
            assert_equal(other, _emphasised_reference(weighing, weights))
            with pytest.raises(AssertionError):
                assert_equal(other, reference(weighing, Case()))

    run(test)


def _emphasised_reference(url: str, weights: dict[str, float]) -> Any:
    """The answer of a model whose factors were set by hand."""
    loaded = load_checkpoint(url)
    for fusion in loaded.model.fusions.values():
        fusion.emphasis = torch.tensor([weights.get(name, 1.0) for name in fusion.names])
    return reference(url, Case(), loaded)


def test_a_model_whose_fusion_weighs_no_parts_refuses_weights(url: str, weighing: str) -> None:
    with pytest.raises(
        ConfigError, match=r"expected a fusion that weighs parts \(average, weighted, attention\), got concat"
    ):
        load_checkpoint(url).emphasised({"person_mask": 2.0})
    with pytest.raises(ConfigError, match=r"expected a part with a weight to be one of .*; did you mean 'person_mask'"):
        load_checkpoint(weighing).emphasised({"person_mas": 2.0})
    loaded = load_checkpoint(weighing)
    assert loaded.emphasised({}).manifest == loaded.manifest
    assert loaded.emphasised({"size": 1.0}).manifest == loaded.manifest
    np.testing.assert_equal(loaded.emphasised({"size": 2.0}).manifest.towers, loaded.manifest.towers)


def test_the_graph_gives_every_deployment_the_weights_and_refuses_what_no_model_can_weigh(url: str, weighing: str) -> None:
    application = build({"checkpoint": weighing, "modality_weights": "person_mask:2, garment_words:0.5"})
    stages = application._bound_deployment.init_args[2:5]
    for bound in (application, *stages):
        given = bound._bound_deployment.user_config
        assert given == {"checkpoint": weighing, "weights": {"person_mask": 2.0, "garment_words": 0.5}}
    with pytest.raises(ConfigError, match="expected a fusion that weighs parts"):
        build({"checkpoint": url, "modality_weights": "person_mask:2"})
    with pytest.raises(ConfigError, match="expected a part with a weight"):
        build({"checkpoint": weighing, "modality_weights": "verdict:2"})


def test_an_answer_tells_the_measurements_that_have_an_interval(tmp_path: Any) -> None:
    folder = untrained_checkpoint(
        tmp_path / "model",
        variant("cnn", "gru", "concat"),
        calibration={
            "body_half_width": {"words": {"waist_cm": 4.0, "hip_cm": 3.0}, "both": {"waist_cm": 2.0, "weight_kg": 5.0}}
        },
    )

    async def test() -> None:
        async with service(folder) as (ingress, _), client(ingress) as http:
            plain = await http.post("/v1/recommendations", json=Case().body())
            assert set(plain.json()["measurements"]) == {"waist_cm"}  # weight is for those who ask for an explanation
            both = await http.post("/v1/recommendations", json=Case().body() | {"explain": True})
            assert set(both.json()["measurements"]) == {"waist_cm", "weight_kg"}
            waist = both.json()["measurements"]["waist_cm"]
            assert waist == plain.json()["measurements"]["waist_cm"]
            assert waist["high"] - waist["low"] == pytest.approx(4)
            assert waist["value"] == pytest.approx((waist["low"] + waist["high"]) / 2)
            words = await http.post("/v1/recommendations", json=Case("person_mask").body() | {"explain": True})
            assert set(words.json()["measurements"]) == {"waist_cm", "hip_cm"}
            nothing = await http.post("/v1/recommendations", json={"garments": [{"id": "a"}], "explain": True})
            assert nothing.json()["measurements"] == {}
            assert all(answer.json()["recommendations"][0]["reasons"] for answer in (plain, both))

    run(test)

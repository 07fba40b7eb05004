"""Answers while a part is missing or down: marked, from what is left, and refused only where nothing is."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from serve.errors import OverloadedError, UnavailableError
from serve.kept import Kept, Peers
from tests.drawn import encoded
from tests.in_process import agree, client, service, stands_still
from tests.serving import Case, assert_equal, assert_problem, reference, untrained_checkpoint, variant


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return untrained_checkpoint(tmp_path_factory.mktemp("models") / "model", variant("cnn", "gru", "concat"))


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 120))


async def overloaded() -> None:
    raise OverloadedError("a stage of the graph is overloaded")


async def gone() -> None:
    raise UnavailableError("a stage of the graph is not available")


async def hanging() -> None:
    await asyncio.sleep(3600)


async def broken() -> None:
    raise RuntimeError("a stage of the graph failed")


DOWN = pytest.mark.parametrize("down", [overloaded, gone, hanging, broken])


@DOWN
def test_without_the_image_encoder_the_words_answer_as_if_no_image_had_come(url: str, down: Any) -> None:
    async def test() -> None:
        async with service(url, clock=stands_still()) as (ingress, stages), client(ingress) as http:
            body = Case(without="garment_image").body()
            bare = {**body, "shopper": {"text": body["shopper"]["text"]}}
            alone = (await http.post("/v1/recommendations", json=bare)).json()  # the texts are known from here on
            stages.image.encode.before = down
            ingress.settings = replace(ingress.settings, degrade_after_ms=100)
            answer = (await http.post("/v1/recommendations", json=body)).json()
            assert (answer["degraded"], answer["degraded_codes"]) == (True, ["photo_unavailable"])
            assert answer["degraded_reasons"] == ["photo not used: photos cannot be read at the moment"]
            assert answer["photo"] == {"used": False, "reason": "photos cannot be read at the moment", "code": None}
            assert agree(alone["recommendations"], answer["recommendations"])
            assert not alone["degraded"]
            text = ingress.metrics.exposition()[0].decode()
            assert 'tryon_degraded_answers_total{reason="photo_unavailable"} 1.0' in text

    run(test)


@DOWN
def test_without_the_text_encoder_the_photo_answers(url: str, down: Any) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            assert (await http.post("/v1/recommendations", json=Case().body())).status_code == 200  # images are known now
            stages.text.encode.before = down
            ingress.settings = replace(ingress.settings, degrade_after_ms=100)
            body = Case(said="190 cm", colours=("green", "black")).body()
            answer = (await http.post("/v1/recommendations", json=body, headers={"Accept-Language": "de"})).json()
            assert answer["degraded_codes"] == ["shopper_words_unavailable", "garment_words_unavailable"]
            assert answer["degraded_reasons"][1].startswith("Artikelbeschreibungen nicht verwendet")
            assert answer["photo"]["used"]
            assert len(answer["recommendations"]) == 2

    run(test)


@DOWN
@pytest.mark.parametrize("without", ["shopper_words", ""])
def test_where_nothing_is_left_of_the_shopper_there_is_no_answer(url: str, down: Any, without: str) -> None:
    async def test() -> None:
        async with service(url, degrade_after_ms=100) as (ingress, stages), client(ingress) as http:
            stages.image.encode.before = down
            if not without:
                stages.text.encode.before = down
            answer = await http.post("/v1/recommendations", json=Case(without=without).body())
            assert_problem(answer, 500 if down is broken else 503)

    run(test)


def test_a_garment_of_which_nothing_is_left_but_its_image_is_not_guessed_at(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            stages.image.encode.before = gone
            image = Case().body()["garments"][0]["image_base64"]
            sizes = [{"label": "M"}]
            shopper = {"text": "165 cm"}
            bare = {"shopper": shopper, "garments": [{"id": "a", "image_base64": image}]}
            assert_problem(await http.post("/v1/recommendations", json=bare), 503)
            for more in ({"sizes": sizes}, {"title": "Blue dress"}):
                known = {"shopper": shopper, "garments": [{"id": "a", "image_base64": image, **more}]}
                answer = await http.post("/v1/recommendations", json=known)
                assert answer.json()["degraded_codes"] == ["garment_image_unavailable"]

    run(test)


def test_without_fusion_there_is_no_answer(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            stages.fusion.score.before = gone
            assert_problem(await http.post("/v1/recommendations", json=Case().body()), 503)

    run(test)


def test_a_wrong_image_is_told_although_another_stage_is_down(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            stages.text.encode.before = gone
            body = Case().body()
            body["shopper"]["photo_base64"] = base64.b64encode(b"no image").decode()
            assert_problem(await http.post("/v1/recommendations", json=body), 415)

    run(test)


def test_a_caller_in_haste_is_answered_from_what_is_there_before_the_deadline(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            assert (
                await http.post("/v1/recommendations", json=Case().body())
            ).status_code == 200  # all but a photo is known
            stages.image.encode.before = hanging
            body = Case(build=1.2).body()
            answer = await http.post("/v1/recommendations", json=body, headers={"X-Request-Timeout-Ms": "4000"})
            assert answer.json()["degraded_codes"] == ["photo_unavailable"]

    run(test)


def test_what_came_in_time_is_kept_and_the_answer_is_whole_again_once_the_stage_is_back(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            stages.image.encode.before = gone
            assert (await http.post("/v1/recommendations", json=Case().body())).json()["degraded"]
            stages.image.encode.before = None
            encoded_before = stages.text.encode.num_calls
            answer = (await http.post("/v1/recommendations", json=Case().body())).json()
            assert stages.text.encode.num_calls == encoded_before
            assert not answer["degraded"]
            assert_equal(answer, reference(url, Case()))

    run(test)


def test_a_stage_that_fails_is_logged_and_one_that_is_busy_is_not(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            for down in (overloaded, broken):
                stages.image.encode.before = down
                assert (await http.post("/v1/recommendations", json=Case().body())).json()["degraded"]

    run(test)
    assert {record.levelno for record in caplog.records if record.name == "serve.degraded"} == {logging.ERROR}


def test_an_explanation_that_cannot_be_had_leaves_the_answer_as_it_is(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            stages.text.ablate.before = gone
            answer = (await http.post("/v1/recommendations", json=Case().body() | {"explain": True})).json()
            assert answer["degraded_codes"] == ["explanation_unavailable"]
            assert {one["explanation"] for one in answer["recommendations"]} == {None}
            assert_equal(answer, reference(url, Case()))

    run(test)


def test_a_photo_without_a_person_is_told_in_the_callers_language(url: str) -> None:
    from PIL import Image

    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            body = Case().body()
            body["shopper"]["photo_base64"] = base64.b64encode(encoded(Image.new("RGB", (300, 600), "white"))).decode()
            said = {}
            for language in ("en", "de", "zh"):
                answer = await http.post("/v1/recommendations", json=body, headers={"Accept-Language": language})
                told = answer.json()
                assert told["degraded_codes"] == ["photo"]
                assert told["photo"]["code"]
                said[language] = told["degraded_reasons"][0]
                assert told["photo"]["reason"] in said[language]
            assert said["en"].startswith("photo not used: ")
            assert said["de"].startswith("Foto nicht verwendet: ")
            assert said["zh"].startswith("未使用照片：")

    run(test)


class FakeKept:
    """Rates from memory."""

    def __init__(self, rate: Kept | None, error: Exception | None = None) -> None:
        self.rate, self.error = rate, error
        self.asked: list[Peers] = []

    async def rates(self, asked: Sequence[Peers]) -> list[Kept | None]:
        if self.error:
            raise self.error
        self.asked += asked
        return [self.rate] * len(asked)


def test_how_many_similar_shoppers_kept_it_is_among_the_reasons(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            kept = ingress.recommender._kept = FakeKept(Kept(11, 14, similar=True))
            answer = (await http.post("/v1/recommendations", json=Case().body())).json()
            assert not answer["degraded"]
            for one in answer["recommendations"]:
                assert {"code": "similar_kept", "values": {"count": 11, "total": 14}} in one["reason_codes"]
            assert [(peers.style, peers.size) for peers in kept.asked] == [
                (f"style-{one['garment_id'][1:]}", one["size"]) for one in answer["recommendations"]
            ]
            assert {(peers.height_cm, peers.weight_kg) for peers in kept.asked} == {(165.0, 55.0)}

    run(test)


def test_orders_that_cannot_be_looked_up_mark_the_answer_and_change_nothing_else(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            ingress.recommender._kept = FakeKept(None, UnavailableError("the store does not answer"))
            answer = (await http.post("/v1/recommendations", json=Case().body())).json()
            assert answer["degraded_codes"] == ["kept_unavailable"]
            assert_equal(answer, reference(url, Case()))

    run(test)

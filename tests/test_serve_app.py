"""The real application over the real stages in this process: limits, callers who go, and what is never logged."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from PIL import Image
from ray.exceptions import RayActorError

from serve.admission import Admission
from serve.app import build_app
from serve.errors import OverloadedError
from tests.drawn import encoded, photo
from tests.in_process import client, service
from tests.redis_server import RedisServer
from tests.serving import Case, assert_equal, assert_problem, reference, untrained_checkpoint, variant
from tryon_core.manifest import read_manifest


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return untrained_checkpoint(tmp_path_factory.mktemp("models") / "model", variant("cnn", "gru", "concat"))


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 120))


async def until(true: Callable[[], bool]) -> None:
    for _ in range(3000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("expected it to become true")


class Gate:
    """Lets nobody through until it is opened."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.num_waiting = 0

    async def __call__(self) -> None:
        self.num_waiting += 1
        await self.event.wait()


def test_a_photo_without_a_person_tells_nothing_and_no_reason_speaks_of_a_body(url: str) -> None:
    def reasons(answer: httpx.Response) -> str:
        return " ".join(reason for garment in answer.json()["recommendations"] for reason in garment["reasons"])

    async def test() -> None:
        wall = base64.b64encode(encoded(Image.new("RGB", (300, 400), (200, 200, 205)))).decode()
        garments = Case().body()["garments"]
        async with service(url) as (ingress, _), client(ingress) as http:
            nobody = await http.post("/v1/recommendations", json={"shopper": {"photo_base64": wall}, "garments": garments})
            somebody = await http.post("/v1/recommendations", json={"shopper": {"text": "165 cm"}, "garments": garments})
        assert nobody.json()["photo"]["used"] is False
        assert " cm " not in reasons(nobody)
        assert " cm " in reasons(somebody)

    run(test)


def test_what_is_out_of_stock_is_scored_and_never_recommended(url: str) -> None:
    async def test() -> None:
        whole = Case().body()["garments"][0]
        async with service(url) as (ingress, _), client(ingress) as http:
            (best,) = (await http.post("/v1/recommendations", json={"garments": [whole]})).json()["recommendations"]
            sizes = [size | {"in_stock": size["label"] != best["size"]} for size in whole["sizes"]]
            (other,) = (await http.post("/v1/recommendations", json={"garments": [whole | {"sizes": sizes}]})).json()[
                "recommendations"
            ]
        assert other["size"] != best["size"]
        assert other["reasons"][0] != best["reasons"][0]
        assert [size["label"] for size in other["sizes"]] == [size["label"] for size in best["sizes"]]

    run(test)


def test_more_requests_than_may_be_are_refused_with_when_to_come_back(url: str) -> None:
    async def test() -> None:
        async with service(url, max_requests=2) as (ingress, stages), client(ingress) as http:
            stages.fusion.score.before = gate = Gate()
            taken = [asyncio.create_task(http.post("/v1/predict", files={"text": (None, f"{n} cm")})) for n in (160, 170)]
            await until(lambda: ingress.admission.num_requests == 2)
            refused = await http.post("/v1/predict", files={"text": (None, "180 cm")})
            assert_problem(refused, 503, "expected at most 2 requests at the same time")
            assert refused.headers["retry-after"] == "1"
            assert (await http.get("/livez")).status_code == 200
            assert (await http.get("/metrics")).status_code == 200
            assert (await http.get("/readyz")).status_code == 503  # the probe has not run here; it is not the limit
            gate.event.set()
            assert [answer.status_code for answer in await asyncio.gather(*taken)] == [200, 200]
            assert ingress.admission.num_requests == 0

    run(test)


def test_bodies_in_flight_are_bounded_and_given_back_whatever_happens(url: str) -> None:
    async def test() -> None:
        async with service(url, max_inflight_bytes=3000) as (ingress, stages), client(ingress) as http:
            stages.fusion.score.before = gate = Gate()
            body = json.dumps({"shopper": {"text": "165 cm " * 250}, "garments": [{"id": "a"}]})
            taken = asyncio.create_task(http.post("/v1/recommendations", content=body))
            await until(lambda: gate.num_waiting == 1)
            assert 0 < ingress.admission.num_bytes <= 3000
            assert_problem(
                await http.post("/v1/recommendations", content=body), 503, "expected bodies of at most 3000 bytes"
            )
            gate.event.set()
            assert (await taken).status_code == 200
            for bad in (b"{", b"[]", body.encode() * 3):
                await http.post("/v1/recommendations", content=bad)
            assert ingress.admission.num_bytes == 0

    run(test)


def test_a_request_gives_back_what_it_held_when_it_fails() -> None:
    admission = Admission(1, 10)
    with admission.request(exempt=False) as held:
        held.add(8)
        with pytest.raises(OverloadedError, match="at most 10 bytes"):
            held.add(3)
        with pytest.raises(OverloadedError, match="at most 1 requests"):
            admission.request(exempt=False).__enter__()
        admission.request(exempt=True).__enter__()
    assert (admission.num_requests, admission.num_bytes) == (0, 0)


def test_a_caller_who_goes_during_the_upload_is_counted_as_gone_and_told_nothing(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _):
            sent: list[Any] = []
            messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
            path = "/v1/recommendations"
            scope = {
                "type": "http",
                "method": "POST",
                "path": path,
                "headers": [],
                "query_string": b"",
                "http_version": "1.1",
            }

            async def receive() -> Any:
                return next(messages)

            async def send(message: Any) -> None:
                sent.append(message)

            caplog.clear()
            await build_app(ingress)(scope, receive, send)
            assert sent == []
            assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
            text = ingress.metrics.exposition()[0].decode()
            assert 'tryon_requests_total{route="/v1/recommendations",status="499"} 1.0' in text

    run(test)


def test_waiting_for_fusion_is_told_as_waiting(url: str) -> None:
    async def test() -> None:
        async with service(url, fusion_batch=1) as (ingress, stages), client(ingress) as http:
            stages.fusion.score.before = gate = Gate()
            body = Case("person_mask").body()
            asked = [asyncio.create_task(http.post("/v1/recommendations", json=body)) for _ in range(3)]
            await until(lambda: gate.num_waiting == 2 and ingress.recommender.num_waiting("fusion") == 1)
            await asyncio.sleep(0.6)
            gate.event.set()
            told = [answer.headers["server-timing"] for answer in await asyncio.gather(*asked)]
            ms = [{n: float(d) for n, d in (entry.strip().split(";dur=") for entry in one.split(","))} for one in told]
            first, second, last = sorted(ms, key=lambda one: one["queue"])
            assert last["queue"] > 550 > second["queue"] >= first["queue"]
            assert min(first["fusion"], second["fusion"]) > 550

    run(test)


def test_words_and_photos_are_in_no_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    words, liked, picture = "zebrawords 165 cm", "zebralikes", photo() + b"zebrabytes"

    async def broken() -> None:
        raise RuntimeError("the stage is broken")

    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            body = Case().body()
            body["shopper"] |= {"text": words, "profile": {"preferences": liked}}
            form = {"files": {"image": picture}, "data": {"text": words}}
            assert (await http.post("/v1/recommendations", json=body)).status_code == 200
            assert (await http.post("/v1/predict", **form)).status_code == 200
            assert (await http.post("/v1/recommendations", json=body | {"colour": words})).status_code == 422
            assert (await http.post("/v1/predict", files={"image": b"zebrabytes", "text": (None, words)})).status_code == 415
            for method in (stages.fusion.score, stages.text.encode, stages.image.encode):
                method.before = broken
            body["shopper"]["text"] += " and more"
            assert (await http.post("/v1/recommendations", json=body)).status_code == 500

    run(test)
    logged = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert "the stage is broken" in logged
    assert "zebra" not in logged


def test_a_call_lost_with_its_replica_is_sent_once_more_and_no_oftener(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            failures = 1

            async def lost() -> None:
                nonlocal failures
                failures -= 1
                if failures >= 0:
                    raise RayActorError

            stages.fusion.score.before = lost
            form: dict[str, Any] = {"files": {"text": (None, "165 cm")}}
            assert (await http.post("/v1/predict", **form)).status_code == 200
            assert stages.fusion.score.num_calls == 2
            failures = 2
            gone = await http.post("/v1/predict", **form)
            assert_problem(gone, 503, "a stage of the graph is not available: RayActorError")
            assert stages.fusion.score.num_calls == 4

    run(test)


def test_a_redis_that_hangs_changes_no_answer_and_is_used_again_once_it_wakes(
    url: str, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis = redis_server.client()
    pid = redis.info("server")["process_id"]

    async def test() -> None:
        async with service(url, cache=redis_server.url, cache_timeout_ms=50) as (ingress, _), client(ingress) as http:

            async def answered(said: str) -> None:
                case = Case(said=said)
                answer = await http.post("/v1/recommendations", json=case.body())
                assert_equal(answer.json(), reference(url, case))

            await answered("160 cm, a first time")
            os.kill(pid, signal.SIGSTOP)
            try:
                for n in range(3):
                    await answered(f"{161 + n} cm, while Redis hangs")
                assert "shared cache left alone" in caplog.text
            finally:
                os.kill(pid, signal.SIGCONT)
            known, n = redis.dbsize(), 0
            while redis.dbsize() <= known:  # the breaker is open for a second
                await answered(f"{170 + n} cm, after it woke")
                await asyncio.sleep(0.2)
                n += 1

    run(test)
    redis.close()


def test_the_loaded_model_is_told_in_every_answer(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            answer = await http.post("/v1/recommendations", json=Case().body())
            assert answer.json()["model"] == read_manifest(url).fingerprint

    run(test)

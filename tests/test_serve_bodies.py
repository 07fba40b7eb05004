"""The real application over the real stages in this process: what callers may send, and how anything else is refused."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ray.serve._private.http_util import RequestIdMiddleware

from tests.drawn import encoded
from tests.in_process import client, service
from tests.serving import assert_problem, untrained_checkpoint, variant


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return untrained_checkpoint(tmp_path_factory.mktemp("models") / "model", variant("cnn", "gru", "concat"))


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 120))


@pytest.mark.parametrize("own", ["a b", "x" * 65, "é", ""])
def test_a_request_id_of_another_form_is_refused_in_one_sentence_and_one_header(url: str, own: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress, RequestIdMiddleware) as http:
            answer = await http.get("/livez", headers={"X-Request-Id": own.encode()})
            assert_problem(answer, 422, "expected X-Request-Id of 1 to 64 letters, digits, _, . or -, got ")
            assert len(answer.headers.get_list("x-request-id")) == 1

    run(test)


def test_every_answer_has_one_request_id_the_callers_own_where_it_has_one(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress, RequestIdMiddleware) as http:
            own = await http.get("/nowhere", headers={"X-Request-Id": "order-7"})
            assert own.headers.get_list("x-request-id") == ["order-7"]
            assert own.json()["request_id"] == "order-7"
            made = await http.get("/nowhere")
            assert made.headers.get_list("x-request-id") == [made.json()["request_id"]]
        async with service(url) as (ingress, _), client(ingress) as http:
            bare = await http.get("/nowhere")
            assert bare.headers.get_list("x-request-id") == [bare.json()["request_id"]]

    run(test)


def test_a_wrong_body_is_told_in_one_sentence(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            whole = await http.post("/v1/recommendations", content=b"[]")
            assert_problem(whole, 422, "")
            assert whole.json()["detail"].startswith("Input should be")
            odd = await http.post("/v1/recommendations", json={"garments": [{"id": "a"}], "a\nb\x1b" + "x" * 500: 1})
            assert_problem(odd, 422, "/a\\u000ab\\u001bxxx")
            assert len(odd.json()["errors"][0]["pointer"]) == 200
            chart = {"chest_cm": [90, 80]}
            garments = [{"id": "a", "sizes": [{"label": "M", "chart": chart}]}]
            ordered = await http.post("/v1/recommendations", json={"garments": garments})
            assert_problem(
                ordered,
                422,
                "/garments/0/sizes/0/chart: expected chest_cm as [low, high] with low <= high, got [90.0, 80.0]",
            )

    run(test)


def test_many_small_garments_are_refused(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            many = ",".join(f'{{"id":"{n}"}}' for n in range(300_000))
            answer = await http.post("/v1/recommendations", content='{"garments":[' + many + "]}")
            assert_problem(answer, 422, "at most 1000 items")
            some = await http.post("/v1/recommendations", json={"garments": [{"id": str(n)} for n in range(300)]})
            assert_problem(some, 422, "expected at most 200 garments, got 300")

    run(test)


def multipart(text: bytes, *, name: bytes = b"text", end: bytes = b"--b--\r\n") -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + text + b"\r\n" + end


@pytest.mark.parametrize(
    ("kind", "content", "status"),
    [
        ("multipart/form-data; boundary=b", multipart(b"165 cm"), 200),
        ("Multipart/Form-Data; boundary=b", multipart(b"165 cm"), 200),
        ("multipart/form-data; boundary=b", multipart(b"165 cm", end=b"--b-- \r\n\r\n"), 200),
        ("multipart/form-data; boundary=b", multipart("身高165".encode()), 200),
        ("multipart/form-data; boundary=b; charset=latin-1", multipart("身高165".encode()), 200),
        ("multipart/form-data; boundary=b", multipart(b"165 \xff cm"), 400),
        ("multipart/form-data; boundary=b; charset=latin-1", multipart(b"165 \xff cm"), 400),
        ("multipart/form-data; boundary=b; charset=utf-16", multipart(b"1\x006\x00"), 200),
        ("multipart/form-data; boundary=b", multipart(b"165 cm", name=b"te\xff"), 400),
        ("multipart/form-data; boundary=b", multipart(b"--b-- and more", end=b""), 400),
        ("multipart/form-data; boundary=b", multipart(b"190 cm, 110 kg--b--", end=b""), 400),
        ("multipart/form-data; boundary=b", multipart(b"165 cm", end=b"--b--\r\nmore"), 400),
        ("multipart/form-data; boundary=b", multipart(b"165 cm", end=b""), 400),
        ("multipart/form-data", multipart(b"165 cm"), 400),
        ("multipart/form-database; boundary=b", multipart(b"165 cm"), 400),
        ("application/json", b"{}", 400),
    ],
)
def test_a_multipart_body_is_whole_and_its_texts_are_utf8_or_it_is_refused(
    url: str, kind: str, content: bytes, status: int
) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            answer = await http.post("/v1/predict", content=content, headers={"Content-Type": kind})
            assert answer.status_code == status, answer.text
            if status != 200:
                assert_problem(answer, status, "expected")

    run(test)


def test_openapi_tells_of_every_problem_that_a_route_answers_with(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            api = (await http.get("/openapi.json")).json()
            assert {"ProblemOut", "FieldProblemOut", "RecommendationsIn"} <= set(api["components"]["schemas"])
            for path in ("/v1/predict", "/v1/recommendations"):
                answers = api["paths"][path]["post"]["responses"]
                assert {"200", "400", "413", "415", "422", "503", "504"} <= set(answers)
                assert list(answers["422"]["content"]) == ["application/problem+json"]
                assert "Retry-After" in answers["503"]["headers"]

    run(test)


def test_a_photo_is_never_written_to_disk(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a part was about to be written to disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", fail)
    rng = np.random.default_rng(0)
    large = encoded(Image.fromarray(rng.integers(0, 256, (1500, 1300, 3), dtype=np.uint8)), "PNG")
    assert len(large) > 5 * 2**20

    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            answer = await http.post("/v1/predict", files={"image": large}, data={"text": "165 cm"})
            assert answer.status_code == 200, answer.text

    run(test)

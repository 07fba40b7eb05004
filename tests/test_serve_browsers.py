"""What browsers are told: who may read, what a page may send, and the headers that every answer has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve.config import Settings
from serve.key_source import FileKeys
from tests.doorway import SHOP, Caller, Doorway, doorway, make
from tests.serving import assert_problem
from tryon_core.errors import ConfigError

LISTED = "https://admin.shop.example"
ELSEWHERE = "https://elsewhere.example"


def preflight(origin: str, method: str = "POST") -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}


def cors(answer: httpx.Response) -> Mapping[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def test_a_browser_asks_without_a_key_what_a_page_may_send(tmp_path: Path) -> None:
    async def test() -> None:
        async with doorway(tmp_path, "shopper", origins=LISTED, address_requests=1) as (http, _):
            for origin in (SHOP, LISTED) * 3:
                answer = await http.options("/v1/recommendations", headers=preflight(origin))
                assert answer.status_code == 204
                assert answer.headers["access-control-allow-origin"] == origin
                assert "POST" in answer.headers["access-control-allow-methods"]
                assert "Authorization" in answer.headers["access-control-allow-headers"]
                assert "access-control-allow-credentials" not in answer.headers
                assert {"Origin", "Access-Control-Request-Headers"} <= set(answer.headers["vary"].split(", "))
                assert answer.headers["x-request-id"]
            for origin in (ELSEWHERE, "null", "https://shop.example.elsewhere.example", SHOP.upper()):
                answer = await http.options("/v1/recommendations", headers=preflight(origin))
                assert (answer.status_code, cors(answer)) == (204, {})

    asyncio.run(test())


def test_an_option_that_is_no_browsers_question_is_another_method() -> None:
    async def test() -> None:
        async with Doorway(None).client() as http:
            assert_problem(await http.options("/v1/recommendations"), 405)

    asyncio.run(test())


def test_a_page_that_is_listed_reads_every_answer_errors_too_and_another_none(tmp_path: Path) -> None:
    async def test() -> None:
        async with doorway(tmp_path, "shopper", address_requests=3) as (http, caller):
            statuses = []
            for headers in (caller.headers, {"Origin": SHOP}, caller.headers, caller.headers):
                answer = await http.post("/v1/recommendations", headers=headers)
                statuses.append(answer.status_code)
                assert answer.headers["access-control-allow-origin"] == SHOP
                assert "Retry-After" in answer.headers["access-control-expose-headers"]
                assert "Origin" in answer.headers["vary"]
            assert statuses == [400, 401, 400, 429]
            answer = await http.get("/livez", headers={"Origin": ELSEWHERE})
            assert (answer.status_code, cors(answer)) == (200, {})

    asyncio.run(test())


def test_a_revoked_browsers_key_takes_its_pages_off_the_list(tmp_path: Path) -> None:
    async def test() -> None:
        source = FileKeys(tmp_path / "keys.json")
        key, _ = await make(source, "shopper")
        async with Doorway(source).client() as http:
            asked: dict[str, Any] = {"headers": preflight(SHOP)}
            assert cors(await http.options("/v1/predict", **asked))
        await source.change(key.id, lambda k: k.model_copy(update={"revoked": k.created}))
        async with Doorway(source).client() as http:
            assert not cors(await http.options("/v1/predict", **asked))

    asyncio.run(test())


def test_a_page_may_not_use_another_shops_key_though_both_are_listed(tmp_path: Path) -> None:
    async def test() -> None:
        source = FileKeys(tmp_path / "keys.json")
        _, one = await make(source, "shopper")
        await make(source, "shopper", origins=frozenset({ELSEWHERE}))
        async with Doorway(source).client() as http:
            answer = await http.post("/v1/recommendations", headers=Caller(one, ELSEWHERE).headers)
            assert_problem(answer, 403, "expected a page of an origin that the key is bound to")

    asyncio.run(test())


def test_without_keys_a_page_from_elsewhere_cannot_write_even_blindly() -> None:
    async def test() -> None:
        async with Doorway(None).client() as http:
            blind = {"Origin": ELSEWHERE, "Content-Type": "text/plain"}
            assert_problem(
                await http.post("/v1/feedback", headers=blind, content="{}"), 403, "of this service or of an origin"
            )
            assert_problem(await http.post("/v1/recommendations", headers={"Origin": "null"}, content="{}"), 403)
        async with Doorway(None, origins=ELSEWHERE).client() as http:
            assert (await http.post("/v1/recommendations", headers=blind, content="{}")).status_code == 422

    asyncio.run(test())


def test_every_answer_has_the_headers_that_keep_browsers_safe(tmp_path: Path) -> None:
    async def test() -> None:
        async with doorway(tmp_path, "read") as (http, _):
            for path, status in (
                ("/", 200),
                ("/livez", 200),
                ("/readyz", 503),
                ("/metrics", 401),
                ("/v1/garments", 401),
                ("/x", 404),
            ):
                answer = await http.get(path)
                assert answer.status_code == status
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["x-frame-options"] == "DENY"
                assert answer.headers["referrer-policy"] == "no-referrer"
                assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
                assert answer.headers.get_list("content-security-policy")[1:] == []
                assert ("no-store" in answer.headers.get("cache-control", "")) == path.startswith("/v1/")
            assert "script-src 'self'" in (await http.get("/")).headers["content-security-policy"]

    asyncio.run(test())


def test_refusals_are_counted_by_reason_and_route(tmp_path: Path) -> None:
    async def test() -> None:
        source = FileKeys(tmp_path / "keys.json")
        _, key = await make(source, "admin")
        door = Doorway(source)
        async with door.client() as http:
            for headers in ({}, {"Authorization": "Bearer x"}, Caller(key).headers, Caller(key, ELSEWHERE).headers):
                await http.post("/v1/predict", headers=headers)
        text = door.metrics.exposition()[0].decode()
        for reason, num in (("no_key", 1), ("wrong_key", 1), ("scope", 2)):
            assert f'tryon_refused_requests_total{{reason="{reason}"}} {num}.0' in text
        assert 'tryon_requests_total{route="/v1/predict",status="401"} 2.0' in text

    asyncio.run(test())


@pytest.mark.parametrize("told", ["Basic dXNlcjpwYXNz", "Bearer", "tryon_x", "bearer  ", "Bearer a b"])
def test_what_is_no_key_is_a_401_whatever_it_looks_like(told: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with doorway(tmp_path, "read") as (http, _):
            answer = await http.get("/v1/garments", headers={"Authorization": told})
            assert_problem(answer, 401)
            assert answer.json()["detail"].startswith("expected a key")

    asyncio.run(test())


@pytest.mark.parametrize("wrong", ["*", "shop.example", "https://shop.example/", "https://a.example https://b.example"])
def test_origins_that_are_none_are_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(ConfigError, match="expected an origin"):
        Settings(origins=wrong)

"""The table of SECURITY.md, cell by cell, against the real application: each route by each kind of caller."""

from __future__ import annotations

import asyncio
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from serve.access import TABLE, as_markdown, rules_of
from serve.app import build_app
from serve.key_source import FileKeys
from serve.operations import operations
from tests.doorway import SHOP, Caller, Doorway, doorway, make
from tests.serving import assert_problem

SECURITY = (Path(__file__).parent.parent / "SECURITY.md").read_text(encoding="utf-8")
ID = "0123456789abcdef0123456789abcdef"
ELSEWHERE = "https://elsewhere.example"
FORBIDDEN = {401, 403, 429}


def rows() -> Iterator[tuple[str, str, str, dict[str, bool]]]:
    """Method, path, port and what stands in each caller's cell, as people read it."""
    lines = SECURITY.split("## The table")[1].split("##")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    head, _, *body = cells
    for route, port, *marks in body:
        assert set(marks) <= {"yes", "–"}
        method, path = route.strip("`").split()
        yield method, path, port, {name: mark == "yes" for name, mark in zip(head[2:], marks, strict=True)}


PUBLIC = [(method, path, may) for method, path, port, may in rows() if port == "public"]
OPERATIONS = [(method, path, may) for method, path, port, may in rows() if port == "operations"]


def concrete(path: str) -> str:
    return path.replace("/web/{id}", "/web/page.css").replace("{id}", ID)


def declared(routes: Any) -> list[tuple[str, str]]:
    """Every route of an application, those of included routers, too."""
    found: list[tuple[str, str]] = []
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            found += declared(included.routes)
        else:
            assert isinstance(route, Route), route
            found += [(method, route.path) for method in (route.methods or ()) if method != "HEAD"]
    return found


def in_app() -> set[tuple[str, str]]:
    """Those routes of the table that the application has."""
    found = declared(build_app(Doorway(None)).routes)
    known = {(m, "/web/{id}" if p.startswith("/web/") else re.sub(r"\{[^{}]*\}", "{id}", p)) for m, p in found}
    return {(method, path) for method, path, _ in PUBLIC} & known


def test_the_documents_table_is_the_codes() -> None:
    assert as_markdown() in SECURITY
    assert len(PUBLIC) + len(OPERATIONS) == len(TABLE)


def test_every_route_of_the_application_stands_in_the_table() -> None:
    found = declared(build_app(Doorway(None)).routes)
    assert len(found) >= 13
    for method, path in found:
        assert method in rules_of(path), f"{method} {path}"


def test_a_fixed_path_is_not_taken_for_an_id() -> None:
    assert rules_of("/v1/garments/import")["POST"].path == "/v1/garments/import"
    assert rules_of("/v1/garments/a")["PUT"].path == "/v1/garments/{id}"
    assert rules_of("/v1/garments/a/b")["PUT"].path == "/v1/garments/{id}"
    assert rules_of("/v1/garment/a") == {}
    assert rules_of("/v1/garments/") == {}


class Kinds:
    """One caller of every kind."""

    async def made(self, folder: Path) -> tuple[FileKeys, dict[str, Caller]]:
        source, now = FileKeys(folder / "keys.json"), datetime.now(UTC)
        keys = {scope: (await make(source, scope))[1] for scope in ("shopper", "read", "write", "admin")}
        callers = {scope: Caller(key, SHOP if scope == "shopper" else "") for scope, key in keys.items()}
        revoked, whole = await make(source, "read", "write", "admin")
        await source.change(revoked.id, lambda key: key.model_copy(update={"revoked": now}))
        rotated, old = await make(source, "read", "write", "admin")
        await source.change(rotated.id, lambda key: key.rotated(now - timedelta(hours=2), timedelta(hours=1))[0])
        nobody = keys["admin"][:-1] + ("0" if keys["admin"][-1] != "0" else "1")
        return source, callers | {
            "no key": Caller(),
            "revoked": Caller(whole),
            "rotated": Caller(old),
            "nobody": Caller(nobody),
            "shopper elsewhere": Caller(keys["shopper"], ELSEWHERE),
            "shopper nowhere": Caller(keys["shopper"]),
            "read elsewhere": Caller(keys["read"], ELSEWHERE),
            "admin elsewhere": Caller(keys["admin"], ELSEWHERE),
        }


def expected(may: dict[str, bool], kind: str) -> int | None:
    """The status of a refusal; None where there is none."""
    if may["no key"]:
        return None
    if kind in ("no key", "revoked", "rotated", "nobody"):
        return 401
    scope, _, where = kind.partition(" ")
    return None if may[scope] and not where else 403


def test_every_cell_of_the_public_port_is_as_the_table_says(tmp_path: Path) -> None:
    async def test() -> None:
        source, callers = await Kinds().made(tmp_path)
        door = Doorway(source, address_requests=0)
        known = in_app()
        assert len(known) >= 9
        async with door.client() as http:
            for method, path, may in PUBLIC:
                for kind, caller in callers.items():
                    answer = await http.request(method, concrete(path), headers=caller.headers)
                    refusal = expected(may, kind)
                    if refusal:
                        assert_problem(answer, refusal)
                        assert ("www-authenticate" in answer.headers) == (refusal == 401)
                    else:
                        assert answer.status_code not in FORBIDDEN, (method, path, kind, answer.text)
                        assert (answer.status_code not in (404, 405)) == ((method, path) in known), (
                            method,
                            path,
                            answer.text,
                        )

    asyncio.run(test())


def test_without_keys_every_cell_is_open_except_to_pages_from_elsewhere() -> None:
    async def test() -> None:
        async with Doorway(None).client() as http:
            for method, path, may in PUBLIC:
                answer = await http.request(method, concrete(path))
                assert answer.status_code not in FORBIDDEN, (method, path)
                foreign = await http.request(method, concrete(path), headers={"Origin": ELSEWHERE})
                assert (foreign.status_code == 403) == (not may["no key"]), (method, path)
                own = await http.request(method, concrete(path), headers={"Origin": "http://tryon.example"})
                assert own.status_code not in FORBIDDEN, (method, path)

    asyncio.run(test())


def test_what_is_not_in_the_table_is_not_there(tmp_path: Path) -> None:
    async def test() -> None:
        source, callers = await Kinds().made(tmp_path)
        async with Doorway(source).client() as http:
            for path in ("/v1/secret", "/metrics/", "/v1/garment/a", "/v1//predict", "//metrics", "/METRICS"):
                for kind in ("no key", "admin"):
                    answer = await http.get(f"http://tryon.example{path}", headers=callers[kind].headers)
                    assert_problem(answer, 404)

    asyncio.run(test())


def test_a_route_that_the_table_lacks_answers_nobody() -> None:
    async def test() -> None:
        door = Doorway(None)
        app = build_app(door)
        app.add_api_route("/v1/forgotten", lambda: {"secret": 1})
        async with door.client() as http:
            http._transport.app = app
            assert_problem(await http.get("/v1/forgotten"), 404)

    asyncio.run(test())


def test_another_method_is_told_which_there_are() -> None:
    async def test() -> None:
        async with Doorway(None).client() as http:
            answer = await http.get("/v1/predict")
            assert_problem(answer, 405)
            assert answer.headers["allow"] == "POST"

    asyncio.run(test())


def test_every_cell_of_the_operations_port_is_as_the_table_says() -> None:
    with operations("127.0.0.1", 0, lambda: (b"tryon_x 1\n", "text/plain"), "http://127.0.0.1:9") as address:
        assert {(method, path) for method, path, _ in OPERATIONS} == {
            ("GET", path) for path in ("/metrics", "/livez", "/readyz")
        }
        for method, path, may in OPERATIONS:
            assert all(may.values())
            request = urllib.request.Request(address + path, method=method)
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    assert answer.status == 200
            except urllib.error.HTTPError as err:
                assert (path, err.code) == ("/readyz", 503)  # there is no service behind it here
                err.close()
        for method, path in {(method, path) for method, path, _ in PUBLIC} - {(m, p) for m, p, _ in OPERATIONS}:
            request = urllib.request.Request(address + concrete(path), method=method)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=5)
            assert refused.value.code in (404, 501)
            refused.value.close()


def test_the_openapi_tells_the_scopes_and_where_the_key_goes(tmp_path: Path) -> None:
    source = FileKeys(tmp_path / "keys.json")
    api = build_app(Doorway(source, keys=str(tmp_path / "keys.json"))).openapi()
    assert api["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            rule = rules_of(path)[method.upper()]
            assert set(operation["x-scopes"]) == rule.scopes
            assert ("security" in operation) == (not rule.is_open)
            if not rule.is_open and path.startswith("/v1/"):
                assert {"401", "403", "429"} <= set(operation["responses"])
    assert "security" not in build_app(Doorway(None)).openapi()["paths"]["/v1/predict"]["post"]


def test_a_browser_names_no_customer_whose_orders_count(tmp_path: Path) -> None:
    body = {"garment_ids": ["a"], "customer_key": "somebody"}

    async def test() -> None:
        async with doorway(tmp_path, "shopper") as (http, browser):
            refused = await http.post("/v1/recommendations", json=body, headers=browser.headers)
            assert_problem(refused, 403, "expected customer_key from a shop's own back end")
            assert (
                await http.post("/v1/recommendations", json={**body, "customer_key": None}, headers=browser.headers)
            ).status_code == 503
        async with doorway(tmp_path, "read") as (http, shop):
            assert (await http.post("/v1/recommendations", json=body, headers=shop.headers)).status_code == 503

    asyncio.run(test())

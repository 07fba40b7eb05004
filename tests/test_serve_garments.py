"""The catalogue over HTTP: what is kept of a garment, for whom it changes, and what is recommended from it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from serve.garment_encoding import GarmentEncoding
from tests.drawn import garment_image
from tests.in_process import client, service
from tests.serving import Case, assert_equal, assert_problem, reference, untrained_checkpoint, variant

SIZES = [{"label": label, "chart": {"waist_cm": [62 + 6 * at, 68 + 6 * at]}} for at, label in enumerate("SML")]
DRESS = {"title": "Loose blue dress", "category": "Sommerkleid", "price": 49.9, "sizes": SIZES}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return untrained_checkpoint(tmp_path_factory.mktemp("models") / "model", variant("cnn", "gru", "concat"))


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 300))


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_a_garment_is_made_and_kept_and_the_same_once_more_changes_nothing(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            made = await http.put("/v1/garments/g1", json=DRESS)
            assert made.status_code == 201
            again = await http.put("/v1/garments/g1", json={"id": "g1", **DRESS})
            assert again.status_code == 200
            assert again.json() == made.json()
            assert made.json()["category_mapped"] == {
                "given": "Sommerkleid",
                "mapped": "dress",
                "advice": True,
                "reason": None,
            }
            got = await http.get("/v1/garments/g1")
            assert got.json() == made.json()
            assert got.headers["etag"] == made.headers["etag"] == f'"{made.json()["etag"]}"'
            other = await http.put("/v1/garments/g1", json={**DRESS, "title": "Loose red dress"})
            assert other.status_code == 200
            assert other.headers["etag"] != made.headers["etag"]
            assert_problem(
                await http.put("/v1/garments/g1", json={"id": "g2", **DRESS}), 422, "id of the path", pointer="/id"
            )
            assert_problem(await http.get("/v1/garments/g2"), 404, "'g2'")

    run(test)


def test_preconditions_are_honoured(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            path = "/v1/garments/a/b"  # ids of shops hold slashes
            assert_problem(await http.put(path, json=DRESS, headers={"If-Match": "*"}), 412)
            tag = (await http.put(path, json=DRESS, headers={"If-None-Match": "*"})).headers["etag"]
            assert_problem(await http.put(path, json=DRESS, headers={"If-None-Match": "*"}), 412, tag.strip('"'))
            known = await http.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
            assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
            assert (await http.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
            assert_problem(await http.get(path, headers={"If-None-Match": "other"}), 400, "if-none-match")
            cheaper = await http.patch(path, json={"price": 40}, headers={"If-Match": f'"other", {tag}'})
            assert cheaper.status_code == 200
            assert_problem(await http.patch(path, json={"price": 30}, headers={"If-Match": tag}), 412)
            assert_problem(await http.delete(path, headers={"If-Match": tag}), 412)
            assert (await http.delete(path, headers={"If-Match": cheaper.headers["etag"]})).status_code == 204
            assert_problem(await http.delete(path), 404)

    run(test)


def test_a_patch_of_stock_and_price_encodes_nothing(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            assert (await http.put("/v1/garments/g1", json=DRESS)).status_code == 201
            calls = stages.text.encode.num_calls
            assert calls
            patched = await http.patch("/v1/garments/g1", json={"price": 10.5, "in_stock": {"S": False, "M": True}})
            assert [size.get("in_stock") for size in patched.json()["sizes"]] == [False, True, None]
            assert patched.json()["price"] == 10.5
            assert_problem(await http.patch("/v1/garments/g1", json={"in_stock": {"XXL": True}}), 422, "XXL")
            assert_problem(await http.patch("/v1/garments/g1", json={}), 422, "expected price or in_stock")
            answer = await http.post("/v1/recommendations", json={"garment_ids": ["g1"]})
            assert answer.json()["recommendations"][0]["size"] != "S"
            assert stages.text.encode.num_calls == calls

    run(test)


@pytest.mark.parametrize("way", ["multipart", "json"])
def test_recommendations_by_id_are_those_of_the_same_garments_given_inline(url: str, way: str) -> None:
    async def test() -> None:
        case = Case()
        body = case.body()
        async with service(url) as (ingress, stages), client(ingress) as http:
            for garment in body["garments"]:
                path, own = f"/v1/garments/{garment['id']}", {k: v for k, v in garment.items() if k != "id"}
                if way == "json":
                    put = await http.put(path, json=own)
                else:
                    image = base64.b64decode(own.pop("image_base64"))
                    told = {"garment": (None, json.dumps(own), "application/json")}
                    put = await http.put(path, files={"image": ("g.png", image, "image/png"), **told})
                assert put.status_code == 201, put.text
                assert put.json()["image"] is True
            calls = stages.image.encode.num_calls
            ids = [garment["id"] for garment in body["garments"]]
            answer = await http.post("/v1/recommendations", json={"shopper": body["shopper"], "garment_ids": [*ids, "gone"]})
            assert_equal(answer.json(), reference(url, case))
            assert answer.json()["unknown"] == ["gone"]
            assert answer.json()["degraded"] is False
            assert stages.image.encode.num_calls == calls + 1  # the shopper's photo

    run(test)


def test_what_was_encoded_is_not_encoded_again_after_a_restart(url: str, tmp_path: Any) -> None:
    async def test() -> None:
        settings = {"store": f"sqlite:///{tmp_path}/store.db", "blobs": f"{tmp_path}/blobs"}
        garment = {**DRESS, "image_base64": in_base64(garment_image(3))}
        async with service(url, **settings) as (ingress, _), client(ingress) as http:
            assert (await http.put("/v1/garments/g1", json=garment)).status_code == 201
        async with service(url, **settings) as (ingress, stages), client(ingress) as http:
            answer = await http.post("/v1/recommendations", json={"garment_ids": ["g1"]})
            assert len(answer.json()["recommendations"]) == 1
            assert (await http.put("/v1/garments/g1", json=garment)).status_code == 200
            assert (stages.image.encode.num_calls, stages.text.encode.num_calls) == (0, 0)

    run(test)


def test_under_another_model_garments_are_encoded_anew_on_demand(url: str, tmp_path: Any) -> None:
    other = untrained_checkpoint(tmp_path / "other", variant("cnn", "gru", "concat"), seed=1)

    async def test() -> None:
        settings = {"store": f"sqlite:///{tmp_path}/store.db", "blobs": f"{tmp_path}/blobs"}
        case = Case(without="person_mask")
        body = case.body()
        ids = [garment["id"] for garment in body["garments"]]
        async with service(url, **settings) as (ingress, _), client(ingress) as http:
            for garment in body["garments"]:
                await http.put(f"/v1/garments/{garment['id']}", json=garment)
        async with service(other, **settings) as (ingress, _), client(ingress) as http:
            for _ in range(2):
                answer = await http.post("/v1/recommendations", json={"shopper": body["shopper"], "garment_ids": ids})
                assert_equal(answer.json(), reference(other, case))
            assert {num for _, num in (await ingress.store.embeddings.encoders()).items()} == {2}
            assert len(await ingress.store.embeddings.encoders()) == 4

    run(test)


def test_a_picture_that_is_none_is_refused_and_nothing_is_kept(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            for content, status in ((b"no picture", 422), (garment_image(0)[:200], 415)):
                body = {**DRESS, "image_base64": in_base64(content)}
                assert_problem(await http.put("/v1/garments/g1", json=body), status, "expected", pointer="/image_base64")
            linked = {**DRESS, "image_link": "https://shop.example/a.jpg"}
            assert_problem(
                await http.put("/v1/garments/g1", json=linked), 422, "links are not followed", pointer="/image_link"
            )
            assert_problem(await http.get("/v1/garments/g1"), 404)

    run(test)


def test_of_what_there_is_no_advice_on_the_answer_says_so(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            put = await http.put("/v1/garments/ring", json={"title": "Silver", "category": "Ohrringe"})
            assert put.json()["category_mapped"]["advice"] is False
            sold_out = {**DRESS, "sizes": [{"label": "M", "in_stock": False}]}
            await http.put("/v1/garments/sold", json=sold_out)
            sofa = {"id": "sofa", "category": "Sofas"}
            answer = await http.post("/v1/recommendations", json={"garment_ids": ["ring", "sold"], "garments": [sofa]})
            assert answer.status_code == 200, answer.text
            assert answer.json()["recommendations"] == []
            told = {own["garment_id"]: own["code"] for own in answer.json()["without_advice"]}
            assert told == {"ring": "category", "sold": "out_of_stock", "sofa": "category"}

    run(test)


def test_charts_that_cannot_be_meant_are_refused_by_row(url: str) -> None:
    def dress(**chart: Any) -> dict[str, Any]:
        return {**DRESS, "sizes": [SIZES[0], {"label": "M", "chart": chart}, SIZES[2]]}

    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            for chart, detail in (
                ({"waist_cm": [27, 29]}, "as inches it would be [68.6, 73.7]"),
                ({"waist_cm": [76, 70]}, "low <= high"),
                ({"waist_cm": [55, 57]}, "to rise with the size"),
                ({"of": "garment", "chest_cm": [44, 46]}, "laid flat"),
                ({"height_cm": [20, 30]}, "between 130 and 230"),
            ):
                put = await http.put("/v1/garments/g1", json=dress(**chart))
                assert_problem(put, 422, detail)
                assert put.json()["errors"][0]["pointer"].startswith("/sizes/1/chart")
                inline = await http.post("/v1/recommendations", json={"garments": [{"id": "g1", **dress(**chart)}]})
                assert_problem(inline, 422, detail)
            unknown = [
                {"label": "Nordlicht", "chart": {"waist_cm": [80, 84]}},
                {"label": "Polar", "chart": {"waist_cm": [70, 74]}},
            ]
            put = await http.put("/v1/garments/g1", json={**DRESS, "sizes": unknown})
            assert put.status_code == 201
            assert "to rise" in put.json()["warnings"][0]

    run(test)


def test_garments_are_listed_by_pages(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            lines = "".join(json.dumps({"id": f"g{n:03}", **DRESS}) + "\n" for n in range(25))
            assert (await http.post("/v1/garments/import", content=lines)).json()["accepted"] == 25
            found, cursor = [], ""
            while cursor is not None:
                page = (await http.get("/v1/garments", params={"limit": 10, "cursor": cursor})).json()
                assert len(page["garments"]) <= 10
                found += [garment["id"] for garment in page["garments"]]
                cursor = page["next"]
            assert found == [f"g{n:03}" for n in range(25)]
            assert_problem(await http.get("/v1/garments", params={"limit": 0}), 422, "limit")
            assert_problem(await http.get("/v1/garments", params={"cursor": "!"}), 422, "cursor")

    run(test)


def test_the_background_encodes_what_an_import_left(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            lines = [{"id": f"g{n}", **DRESS, "image_base64": in_base64(garment_image(n))} for n in range(3)]
            await http.post("/v1/garments/import", content="\n".join(map(json.dumps, lines)))
            assert (stages.image.encode.num_calls, stages.text.encode.num_calls) == (0, 0)
            encoding: GarmentEncoding = http._transport.app.state.encoding
            assert await encoding.once() == 6
            assert await encoding.once() == 0
            calls = stages.image.encode.num_calls, stages.text.encode.num_calls
            answer = await http.post("/v1/recommendations", json={"garment_ids": ["g0", "g1", "g2"]})
            assert len(answer.json()["recommendations"]) == 3
            assert (stages.image.encode.num_calls, stages.text.encode.num_calls) == calls

    run(test)


def test_of_many_candidates_those_that_are_not_encoded_yet_are_judged_by_the_rest_and_the_answer_says_so(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            lines = [
                {"id": f"g{n}", "title": f"dress no. {n}", "sizes": [{"label": "S"}, {"label": "M"}]} for n in range(300)
            ]
            await http.post("/v1/garments/import", content="\n".join(map(json.dumps, lines)))
            body = {"shopper": {"text": "165 cm"}, "garment_ids": [line["id"] for line in lines], "top_k": 5}
            first = (await http.post("/v1/recommendations", json=body)).json()
            assert len(first["recommendations"]) == 5
            assert first["degraded_reasons"] == [
                "the words or the pictures of 44 garments are not encoded yet: they were judged by the rest"
            ]
            assert (await http.post("/v1/recommendations", json=body)).json()["degraded"] is False
            body["garment_ids"] += [f"h{n}" for n in range(5000)]
            assert_problem(await http.post("/v1/recommendations", json=body), 422, "at most 5000 garments, got 5300")
            body["garment_ids"] = ["g1", "g1"]
            assert_problem(await http.post("/v1/recommendations", json=body), 422, "twice", pointer="/garment_ids/1")

    run(test)


def test_only_one_of_two_replicas_encodes_at_a_time(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _):
            now = [1000.0]
            first, second = (GarmentEncoding(ingress, object(), clock=lambda: now[0]) for _ in range(2))  # type: ignore[arg-type]
            await first._turn()
            waiting = asyncio.create_task(second._turn())
            await asyncio.sleep(0.1)
            assert not waiting.done()
            waiting.cancel()
            now[0] += 5
            await second._turn()

    run(test)


def test_every_example_of_the_openapi_page_is_answered_as_it_says(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            paths = (await http.get("/openapi.json")).json()["paths"]
            one, many = paths["/v1/garments/{id}"], paths["/v1/garments/import"]["post"]
            example = one["put"]["requestBody"]["content"]["application/json"]["example"]
            assert (await http.put("/v1/garments/g1", json=example)).status_code == 201
            example = one["patch"]["requestBody"]["content"]["application/json"]["example"]
            assert (await http.patch("/v1/garments/g1", json=example)).status_code == 200
            for kind, content in many["requestBody"]["content"].items():
                answer = await http.post("/v1/garments/import", content=content["example"], headers={"Content-Type": kind})
                assert answer.json() == {
                    "accepted": answer.json()["accepted"],
                    "num_rejected": 0,
                    "rejected": [],
                    "without_picture": [],
                }
                assert answer.json()["accepted"] >= 1, kind
            assert set(one) == {"get", "put", "patch", "delete"}
            for own in (*one.values(), many, paths["/v1/garments"]["get"]):
                assert {"400", "412", "422", "503"} <= set(own["responses"])

    run(test)

"""Order lines over HTTP: durable, counted once, corrected by later reports, told by number where wrong, felt at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from serve.effect import held_out
from serve.ingress import Ingress
from serve.schema_feedback import EXAMPLE
from tests.in_process import client, service
from tests.serving import Case, assert_problem, untrained_checkpoint, variant
from tryon_core.catalogue import SHIPPED_CHECKPOINT

Test = Callable[[Ingress, httpx.AsyncClient], Awaitable[None]]
SIZES = ("XS", "S", "M", "L", "XL", "XXL")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return untrained_checkpoint(tmp_path_factory.mktemp("models") / "model", variant("cnn", "gru", "concat"))


def run(url: str, test: Test, **settings: Any) -> None:
    async def whole() -> None:
        async with service(url, **settings) as (ingress, _), client(ingress) as http:
            await test(ingress, http)

    asyncio.run(asyncio.wait_for(whole(), 120))


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def line(**more: Any) -> dict[str, Any]:
    told = {"order_line_id": "1", "garment_id": "g", "size": "M", "outcome": "kept"}
    return told | {"ordered_at": days_ago(9), "occurred_at": days_ago(0), "customer_key": "c-4711"} | more


async def counts(ingress: Ingress, name: str = "g") -> list[float]:
    """Of small, fit, large in size M, as of now."""
    found = await ingress.store.lines.counts([name], day=datetime.now(UTC).timestamp() / 86_400)
    return [round(float(n), 2) for n in found.get((name, "M"), np.zeros(3))]


def test_a_line_is_created_once_and_a_later_report_takes_its_place(url: str) -> None:
    async def test(ingress: Ingress, http: httpx.AsyncClient) -> None:
        kept = line(occurred_at=days_ago(1e-3))
        created = await http.post("/v1/feedback", json=kept)
        assert (created.status_code, created.json()) == (201, {"order_line_id": "1", "status": "new"})
        assert await counts(ingress) == [0, 1, 0]
        again = await http.post("/v1/feedback", json=kept)
        assert (again.status_code, again.json()["status"]) == (200, "same")
        assert await counts(ingress) == [0, 1, 0]
        returned = await http.post("/v1/feedback", json=line(outcome="returned", reason="Too small"))
        assert (returned.status_code, returned.json()["status"]) == (200, "superseded")
        assert await counts(ingress) == [1, 0, 0]
        late = await http.post("/v1/feedback", json=kept)
        assert (late.status_code, late.json()["status"]) == (200, "older")
        assert await counts(ingress) == [1, 0, 0]
        text = ingress.metrics.exposition()[0].decode()
        assert all(f'tryon_order_lines_total{{outcome="{own}"}} 1.0' in text for own in ("new", "same", "superseded"))

    run(url, test)


@pytest.mark.parametrize(
    ("more", "counted"),
    [
        ({"outcome": "returned", "reason": "zu klein"}, [1, 0, 0]),
        ({"outcome": "exchanged", "reason": "TOO BIG"}, [0, 0, 1]),
        ({"outcome": "returned", "reason": "too big", "fit": "small"}, [1, 0, 0]),
        ({"outcome": "kept", "fit": "large"}, [0, 0, 1]),
        ({"outcome": "kept"}, [0, 1, 0]),
        ({"outcome": "returned"}, [0, 0, 0]),
        ({"outcome": "returned", "reason": "damaged"}, [0, 0, 0]),
        ({"outcome": "returned", "reason": "the wrong green"}, [0, 0, 0]),
    ],
)
def test_what_a_line_says_is_told_or_follows_from_the_reason(
    url: str, more: dict[str, str], counted: list[float], tmp_path: Path
) -> None:
    reasons = tmp_path / "reasons.json"
    reasons.write_text(json.dumps({"Zu klein": "small"}), encoding="utf-8")

    async def test(ingress: Ingress, http: httpx.AsyncClient) -> None:
        assert (await http.post("/v1/feedback", json=line(**more))).status_code == 201
        assert await counts(ingress) == counted

    run(url, test, reasons=str(reasons))


@pytest.mark.parametrize(
    ("more", "pointer", "detail"),
    [
        ({"occurred_at": "yesterday"}, "/occurred_at", "expected an ISO date or time such as"),
        ({"occurred_at": 1_700_000_000}, "/occurred_at", "valid string"),
        ({"occurred_at": "1926-01-01"}, "/occurred_at", "expected a moment from 2000 to 2100"),
        ({"occurred_at": days_ago(-3)}, "/occurred_at", "expected occurred_at not to be of the future"),
        ({"ordered_at": days_ago(1), "occurred_at": days_ago(5)}, "", "expected occurred_at behind ordered_at"),
        ({"outcome": "lost"}, "/outcome", "'kept', 'returned' or 'exchanged'"),
        ({"fit": "tight"}, "/fit", "'small', 'fit' or 'large'"),
        ({"size": ""}, "/size", "at least 1 character"),
        ({"colour": "red"}, "/colour", "not permitted"),
    ],
)
def test_a_wrong_field_is_told_and_nothing_is_kept(url: str, more: dict[str, Any], pointer: str, detail: str) -> None:
    async def test(ingress: Ingress, http: httpx.AsyncClient) -> None:
        assert_problem(await http.post("/v1/feedback", json=line(**more)), 422, detail, pointer=pointer)
        assert (await ingress.store.lines.page())[0] == []

    run(url, test)


def test_of_a_customers_key_only_a_keyed_hash_is_kept(url: str, tmp_path: Path) -> None:
    async def test(ingress: Ingress, http: httpx.AsyncClient) -> None:
        await http.post("/v1/feedback", json=line(customer_key="zebra@example.com"))
        ((kept,), _) = await ingress.store.lines.page()
        assert kept.customer == ingress.intake.customer("zebra@example.com")
        assert len(kept.customer) == 32

    run(url, test, store=f"sqlite:///{tmp_path}/store.db")
    files = [file for file in tmp_path.iterdir() if file.is_file()]
    assert files
    assert not any(b"zebra" in file.read_bytes() for file in files)


def test_an_import_keeps_what_is_right_tells_the_rest_by_number_and_may_come_twice(url: str) -> None:
    good = [line(order_line_id=f"l{n}", customer_key=f"c{n}", occurred_at=days_ago(1)) for n in range(1200)]
    rows = [json.dumps(own).encode() for own in good]
    rows[3:3] = [b"", b"{broken", json.dumps(line(outcome="lost")).encode(), b'"' + b"x" * 20_000 + b'"', b"\xff"]
    body = b"\n".join(rows)

    async def chunks() -> Any:
        for start in range(0, len(body), 7001):
            yield body[start : start + 7001]

    async def test(ingress: Ingress, http: httpx.AsyncClient) -> None:
        for _ in range(2):
            answer = await http.post("/v1/feedback/import", content=chunks())
            assert answer.status_code == 200, answer.text
            told = answer.json()
            assert (told["accepted"], told["num_rejected"]) == (1200, 4)
            assert [own["line"] for own in told["rejected"]] == [5, 6, 7, 8]
            assert "/outcome" in told["rejected"][1]["detail"]
            assert "at most 16384 bytes" in told["rejected"][2]["detail"]
            assert sum(await counts(ingress)) == pytest.approx(1200 * 0.5 ** (1 / 180), abs=0.1)

    run(url, test)


def test_the_examples_of_the_openapi_page_are_taken(url: str) -> None:
    async def test(ingress: Ingress, http: httpx.AsyncClient) -> None:
        paths = (await http.get("/openapi.json")).json()["paths"]
        one = paths["/v1/feedback"]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert one == EXAMPLE
        assert (await http.post("/v1/feedback", json=one)).status_code == 201
        (many,) = paths["/v1/feedback/import"]["post"]["requestBody"]["content"].values()
        answer = await http.post("/v1/feedback/import", content=many["example"])
        assert answer.json() == {"accepted": 1, "rejected": [], "num_rejected": 0}
        assert len((await ingress.store.lines.page())[0]) == 1

    run(url, test)


def test_feedback_moves_the_next_answer_and_that_of_every_colour_of_the_style_at_once(url: str) -> None:
    async def test(ingress: Ingress, http: httpx.AsyncClient) -> None:
        body = Case().body()
        before = (await http.post("/v1/recommendations", json=body)).json()
        told = line(garment_id="style-1", outcome="returned", fit="small")  # the style of the second garment
        lines = [told | {"order_line_id": f"l{n}", "customer_key": f"c{n}"} for n in range(12)]
        for own in lines:
            assert (await http.post("/v1/feedback", json=own)).status_code == 201
        after = (await http.post("/v1/recommendations", json=body)).json()
        first, then = (
            {
                own["garment_id"]: np.array([[*size["fit"].values()] for size in own["sizes"]])
                for own in answer["recommendations"]
            }
            for answer in (before, after)
        )
        assert np.abs(first["g1"] - then["g1"]).max() > 2e-4
        np.testing.assert_allclose(first["g0"], then["g0"], atol=2e-5)
        as_of = datetime.fromisoformat(after["history_as_of"])
        assert abs((datetime.now(UTC) - as_of).total_seconds()) < 60

    run(url, test)


def test_a_customers_own_lines_count_for_them_alone(url: str) -> None:
    async def test(ingress: Ingress, http: httpx.AsyncClient) -> None:
        for n in range(3):
            await http.post("/v1/feedback", json=line(order_line_id=f"l{n}", garment_id=f"other-{n}", fit="large"))

        async def matches(**more: str) -> list[float]:
            answer = await http.post("/v1/recommendations", json=Case().body() | more)
            assert answer.status_code == 200, answer.text
            return [own["match"] for own in answer.json()["recommendations"]]

        nobody, stranger, own = await matches(), await matches(customer_key="x"), await matches(customer_key="c-4711")
        assert stranger == pytest.approx(nobody, abs=1e-5)
        assert np.abs(np.array(own) - nobody).max() > 1e-4

    run(url, test)


def test_a_store_that_does_not_answer_costs_the_latest_history_and_no_answer(url: str) -> None:
    async def test(ingress: Ingress, http: httpx.AsyncClient) -> None:
        await ingress.store.close()
        answer = await http.post("/v1/recommendations", json=Case().body())
        assert answer.status_code == 200
        assert answer.json()["degraded"]
        assert answer.json()["degraded_codes"] == ["history_unavailable"]
        assert answer.json()["history_as_of"] is None
        assert_problem(await http.post("/v1/feedback", json=line()), 503)

    run(url, test)


def test_who_is_held_out_is_told_so(url: str) -> None:
    async def test(ingress: Ingress, http: httpx.AsyncClient) -> None:
        told = {}
        for n in range(12):
            answer = await http.post("/v1/recommendations", json=Case("person_mask").body() | {"customer_key": f"c{n}"})
            told[f"c{n}"] = answer.json()["holdout"]
        assert told == {name: held_out(ingress.intake.customer(name), 0.5) for name in told}
        assert len(set(told.values())) == 2

    run(url, test, holdout_share=0.5)


def test_ten_shoppers_who_call_a_garment_small_move_the_advice_a_size_up_and_the_reason_says_so() -> None:
    charts = [{"of": "body", "waist_cm": [60 + 6 * n, 66 + 6 * n], "hip_cm": [84 + 6 * n, 90 + 6 * n]} for n in range(6)]
    sizes = [{"label": label, "chart": chart} for label, chart in zip(SIZES, charts, strict=True)]
    garment = {"id": "red", "style_id": "style", "title": "Red jeans", "category": "pants", "department": "women"}
    body = {
        "shopper": {"profile": {"height_cm": 168, "weight_kg": 63, "usual_size": "M", "sex": "female"}},
        "garments": [garment | {"sizes": sizes}],
    }

    async def test(ingress: Ingress, http: httpx.AsyncClient) -> None:
        async def best() -> dict[str, Any]:
            (found,) = (await http.post("/v1/recommendations", json=body)).json()["recommendations"]
            return dict(found)

        before = await best()
        for n in range(12):
            said = {"outcome": "returned", "reason": "too small"} if n < 10 else {"outcome": "kept"}
            told = line(order_line_id=f"l{n}", garment_id="style", size=before["size"], customer_key=f"c{n}", **said)
            assert (await http.post("/v1/feedback", json=told)).status_code == 201
        after = await best()
        assert SIZES.index(before["size"]) < SIZES.index(after["size"]) <= SIZES.index(before["size"]) + 2
        assert "Runs small: 10 of 12 earlier orders were too small." in after["reasons"]

    run(SHIPPED_CHECKPOINT, test)

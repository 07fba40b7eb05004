"""Shoppers who are kept, over the real application in this process: made, found, answered, expired, deleted."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from serve.errors import StoreError
from serve.schema_shoppers import ShopperOut
from serve.shopper_memory import ShopperMemory
from serve.shopper_parts import Kept
from serve.store import open_store
from tests.drawn import encoded, photo
from tests.in_process import agree, client, service, stands_still
from tests.serving import Case, assert_equal, assert_problem, reference, untrained_checkpoint, variant
from tests.test_core_mask import SILHOUETTE, one_bit
from tryon_core.manifest import read_manifest

SAID = "165 cm, 55 kg, usually M, likes loose blue dresses"
CONSENT = {"version": "2027-01", "at": "2026-11-01T10:00:00+01:00"}
WIDTHS = {known: {"waist_cm": 4.0, "weight_kg": 6.0} for known in ("words", "photo", "both")}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models") / "model"
    return untrained_checkpoint(folder, variant("cnn", "gru", "concat"), calibration={"body_half_width": WIDTHS})


@pytest.fixture(scope="module")
def other_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return untrained_checkpoint(tmp_path_factory.mktemp("models") / "other", variant("cnn", "gru", "concat"), seed=1)


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 120))


def form(**parts: Any) -> dict[str, Any]:
    """Return the multipart form of a shopper; dicts are JSON, bytes are files."""
    told = {name: json.dumps(part) if isinstance(part, dict) else part for name, part in parts.items()}
    return {"files": {name: part if isinstance(part, bytes) else (None, part) for name, part in told.items()}}


async def made(http: httpx.AsyncClient, key: str | None = None, **parts: Any) -> dict[str, Any]:
    answer = await http.post("/v1/shoppers", **form(**parts), headers={"Idempotency-Key": key} if key else {})
    assert answer.status_code == 201, answer.text
    ShopperOut.model_validate(answer.json())
    return dict(answer.json())


def asked(shopper: dict[str, Any]) -> dict[str, Any]:
    return {"shopper_id": shopper["shopper_id"], "garments": Case().body()["garments"]}


def test_a_kept_shopper_is_told_of_and_answered_as_one_who_comes_with_the_request(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            answer = await http.post("/v1/shoppers", **form(photo=photo(), text=SAID, consent=CONSENT))
            shopper = answer.json()
            assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
            assert answer.headers["location"] == f"/v1/shoppers/{shopper['shopper_id']}"
            assert len(bytes.fromhex(shopper["shopper_id"])) == 16
            assert (shopper["photo"]["used"], shopper["photo"]["reason"]) == (True, None)
            waist = shopper["measurements"]["waist_cm"]
            assert list(shopper["measurements"]) == ["waist_cm"]
            assert (waist["high"] - waist["value"], waist["value"] - waist["low"]) == pytest.approx((4, 4))
            left_s = datetime.fromisoformat(shopper["expires_at"]).timestamp() - time.time()
            assert left_s == pytest.approx(7 * 24 * 3600, abs=60)
            photo_s = datetime.fromisoformat(shopper["photo"]["expires_at"]).timestamp() - time.time()
            assert photo_s == pytest.approx(24 * 3600, abs=60)
            again = await http.get(answer.headers["location"])
            assert again.json() == shopper
            first = await http.post("/v1/recommendations", json=asked(shopper))
            assert_equal(first.json(), reference(url, Case()))
            assert (first.json()["photo"]["used"], first.json()["degraded"]) == (True, False)
            calls = stages.image.encode.num_calls, stages.text.encode.num_calls
            await http.post("/v1/recommendations", json=asked(shopper))
            assert (stages.image.encode.num_calls, stages.text.encode.num_calls) == calls

    run(test)


def test_words_and_profile_make_a_shopper_without_consent_and_words_only_is_whole(url: str) -> None:
    async def test() -> None:
        async with service(url, clock=stands_still()) as (ingress, _), client(ingress) as http:
            owned = [{"brand": "Acme", "size": "M", "fit": "small"}]
            profile = {"height_cm": 165, "weight_kg": 55.5, "owned": owned}
            shopper = await made(http, text="loves green", profile=profile)
            assert (shopper["profile"], shopper["text"]) == (profile, "loves green")
            assert shopper["photo"] == {"used": False, "reason": None, "code": None, "expires_at": None}
            assert shopper["consent"] is None
            answer = (await http.post("/v1/recommendations", json=asked(shopper))).json()
            inline = {"shopper": {"text": "loves green", "profile": profile}, "garments": asked(shopper)["garments"]}
            same = (await http.post("/v1/recommendations", json=inline)).json()
            assert answer["degraded"] is False
            assert agree(answer["recommendations"], same["recommendations"])

    run(test)


def test_a_mask_takes_the_place_of_a_photo(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            shopper = await made(http, mask=one_bit(SILHOUETTE), consent=CONSENT)
            assert shopper["photo"]["used"] is True
            nobody = await made(http, mask=one_bit(~SILHOUETTE), consent=CONSENT, text=SAID)
            assert (nobody["photo"]["used"], nobody["photo"]["code"]) == (False, "no_person")
            answer = (await http.post("/v1/recommendations", json=asked(nobody))).json()
            assert (answer["degraded"], answer["photo"]["code"]) == (True, "no_person")

    run(test)


def test_what_is_told_wrong_is_refused_by_field_and_nothing_is_kept(url: str) -> None:
    wall = encoded(Image.new("RGB", (200, 300), (200, 200, 205)))
    cases: list[tuple[dict[str, Any], int, str, str]] = [
        ({"photo": photo()}, 422, "expected consent with a photo", "/consent"),
        ({"mask": b"x"}, 422, "expected consent with a mask", "/consent"),
        ({"photo": photo(), "mask": b"x", "consent": CONSENT}, 422, "expected a photo or a mask, got both", "/mask"),
        ({"consent": CONSENT}, 422, "got none", "/text"),
        ({"text": "   "}, 422, "got none", "/text"),
        ({"text": "M", "consent": {"version": "1"}}, 422, "Field required", "/consent/at"),
        ({"text": "M", "consent": {"version": "1", "at": "2026-11-01T10:00:00"}}, 422, "timezone", "/consent/at"),
        ({"text": "M", "consent": {"version": "1", "at": "2999-01-01T00:00:00Z"}}, 422, "to come", "/consent/at"),
        ({"text": "M", "profile": {"height_cm": 20}}, 422, "greater than or equal to 50", "/profile/height_cm"),
        ({"text": "M", "profile": {"colour": "blue"}}, 422, "Extra inputs", "/profile/colour"),
        ({"text": "M", "profile": "{"}, 400, "expected JSON", "/profile"),
        ({"text": "x" * 20_000}, 413, "characters", "/text"),
        ({"photo": b"no picture", "consent": CONSENT}, 415, "JPEG, PNG or WebP", "/photo"),
        ({"mask": wall, "consent": CONSENT}, 415, "1-bit PNG", "/mask"),
    ]

    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            for parts, status, told, pointer in cases:
                assert_problem(await http.post("/v1/shoppers", **form(**parts)), status, told, pointer=pointer)
            short = await http.post("/v1/shoppers", **form(text="M"), headers={"Idempotency-Key": "short"})
            assert_problem(short, 422, "expected Idempotency-Key of 16 to 200")
            both = {"shopper_id": "0" * 32, "shopper": {}, "garments": [{"id": "a"}]}
            assert_problem(await http.post("/v1/recommendations", json=both), 422, "shopper_id or shopper, got both")
            rows = await ingress.store._databases[0].rows("SELECT count(*) FROM shoppers")  # type: ignore[attr-defined]
            assert rows == [(0,)]

    run(test)


def test_the_same_key_gives_the_same_shopper_and_never_somebody_elses(url: str) -> None:
    key = "5f0c-a-key-that-nobody-guesses"

    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            both = await asyncio.gather(*(made(http, key, photo=photo(), text=SAID, consent=CONSENT) for _ in range(2)))
            calls = stages.image.encode.num_calls
            again = await made(http, key, photo=photo(), text=SAID, consent=CONSENT)
            assert stages.image.encode.num_calls == calls
            assert len({shopper["shopper_id"] for shopper in (*both, again)}) == 1
            assert again["shopper_id"] != (await made(http, key + "2", text=SAID))["shopper_id"]
            other = await http.post("/v1/shoppers", **form(text="another"), headers={"Idempotency-Key": key})
            assert_problem(other, 422, "used for a shopper of whom other things were told")
            assert (await http.delete(f"/v1/shoppers/{again['shopper_id']}")).status_code == 204
            gone = await http.post("/v1/shoppers", **form(text=SAID), headers={"Idempotency-Key": key})
            assert_problem(gone, 409, "the shopper of this one was deleted")

    run(test)


def test_after_a_day_the_photo_is_forgotten_and_after_a_week_the_shopper(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            shoppers = ingress.shoppers
            shopper = await made(http, photo=photo(), text=SAID, consent=CONSENT)
            path, ahead = f"/v1/shoppers/{shopper['shopper_id']}", 24 * 3600 + 1
            shoppers._clock = lambda: time.time() + ahead
            for _ in range(2):  # with what is expired still in the file, and without
                told = (await http.get(path)).json()
                assert (told["photo"]["used"], told["photo"]["code"]) == (False, "photo_expired")
                assert told["expires_at"] == shopper["expires_at"]
                answer = (await http.post("/v1/recommendations", json=asked(shopper))).json()
                assert_equal(answer, reference(url, Case("person_mask")))
                await ingress.store.shoppers.purge(now=time.time() + ahead)
            ahead = 7 * 24 * 3600 + 1
            assert_problem(await http.get(path), 404, "none has it, or their time is over")
            assert_problem(await http.post("/v1/recommendations", json=asked(shopper)), 404)

    run(test)


def test_after_a_change_of_model_an_old_photo_is_honestly_not_used_and_words_are_read_anew(url: str, other_url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http:
            shopper = await made(http, photo=photo(), text=SAID, consent=CONSENT)
            await stages.load(other_url)
            await ingress.reconfigure({"checkpoint": other_url})
            answer = (await http.post("/v1/recommendations", json=asked(shopper))).json()
            assert (answer["photo"]["used"], answer["photo"]["code"]) == (False, "model_changed")
            assert answer["degraded"] is True
            assert_equal(answer, reference(other_url, Case("person_mask")))
            calls = stages.text.encode.num_calls
            await http.post("/v1/recommendations", json=asked(shopper))
            assert stages.text.encode.num_calls == calls
            await stages.load(url)
            await ingress.reconfigure({"checkpoint": url})
            back = (await http.post("/v1/recommendations", json=asked(shopper))).json()
            assert_equal(back, reference(url, Case()))

    run(test)


def test_who_comes_during_a_roll_out_is_known_to_both_models(url: str, other_url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages), client(ingress) as http, service(other_url) as (other, _):
            ingress._trying = other.recommender
            shopper = await made(http, photo=photo(), text=SAID, consent=CONSENT)
            ingress._trying = None
            await stages.load(other_url)
            await ingress.reconfigure({"checkpoint": other_url})
            answer = (await http.post("/v1/recommendations", json=asked(shopper))).json()
            assert answer["photo"]["used"] is True
            assert_equal(answer, reference(other_url, Case()))
            assert shopper["model"] == read_manifest(url).fingerprint

    run(test)


def test_advice_is_kept_with_consent_only_rounded_and_goes_with_the_shopper(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            ids = []
            for agreed in ({"advice": True}, {}):
                shopper = await made(http, text="163 cm, 54 kg", consent=CONSENT | agreed)
                answer = (await http.post("/v1/recommendations", json=asked(shopper))).json()
                ids.append((shopper["shopper_id"], answer["recommendation_id"]))
            await asyncio.gather(*ingress.shoppers._writes)
            found = await ingress.store.shoppers.get_advices([own for _, own in ids], now=time.time())
            assert list(found) == [ids[0][1]]
            advice = found[ids[0][1]]
            assert (advice.height_cm, advice.weight_kg, advice.shopper_id) == (165, 55, ids[0][0])
            assert {item.garment_id for item in advice.items} == {"g0", "g1"}
            assert advice.expires_at - advice.created_at == 120 * 24 * 3600
            assert (await http.delete(f"/v1/shoppers/{ids[0][0]}")).status_code == 204
            assert await ingress.store.shoppers.get_advices([ids[0][1]], now=time.time()) == {}
            assert await ingress.store.shoppers.put_advice(advice) is False  # one that was still being written

    run(test)


def test_a_deleted_shopper_is_nowhere_and_deleting_them_again_is_no_error_within_a_day(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            shopper = await made(http, photo=photo(), text=SAID, consent=CONSENT)
            path = f"/v1/shoppers/{shopper['shopper_id']}"
            assert (await http.delete(path)).status_code == 204
            assert_problem(await http.get(path), 404)
            assert_problem(await http.post("/v1/recommendations", json=asked(shopper)), 404)
            assert (await http.delete(path)).status_code == 204
            for unknown in ("0" * 32, "x", "%00", "A" * 32):
                assert_problem(await http.delete(f"/v1/shoppers/{unknown}"), 404)

    run(test)


def test_another_replica_has_forgotten_before_a_deletion_is_answered(url: str, tmp_path: Path) -> None:
    async def test() -> None:
        own = {"store": f"sqlite:///{tmp_path}/store.db"}
        async with (
            service(url, **own) as (one, _),
            service(url, **own) as (two, _),
            client(one) as http,
            client(two) as beside,
        ):
            shopper = await made(http, text=SAID)
            path = f"/v1/shoppers/{shopper['shopper_id']}"
            assert (await beside.get(path)).status_code == 200
            assert shopper["shopper_id"] in two.shoppers.memory._held
            assert (await http.delete(path)).status_code == 204
            assert shopper["shopper_id"] not in two.shoppers.memory._held
            assert (await beside.get(path)).status_code == 404

    run(test)


class Cut:
    """A log of deletions that cannot be read while it is cut."""

    def __init__(self, log: Any) -> None:
        self._log, self.is_cut = log, False

    def __getattr__(self, name: str) -> Any:
        async def method(*args: Any, **told: Any) -> Any:
            if self.is_cut:
                raise StoreError("cut off")
            return await getattr(self._log, name)(*args, **told)

        return method


def test_a_replica_cut_off_from_the_store_holds_nobody_longer_than_a_deletion_waits(tmp_path: Path) -> None:
    async def test() -> None:
        from tests.test_serve_shopper_records import shopper_record

        store, now = await open_store(f"sqlite:///{tmp_path}/store.db"), time.monotonic()
        log, clock = Cut(store.tombstones), [now]
        one = ShopperMemory(store.tombstones, 0.4)
        cut = ShopperMemory(log, 0.4, clock=lambda: clock[0])  # type: ignore[arg-type]
        record = shopper_record(1)
        await store.shoppers.put(record)
        for memory in (one, cut):
            await memory.read_log(now=time.time())
            memory.put(Kept(record))
        assert cut.get(record.id, now=time.time()) is not None
        log.is_cut = True
        deletion = await store.shoppers.delete(record.id, now=time.time())
        assert deletion is not None
        begun = time.monotonic()
        assert await one.wait_until_forgotten(deletion.tombstone) is False  # it waits for the other, no longer than told
        assert time.monotonic() - begun >= 0.4
        assert one.get(record.id, now=time.time()) is None
        clock[0] = now + 0.41
        assert cut.get(record.id, now=time.time()) is None
        cut.put(Kept(record))
        assert not cut._held
        log.is_cut = False
        await cut.read_log(now=time.time())
        cut.put(Kept(record))  # read from the store before the deletion
        assert not cut._held
        assert await one.wait_until_forgotten(deletion.tombstone) is True
        await store.close()

    run(test)


def test_every_example_of_the_documents_is_answered_as_they_say(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            api = (await http.get("/openapi.json")).json()
            body = api["paths"]["/v1/shoppers"]["post"]["requestBody"]["content"]["multipart/form-data"]
            answer = await http.post("/v1/shoppers", **form(**body["example"]))
            assert answer.status_code == 201
            shown = api["components"]["schemas"]["ShopperOut"]["example"]
            assert shown == ShopperOut.model_validate(shown).model_dump(mode="json", exclude_none=True)
            assert set(shown) <= set(answer.json())
            for method in ("get", "delete"):
                told = api["paths"]["/v1/shoppers/{id}"][method]["responses"]
                got = await http.request(method, f"/v1/shoppers/{answer.json()['shopper_id']}")
                assert str(got.status_code) in told
                assert got.status_code < 300

    run(test)

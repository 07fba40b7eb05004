"""A photo leaves no trace, and a deleted shopper none of it either: in this process with files, and on a real Ray."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from serve.wire import Feature
from tests.drawn import photo
from tests.in_process import client, service
from tests.redis_server import RedisServer
from tests.serving import Case, untrained_checkpoint, variant
from tests.test_core_mask import SILHOUETTE, one_bit
from tests.traces import files_below, needles, shared_memory_of, traces

CONSENT = json.dumps({"version": "1", "at": "2026-11-01T10:00:00Z", "advice": True})
WORDS = "zebrawords 165 cm, usually M"
MASK = one_bit(SILHOUETTE)


def large_photo() -> bytes:
    """A photo of half a megabyte, far beyond what Ray passes within a message, which shows the drawn person."""
    image = np.asarray(Image.open(io.BytesIO(photo())).resize((1200, 1680))).astype(int)
    noise = np.random.default_rng(0).integers(-6, 7, image.shape)
    file = io.BytesIO()
    Image.fromarray(np.clip(image + noise, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=95)
    return file.getvalue()


def embedding_in(value: bytes, dim: int) -> bytes:
    feature = Feature.from_bytes(value, dim)
    assert feature is not None
    assert feature.embedding is not None
    return feature.embedding.astype("<f2").tobytes()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return untrained_checkpoint(tmp_path_factory.mktemp("models") / "model", variant("cnn", "gru", "concat"))


def test_what_looks_for_traces_finds_them(tmp_path: Path) -> None:
    content, numbers = large_photo(), np.arange(20, dtype="<f2").tobytes()
    looked_for = needles(content, [numbers], secret=b"secret")
    (tmp_path / "log").write_bytes(b"x" * 5_000_000 + base64.b64encode(content))
    (tmp_path / "spilled").write_bytes(b"head" + content)
    (tmp_path / "row").write_bytes(b"head" + numbers)
    with (tmp_path / "holes").open("wb") as file:
        file.seek(1 << 30)
        file.write(content)
    found = traces(files_below(tmp_path), looked_for)
    for name in ("log", "spilled", "row", "holes"):
        assert any(trace.endswith(name) for trace in found), name
    assert traces(files_below(tmp_path), needles(photo())) == []


def test_no_photo_is_in_any_file_and_after_delete_nothing_that_it_told(
    url: str, tmp_path: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temp))
    seen_photo, redis = large_photo(), redis_server.client()
    redis.flushall()

    def everywhere(looked_for: dict[str, bytes], exposition: bytes) -> list[str]:
        ours = [record for record in caplog.records if not record.name.startswith("httpx")]  # which is the test's own client
        (tmp_path / "log").write_text("".join(f"{record.getMessage()} {vars(record)} {record.exc_text}" for record in ours))
        keys = redis.keys()
        values = [redis.get(key) or b"" for key in keys]
        (tmp_path / "redis").write_bytes(b"".join([*keys, *values]))
        (tmp_path / "metrics").write_bytes(exposition)
        return traces(files_below(tmp_path, "/dev/shm"), looked_for)

    async def test() -> None:
        own = {"store": f"sqlite:///{tmp_path}/store.db", "blobs": str(tmp_path / "blobs"), "cache": redis_server.url}
        async with service(url, **own) as (ingress, _), client(ingress) as http:
            shoppers = []
            for part, content in (("photo", seen_photo), ("mask", MASK)):
                told = {part: content, "text": (None, WORDS), "consent": (None, CONSENT)}
                headers = {"Idempotency-Key": f"a-key-nobody-guesses-{part}"}
                shoppers.append((await http.post("/v1/shoppers", files=told, headers=headers)).json())
                assert shoppers[-1]["photo"]["used"] is True
                asked = {"shopper_id": shoppers[-1]["shopper_id"], "garments": Case().body()["garments"]}
                assert (await http.post("/v1/recommendations", json=asked)).status_code == 200
            inline = {"photo_base64": base64.b64encode(seen_photo).decode(), "text": "inline"}
            asked = {"shopper": inline, "garments": Case().body()["garments"]}
            assert (await http.post("/v1/recommendations", json=asked)).status_code == 200
            assert (await http.post("/v1/predict", files={"image": seen_photo})).status_code == 200
            broken = {"photo": seen_photo[: len(seen_photo) // 2 + 5000], "consent": (None, CONSENT)}
            assert (await http.post("/v1/shoppers", files=broken)).status_code == 415
            await asyncio.gather(*ingress.shoppers._writes, *ingress.recommender.features._writes)

            dims = {part: ingress.recommender.manifest.config.towers[tower].embedding_dim for part, tower in
                    ingress.recommender.manifest.config.parts.items() if part in ("person_mask", "shopper_words")}  # fmt: skip
            records = [await ingress.shoppers._read(shopper["shopper_id"]) for shopper in shoppers]
            kept = [
                embedding_in(value, dims[part])
                for record in records
                if record is not None and record.seen is not None
                for (part, _), value in (*record.told.embeddings.items(), *record.seen.embeddings.items())
            ]
            assert len(kept) == 4
            of_photos = needles(seen_photo, secret=b"secret") | {
                f"mask's {name}": needle for name, needle in needles(MASK, secret=b"secret").items()
            }
            exposition = ingress.metrics.exposition()[0]
            assert everywhere(of_photos, exposition) == []  # of the photo itself nothing, at any time
            numbers = {name: needle for name, needle in needles(b"x" * 999, kept).items() if name.startswith("embedding")}
            ids = {f"id {n}": shopper["shopper_id"].encode() for n, shopper in enumerate(shoppers)}
            told_of = numbers | {"words": b"zebrawords"} | ids
            before = everywhere(told_of, exposition)
            assert any("embedding 1" in trace for trace in before)  # it is looked for where it would be
            assert any("words" in trace for trace in before)
            for shopper in shoppers:
                assert (await http.delete(f"/v1/shoppers/{shopper['shopper_id']}")).status_code == 204
            # The ids stand in the log of deletions for a day, so that every replica hears of them.
            left = everywhere(numbers | {"words": b"zebrawords"}, ingress.metrics.exposition()[0])
            assert left == []
            assert {trace.split(" in ")[1] for trace in everywhere(ids, b"")} <= {f"{tmp_path}/store.db"}
            await ingress.store.shoppers.purge(now=time.time() + 26 * 3600)
            assert everywhere(told_of | of_photos, b"") == []

    asyncio.run(asyncio.wait_for(test(), 120))
    redis.close()


@pytest.mark.slow
@pytest.mark.cluster
def test_on_a_real_ray_no_photo_is_in_logs_object_store_spill_metrics_or_temporary_files(
    real_graph: tuple[httpx.Client, Path], tmp_path: Path
) -> None:
    http, folder = real_graph
    seen_photo = large_photo()
    assert len(seen_photo) > 500_000  # Ray puts what is over 100 kB into the object store, unless told otherwise
    told = {"photo": seen_photo, "text": (None, WORDS), "consent": (None, CONSENT)}
    answers = [http.post("/v1/shoppers", files=told), http.post("/v1/predict", files={"image": seen_photo})]
    inline = {"shopper": {"photo_base64": base64.b64encode(seen_photo).decode()}, "garments": Case().body()["garments"]}
    answers.append(http.post("/v1/recommendations", json=inline))
    assert [answer.status_code for answer in answers] == [201, 200, 200], answers[0].text
    shopper = answers[0].json()
    assert shopper["photo"]["used"] is True
    (tmp_path / "metrics").write_bytes(http.get("/metrics").content)
    looked_for = needles(seen_photo)
    assert traces(_files(folder, tmp_path), looked_for) == []
    path = f"/v1/shoppers/{shopper['shopper_id']}"
    assert http.delete(path).status_code == 204
    assert http.get(path).status_code == 404
    left = traces(_files(folder, tmp_path), looked_for | {"words": b"zebrawords", "id": shopper["shopper_id"].encode()})
    assert left == [f"id in {folder}/store.db"]  # so that every replica hears that they are gone; for a day


def _files(store: Path, more: Path) -> list[Path]:
    """Every place that a photo could be in: Ray's session and spill folders, its object store, temporary files, the store's."""
    import ray

    session = Path(ray._private.worker._global_node.get_session_dir_path())  # type: ignore[attr-defined]
    own = psutil.Process()
    family = [own, *own.children(recursive=True)]
    memory = [file for process in family for file in shared_memory_of(process.pid)]
    assert any("plasma" in os.readlink(file) for file in memory)  # the object store is among them
    return files_below(session, store, more, "/dev/shm") + memory + _new_in_temp(own.create_time())


def _new_in_temp(since: float) -> list[Path]:
    return [path for path in Path(tempfile.gettempdir()).iterdir() if path.is_file() and path.stat().st_mtime > since]


@pytest.fixture
def real_graph(ray_cluster: None, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Path]]:
    from ray import serve

    from serve.graph import build

    folder = tmp_path_factory.mktemp("kept")
    settings: dict[str, Any] = {"checkpoint": url, "store": f"sqlite:///{folder}/store.db", "blobs": f"{folder}/blobs"}
    serve.start(http_options={"host": "127.0.0.1", "port": 8124})
    serve.run(build(settings | {"max_replicas": 1}), name="tryon", route_prefix="/")
    http = httpx.Client(base_url="http://127.0.0.1:8124", timeout=120)
    for _ in range(600):
        if http.get("/readyz").status_code == 200:
            break
        time.sleep(0.1)
    yield http, folder
    http.close()
    serve.shutdown()

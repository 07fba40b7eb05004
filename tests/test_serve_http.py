"""The service over real HTTP on a real Ray: answers, parity, bad input, a killed Redis, and an ingress without torch."""

from __future__ import annotations

import base64
import json
import re
import shutil
import struct
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from ray import serve

from serve.graph import build
from tests.drawn import encoded, garment_image, photo
from tests.redis_server import RedisServer
from tests.serving import PARTS, Case, assert_equal, assert_problem, reference, untrained_checkpoint, variant
from tryon_core.catalogue import SAMPLE
from tryon_core.config import FUSIONS, IMAGE_ENCODERS, TEXT_ENCODERS

pytestmark = pytest.mark.cluster

PAIRWISE = [
    (image, TEXT_ENCODERS[(i + f) % 3], fusion) for i, image in enumerate(IMAGE_ENCODERS) for f, fusion in enumerate(FUSIONS)
]
"""Every pair of image encoder and fusion, of image and text encoder, and of text encoder and fusion."""


@pytest.fixture(scope="module")
def redis_of_graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


class Graph:
    """The running service; `use` gives every replica another model by the method that Serve itself calls for it."""

    def __init__(self, url: str, cache: str) -> None:
        serve.run(
            build({"checkpoint": url, "cache": cache, "cache_timeout_ms": "200", "rollout_s": "5"}),
            name="tryon",
            route_prefix="/",
        )
        self.http, self.url = httpx.Client(base_url="http://127.0.0.1:8123", timeout=60), url
        self._wait(url)

    def use(self, url: str) -> None:
        self.url = url
        self.configure(url)
        self._wait(url)

    def configure(self, url: str) -> None:
        for name in ("ImageEncoder", "TextEncoder", "Fusion", "Ingress"):
            serve.get_deployment_handle(name, "tryon").reconfigure.remote({"checkpoint": url}).result(timeout_s=60)

    def _wait(self, url: str) -> None:
        model = json.loads((Path(url) / "config.json").read_text())["fingerprints"]["model"]
        for _ in range(200):
            answer = self.http.get("/readyz")
            if answer.status_code == 200 and answer.json()["model"] == model:
                return
            time.sleep(0.05)
        raise TimeoutError(f"expected model {model} to be served, got {answer.text}")


@pytest.fixture(scope="module")
def graph(ray_cluster: None, redis_of_graph: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    serve.start(http_options={"host": "127.0.0.1", "port": 8123})
    own = Graph(
        untrained_checkpoint(tmp_path_factory.mktemp("models") / "first", variant("cnn", "gru", "concat")),
        redis_of_graph.url,
    )
    yield own
    own.http.close()
    serve.shutdown()


@pytest.mark.parametrize(("image", "text", "fusion"), PAIRWISE)
def test_http_equals_the_model_for_pairs_of_encoders_and_fusions_in_one_cluster(
    graph: Graph, image: str, text: str, fusion: str, tmp_path: Path
) -> None:
    whole = untrained_checkpoint(tmp_path / "whole", variant(image, text, fusion))
    forgetful = str(shutil.copytree(whole, tmp_path / "forgetful", ignore=shutil.ignore_patterns("history.parquet")))
    graph.use(whole)
    for without in ("", *PARTS):
        if without == "history":
            graph.use(forgetful)
        case = Case(without)
        answer = graph.http.post("/v1/recommendations", json=case.body())
        assert answer.status_code == 200, answer.text
        assert_equal(answer.json(), reference(graph.url, case))
        assert (answer.json()["history_as_of"] is None) == (without == "history")


def test_an_answer_has_the_fields_of_the_api(graph: Graph) -> None:
    answer = graph.http.post("/v1/recommendations", json=Case().body() | {"top_k": 1})
    body = answer.json()
    assert set(body) >= {
        "recommendations",
        "unknown",
        "recommendation_id",
        "history_as_of",
        "degraded",
        "degraded_reasons",
        "model",
    }
    (best,) = body["recommendations"]
    told = {"garment_id", "size", "match", "confidence", "fit", "sizes", "reasons", "explanation"}
    assert set(best) == told | {"advice", "reason_codes"}
    assert best["confidence"] == best["fit"]["fit"]
    assert sum(best["fit"].values()) == pytest.approx(1, abs=1e-4)
    assert answer.headers["x-request-id"]
    assert "," not in answer.headers["x-request-id"]
    stages = [entry.split(";")[0].strip() for entry in answer.headers["server-timing"].split(",")]
    assert stages == ["queue", "cache", "image", "text", "fusion"]


def test_an_explanation_travels_the_graph(graph: Graph) -> None:
    answer = graph.http.post("/v1/recommendations", json=Case().body() | {"explain": True})
    assert answer.status_code == 200, answer.text
    for garment in answer.json()["recommendations"]:
        told = garment["explanation"]["match"]
        total = told["base"] + sum(told["parts"].values())
        assert 1 / (1 + np.exp(-total)) == pytest.approx(garment["match"], abs=1e-3)
        assert {"165 cm", "55 kg"} <= {word["text"] for word in told["words"]["shopper_words"]}


def test_predict_answers_a_photo_and_a_sentence(graph: Graph) -> None:
    answer = graph.http.post("/v1/predict", files={"image": photo()}, data={"text": "165 cm, 55 kg"})
    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert 0 < body["prediction"] < 1
    assert set(body["fit"]) == {"small", "fit", "large"}
    assert (SAMPLE / f"{body['recommendation']['garment_id']}.jpg").exists()
    assert body["photo"] == {"used": True, "reason": None, "code": None}
    own = graph.http.post(
        "/v1/predict", files={"garment_image": garment_image(1)}, data={"text": "M", "garment_text": "blue dress"}
    )
    assert own.json()["recommendation"]["size"] in ("XS", "S", "M", "L", "XL")


def test_a_photo_without_a_person_is_not_used_and_the_answer_says_why(graph: Graph) -> None:
    wall = encoded(Image.new("RGB", (300, 400), (200, 200, 205)))
    body = graph.http.post("/v1/predict", files={"image": wall}, data={"text": "165 cm, 55 kg"}).json()
    assert body["photo"]["used"] is False
    assert "no person" in body["photo"]["reason"]
    assert body["photo"]["code"] == "no_person"
    assert body["degraded"] is True
    only_words = graph.http.post("/v1/predict", data={"text": "165 cm, 55 kg"}, files={"garment_text": (None, "")}).json()
    assert body["prediction"] == pytest.approx(only_words["prediction"], abs=1e-3)
    assert only_words["degraded"] is False


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is large; nothing needs to be decoded to refuse it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


BAD_IMAGES = {
    "a text file named .jpg": (b"this is no picture, whatever its name says", 415),
    "a truncated JPEG": (photo()[: len(photo()) // 2], 415),
    "an empty file": (b"", 415),
    "a 1 x 1 image": (encoded(Image.new("RGB", (1, 1)), "PNG"), 422),
    "a 20,000 x 20,000 image": (png_header(20_000, 20_000), 413),
    "a GIF": (encoded(Image.new("RGB", (64, 64)), "GIF"), 415),
}


@pytest.mark.parametrize("what", BAD_IMAGES)
def test_a_bad_image_gets_its_status_and_one_sentence(graph: Graph, what: str) -> None:
    content, status = BAD_IMAGES[what]
    answer = graph.http.post("/v1/predict", files={"image": ("me.jpg", content)}, data={"text": "M"})
    assert_problem(answer, status, pointer="/image")
    inline = Case().body()
    inline["garments"][1]["image_base64"] = base64.b64encode(content).decode()
    assert_problem(graph.http.post("/v1/recommendations", json=inline), status, pointer="/garments/1/image_base64")
    assert graph.http.post("/v1/recommendations", json=Case().body()).status_code == 200


def _with(path: str, value: Any) -> dict[str, Any]:
    body: Any = Case().body()
    inner = body
    *steps, last = path.strip("/").split("/")
    for step in steps:
        inner = inner[int(step)] if isinstance(inner, list) else inner.setdefault(step, {})
    inner[int(last) if isinstance(inner, list) else last] = value
    return dict(body)


BAD_FIELDS = [
    ("/colour", 1),
    ("/shopper/id", "x"),
    ("/shopper/text", 7),
    ("/shopper/profile/height_cm", "tall"),
    ("/shopper/profile/height_cm", 2),
    ("/garments", []),
    ("/garments/0/id", ""),
    ("/garments/0/sizes/0/chart/waist_cm", [70]),
    ("/garments/0/sizes/0/chart/bust", [70, 80]),
    ("/shopper/photo_base64", "%%%"),
    ("/top_k", 0),
    ("/top_k", "3"),
    ("/explain", "yes"),
    ("/shopper/profile/height_cm", "165"),
    ("/shopper/profile/age", 30.5),
    ("/garments/0/sizes/0/in_stock", "true"),
    ("/garments/0/sizes/0/chart/waist_cm", ["70", "74"]),
]


@pytest.mark.parametrize(("pointer", "value"), BAD_FIELDS)
def test_a_wrong_field_is_named(graph: Graph, pointer: str, value: Any) -> None:
    answer = graph.http.post("/v1/recommendations", json=_with(pointer, value))
    assert_problem(answer, 422)
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)


def test_whole_numbers_are_numbers_too(graph: Graph) -> None:
    body = _with("/shopper/profile/height_cm", 165)
    body["garments"][0]["sizes"][0]["chart"]["waist_cm"] = [70, 74]
    assert graph.http.post("/v1/recommendations", json=body).status_code == 200


def test_other_bad_requests_get_their_status(graph: Graph) -> None:
    post = graph.http.post
    assert_problem(post("/v1/recommendations", content=b"{not json"), 400)
    assert_problem(post("/v1/recommendations", content=b"\xff\xfe"), 400)
    assert_problem(post("/v1/recommendations", content=b""), 400)
    assert_problem(post("/v1/predict", content=b"no form"), 400)
    assert_problem(post("/v1/predict", data={"text": ""}, files={"garment_text": (None, "x")}), 422, pointer="/image")
    assert_problem(post("/v1/predict", files={"image": photo(), "extra": (None, "1")}), 422, pointer="/extra")
    assert_problem(post("/v1/predict", files={"text": (None, "x" * 2**20)}), 413)
    assert_problem(post("/v1/predict", files={"text": (None, "x" * 20_000)}), 413, pointer="/text")
    assert_problem(post("/v1/recommendations", json={"shopper": {"text": "x" * 2**20}, "garments": [{"id": "a"}]}), 422)
    assert_problem(post("/v1/recommendations", content=b" " * (25 * 2**20)), 413)
    long = {"text": "x " * 4_000, "profile": {"preferences": "y " * 4_000}}
    assert_problem(post("/v1/recommendations", json={"shopper": long, "garments": [{"id": "a"}]}), 413, pointer="/shopper")
    wordy = {"id": "a", "title": "x " * 4_000, "description": "y " * 4_000}
    assert_problem(post("/v1/recommendations", json={"garments": [{"id": "b"}, wordy]}), 413, pointer="/garments/1")
    cut = b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nM and more'
    assert_problem(post("/v1/predict", content=cut, headers={"Content-Type": "multipart/form-data; boundary=b"}), 400)
    other_method = graph.http.get("/v1/predict")
    assert_problem(other_method, 405)
    assert other_method.headers["allow"] == "POST"
    assert_problem(graph.http.get("/nowhere"), 404)
    for wrong in ("x", "0", "9" * 5_000):
        late = post("/v1/recommendations", json=Case().body(), headers={"X-Request-Timeout-Ms": wrong})
        assert_problem(late, 422)


def test_a_body_of_many_wrong_garments_is_refused_at_the_first(graph: Graph) -> None:
    answer = graph.http.post("/v1/recommendations", json={"garments": [{}] * 200_000})
    assert_problem(answer, 422, pointer="/garments/0/id")
    assert len(answer.json()["errors"]) == 1


def test_a_photo_of_the_largest_size_is_taken(graph: Graph) -> None:
    rng = np.random.default_rng(0)
    noisy = encoded(Image.fromarray(rng.integers(0, 256, (1500, 1300, 3), dtype=np.uint8)), "PNG")
    assert len(noisy) > 5 * 2**20
    body = graph.http.post("/v1/predict", files={"image": noisy}, data={"text": "165 cm, 55 kg"})
    assert body.status_code == 200, body.text
    assert body.json()["photo"]["used"] is False


def test_a_deadline_that_has_passed_is_told(graph: Graph) -> None:
    body = Case().body()
    body["garments"] = [body["garments"][0] | {"id": f"g{n}", "title": f"new {n}"} for n in range(150)]
    answer = graph.http.post("/v1/recommendations", json=body, headers={"X-Request-Timeout-Ms": "1"})
    assert_problem(answer, 504)


def test_health_metrics_openapi_and_page_answer(graph: Graph) -> None:
    assert graph.http.get("/livez").status_code == 200
    graph.http.post("/v1/recommendations", json=Case().body())
    metrics = graph.http.get("/metrics").text
    assert 'tryon_requests_total{route="/v1/recommendations",status="200"}' in metrics
    assert "tryon_stage_seconds_bucket" in metrics
    api = graph.http.get("/openapi.json").json()
    assert "RecommendationsIn" in api["components"]["schemas"]
    text = json.dumps(api)
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references <= set(api["components"]["schemas"])
    page = graph.http.get("/")
    assert page.status_code == 200
    assert "<form" in page.text
    for path in ("/docs", "/web/docs.js", "/web/page.js", "/web/page.css", "/web/sample.jpg", "/web/sample.txt"):
        assert graph.http.get(path).status_code == 200


def dom(path: str, folder: Path) -> str:
    """A page as headless Chromium has it once its scripts have run."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--virtual-time-budget=20000"]
    command = ["chromium", *flags, "--dump-dom", f"http://127.0.0.1:8123{path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


needs_chromium = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")


@needs_chromium
def test_the_page_shows_the_answer_to_the_sample_in_a_browser(graph: Graph, tmp_path: Path) -> None:
    answer = dom("/#sample", tmp_path).split('id="answer"')[1].split("</section>")[0]
    assert "The photo was used." in answer
    assert re.search(r"garment-[\w-]+: size \w+", answer)
    assert answer.count("<progress") == 4


@needs_chromium
def test_the_docs_show_every_route_in_a_browser(graph: Graph, tmp_path: Path) -> None:
    page = dom("/docs", tmp_path)
    routes = {
        f"{method.upper()} {path}"
        for path, ways in graph.http.get("/openapi.json").json()["paths"].items()
        for method in ways
    }
    assert set(re.findall(r"<code>([A-Z]+ /[^<]*)</code>", page)) == routes
    assert "photo_base64" in page


def test_the_readmes_garment_is_answered(graph: Graph) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    body = readme.split("/v1/recommendations -d '")[1].split("'\n```")[0]
    answer = graph.http.post("/v1/recommendations", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["recommendations"][0]["size"] in ("S", "M", "L")


def test_the_ingress_never_imports_torch(graph: Graph) -> None:
    loaded = {
        name: serve.get_deployment_handle(name, "tryon").loaded_modules.remote().result(timeout_s=30)
        for name in ("Ingress", "Fusion")
    }
    assert "serve.recommender" in loaded["Ingress"]
    assert "torch" in loaded["Fusion"]
    assert "torch" not in loaded["Ingress"]


def test_after_a_roll_out_that_failed_the_old_model_still_answers(graph: Graph, tmp_path: Path) -> None:
    bad = untrained_checkpoint(tmp_path / "bad", variant("cnn", "lstm", "average"), seed=1)
    other = untrained_checkpoint(tmp_path / "other", variant("cnn", "gru", "concat"), seed=1)
    shutil.copy(Path(other) / "config.json", bad)
    graph.configure(bad)
    answer = graph.http.post("/v1/recommendations", json=Case().body())
    assert answer.status_code == 200, answer.text
    assert_equal(answer.json(), reference(graph.url, Case()))
    assert graph.http.get("/readyz").status_code == 200


def test_killing_redis_changes_no_answer(graph: Graph, redis_of_graph: RedisServer) -> None:
    before = graph.http.post("/v1/recommendations", json=Case().body()).json()
    assert redis_of_graph.client().dbsize() > 0
    assert not any(b"person_mask" in key for key in redis_of_graph.client().keys("*"))
    redis_of_graph.kill()
    after = graph.http.post("/v1/recommendations", json=Case().body()).json()
    unseen = Case(said="171 cm and 68 kg, words that no cache has seen")
    answer = graph.http.post("/v1/recommendations", json=unseen.body())
    assert_equal(answer.json(), reference(graph.url, unseen))
    for one, two in zip(before["recommendations"], after["recommendations"], strict=True):
        assert one["garment_id"] == two["garment_id"]
        np.testing.assert_allclose([s["match"] for s in one["sizes"]], [s["match"] for s in two["sizes"]], atol=1e-3)
    assert graph.http.get("/readyz").status_code == 200

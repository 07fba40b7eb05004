"""`/readyz`: three failures in a row make the graph not ready, one success makes it ready again, busy is neither."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import serve.routes.health as health
from serve.errors import OverloadedError, UnavailableError
from serve.metrics import Metrics
from tests.in_process import client, service
from tests.serving import untrained_checkpoint, variant
from tryon_core.errors import ConfigError


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return untrained_checkpoint(tmp_path_factory.mktemp("models") / "model", variant("cnn", "gru", "concat"))


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


def raising(error: Exception) -> Callable[[], Awaitable[None]]:
    async def before() -> None:
        raise error

    return before


async def forever() -> None:
    await asyncio.Event().wait()


class NoModel:
    """A service that has not loaded a model yet."""

    @property
    def recommender(self) -> Any:
        raise UnavailableError("no model is loaded yet")


def test_a_graph_is_not_ready_before_its_first_inference_and_is_after_it(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages):
            probe = health.Probe(ingress)
            assert probe.reason == "the first inference has not finished"
            await probe.once()
            assert probe.reason == ""
            parts = len(ingress.recommender.features.parts)
            assert stages.image.encode.num_calls + stages.text.encode.num_calls >= parts

    run(test)


def test_a_service_without_a_model_is_not_ready() -> None:
    async def test() -> None:
        probe = health.Probe(NoModel())
        await probe.once()
        assert probe.reason == "ingress: no model is loaded yet"

    run(test)


@pytest.mark.parametrize(
    ("stage", "error", "told"),
    [
        ("image", RuntimeError("/secret/path"), "image: RuntimeError"),
        ("text", UnavailableError("expected model a, got b"), "text: expected model a, got b"),
        ("fusion", UnavailableError(), "fusion: UnavailableError"),
    ],
)
def test_three_failures_in_a_row_make_it_not_ready_and_one_success_ready(
    url: str, stage: str, error: Exception, told: str
) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages):
            method = {"image": stages.image, "text": stages.text, "fusion": stages.fusion}[stage]
            method = method.score if stage == "fusion" else method.encode
            probe = health.Probe(ingress)
            await probe.once()
            method.before = raising(error)
            for _ in range(2):
                await probe.once()
                assert probe.reason == ""
            await probe.once()
            assert probe.reason == told
            method.before = None
            await probe.once()
            assert probe.reason == ""

    run(test)


def test_every_image_tower_is_asked(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, stages):
            asked: list[str] = []
            encode = stages.image.replica.encode

            async def told(model: str, part: str, images: Any) -> Any:
                asked.append(part)
                return await encode(model, part, images)

            stages.image.encode = type(stages.image.encode)(told)
            await ingress.reconfigure({"checkpoint": url})
            asked.clear()
            await health.Probe(ingress).once()
            assert {"person_mask", "garment_image"} <= set(asked)

    run(test)


def test_busy_is_not_broken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_WITHIN_S", 0.5)

    async def test() -> None:
        async with service(url) as (ingress, stages):
            probe = health.Probe(ingress)
            await probe.once()
            stages.text.encode.before = raising(OverloadedError("a stage of the graph is overloaded"))
            for _ in range(5):
                await probe.once()
            assert probe.reason == ""
            stages.text.encode.before = forever
            batcher = ingress.recommender.features._batchers["shopper_words"]
            others = [asyncio.create_task(batcher.submit(f"{n} cm")) for n in range(5)]
            for _ in range(5):
                await probe.once()
            assert probe.reason == ""
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            for _ in range(3):
                await probe.once()
            assert probe.reason == "text: TimeoutError"

    run(test)


def test_readyz_tells_the_probes_word(url: str) -> None:
    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            first = await http.get("/readyz")
            assert first.status_code == 503
            assert first.json()["detail"] == "the first inference has not finished"
            assert first.headers["retry-after"] == "1"

    run(test)


_PROCESS = """
import sys
from serve.metrics import Metrics
metrics = Metrics(sys.argv[1])
metrics.requests.labels("/", "200").inc()
metrics.model_info.labels("dead").set(1)
"""


def test_the_dead_leave_their_counts_but_no_model(tmp_path: Path) -> None:
    folder = str(tmp_path / "root" / "node")
    subprocess.run([sys.executable, "-c", _PROCESS, folder], check=True, cwd=Path(__file__).parent.parent)
    asked = _PROCESS.replace('"dead"', '"alive"') + "print(metrics.exposition()[0].decode())"
    done = subprocess.run(
        [sys.executable, "-c", asked, folder], check=True, cwd=Path(__file__).parent.parent, capture_output=True, text=True
    )
    assert 'tryon_requests_total{route="/",status="200"} 2.0' in done.stdout
    assert 'tryon_model_info{model="alive"} 1.0' in done.stdout
    assert "dead" not in done.stdout
    assert os.stat(folder).st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder another user's")
def test_a_metrics_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(ConfigError, match=r"of this user's, got .* of user 12345"):
        Metrics(str(folder))

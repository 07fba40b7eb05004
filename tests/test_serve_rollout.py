"""Rolling out another model: a good one is taken once the stages answer with it, a bad one never ends the old one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from serve.errors import UnavailableError
from serve.fusion import Fusion
from tests.in_process import service
from tests.serving import Case, assert_equal, reference, untrained_checkpoint, variant
from tryon_core.errors import CheckpointError, ConfigError
from tryon_core.manifest import read_manifest
from tryon_core.presets import preset


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    made = {
        name: untrained_checkpoint(folder / name, variant("cnn", "gru", "concat"), seed=n)
        for n, name in enumerate(("old", "new"))
    }
    made["unfit"] = untrained_checkpoint(folder / "unfit", variant("cnn", "lstm", "average"))
    (folder / "unfit" / "config.json").write_bytes((folder / "new" / "config.json").read_bytes())
    made["no-fit"] = untrained_checkpoint(folder / "no-fit", preset("article"))
    made["damaged-history"] = untrained_checkpoint(folder / "damaged-history", variant("cnn", "gru", "concat"), seed=2)
    (folder / "damaged-history" / "history.parquet").write_bytes(b"damaged")
    made["nowhere"] = str(folder / "nowhere")
    return made


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


@pytest.mark.parametrize("bad", ["unfit", "no-fit", "damaged-history", "nowhere"])
def test_a_replica_keeps_its_model_when_another_does_not_load(
    bad: str, models: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        replica = Fusion()
        with pytest.raises((CheckpointError, ConfigError)):
            await replica.reconfigure({"checkpoint": models[bad]})
        await replica.reconfigure({"checkpoint": models["old"]})
        caplog.clear()
        await replica.reconfigure({"checkpoint": models[bad]})
        (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert "\n" not in record.getMessage()
        assert replica.checkpoint(reference_model(models["old"]))

    run(test)


def reference_model(url: str) -> str:
    return read_manifest(url).fingerprint


def test_the_ingress_takes_a_new_model_only_when_the_stages_answer_with_it(models: dict[str, str]) -> None:
    async def test() -> None:
        async with service(models["old"]) as (ingress, stages):
            rolling = asyncio.create_task(ingress.reconfigure({"checkpoint": models["new"]}))
            for _ in range(3):
                answer = await ingress.recommend(Case().ask())
                assert_equal(answer.model_dump(), reference(models["old"], Case()))
            await stages.load(models["new"])
            await rolling
            answer = await ingress.recommend(Case().ask())
            assert_equal(answer.model_dump(), reference(models["new"], Case()))

    run(test)


@pytest.mark.parametrize("bad", ["unfit", "no-fit", "damaged-history", "nowhere"])
def test_after_a_roll_out_that_failed_the_old_model_still_answers(
    bad: str, models: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with service(models["old"], rollout_s=0.5) as (ingress, stages):
            for handle in (stages.image, stages.text, stages.fusion):
                await handle.replica.reconfigure({"checkpoint": models[bad]})
            caplog.clear()
            await ingress.reconfigure({"checkpoint": models[bad]})
            (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
            assert record.getMessage().startswith(
                f"model {reference_model(models['old'])} keeps serving, {models[bad]} was refused"
            )
            assert "\n" not in record.getMessage()
            answer = await ingress.recommend(Case().ask())
            assert_equal(answer.model_dump(), reference(models["old"], Case()))

    run(test)


def test_a_first_model_that_cannot_serve_is_told(models: dict[str, str]) -> None:
    async def test() -> None:
        async with service(models["old"]) as (ingress, _):
            other = type(ingress)({}, b"secret", None, None, None)
            with pytest.raises(UnavailableError, match="no model is loaded yet"):
                _ = other.recommender
            with pytest.raises(ConfigError, match="without fit"):
                await other.reconfigure({"checkpoint": models["no-fit"]})
            with pytest.raises(CheckpointError):
                await other.reconfigure({"checkpoint": models["nowhere"]})

    run(test)

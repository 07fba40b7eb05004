"""`serve.stages` over a handle that never answers: what nobody waits for is cancelled at the replica, too."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serve.config import Settings
from serve.metrics import Metrics
from serve.stages import Stages
from tests.serving import untrained_checkpoint
from tryon_core.batch import SIZE_FIELDS, Column
from tryon_core.manifest import read_manifest
from tryon_core.offers import ScoreJob
from tryon_core.presets import preset


class Response:
    """A call that is under way for as long as nobody cancels it."""

    def __init__(self) -> None:
        self._ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.was_cancelled = False

    def __await__(self) -> Generator[Any, Any, Any]:
        return asyncio.shield(self._ended).__await__()

    def cancel(self) -> None:
        self.was_cancelled = True


class Handle:
    """A deployment whose methods begin to answer and never end."""

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.encode = self.ablate = self.score = self

    def remote(self, *_: Any) -> Response:
        self.responses.append(Response())
        return self.responses[-1]


@pytest.mark.parametrize("stage", ["fusion", "text", "ablation"])
def test_a_call_that_nobody_waits_for_any_more_is_cancelled_at_the_replica(stage: str, tmp_path: Path) -> None:
    manifest = read_manifest(untrained_checkpoint(tmp_path, preset("tiny")))
    size = Column(np.zeros((1, len(SIZE_FIELDS)), np.float32), np.zeros(1, np.int64))

    async def test() -> None:
        handle = Handle()
        stages = Stages(handle, handle, handle, manifest, Settings(), Metrics(""))
        asked = {
            "fusion": lambda: stages.fusion.submit(ScoreJob(1, {}, {"size": size})),
            "text": lambda: stages.encoders["shopper_words"].submit("165 cm"),
            "ablation": lambda: stages.ablations["shopper_words"].submit("165 cm"),
        }[stage]
        task = asyncio.create_task(asked())
        for _ in range(20):
            await asyncio.sleep(0)
        (response,) = handle.responses
        assert not response.was_cancelled
        task.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        assert response.was_cancelled

    asyncio.run(asyncio.wait_for(test(), 10))

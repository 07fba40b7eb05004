"""The ingress's side of the other deployments: one batcher each, whose calls carry the model's fingerprint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol, TypeVar

from grpc.aio import AioRpcError
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from tryon_core.batch import Column, part_named
from tryon_core.config import NumbersTower
from tryon_core.explain import Ablation
from tryon_core.manifest import Manifest
from tryon_core.offers import ScoreJob, Scores

from .batching import Batcher, Limits
from .config import Settings
from .errors import OverloadedError, UnavailableError
from .metrics import Metrics
from .wire import Feature

R = TypeVar("R", covariant=True)
_VARIANTS = 16
"""Texts that one text becomes where each word is left out in turn, about."""


class Stages:
    """Batchers for one model.

    Args:
        image_encoder: handle of a deployment with `encode(model, part, images)`.
        text_encoder: handle of a deployment with `encode(model, part, texts)` and `ablate`, of the same arguments.
        fusion: handle of a deployment with `score(model, jobs)`.
    """

    def __init__(
        self, image_encoder: Any, text_encoder: Any, fusion: Any, manifest: Manifest, settings: Settings, metrics: Metrics
    ) -> None:
        self._handles = {"image": image_encoder, "text": text_encoder, "fusion": fusion}
        self._model, self._metrics = manifest.fingerprint, metrics
        items = {"image": settings.image_batch, "text": settings.text_batch, "fusion": settings.fusion_batch}
        bounds: dict[str, Any] = {"queued": settings.max_queued, "seconds": settings.timeout_ms / 1000}
        items["ablation"] = max(1, settings.text_batch // _VARIANTS)
        self._limits = {stage: Limits(num, **bounds) for stage, num in items.items()}
        towers = manifest.config.towers
        encoded = [part for part, tower in manifest.config.parts.items() if not isinstance(towers[tower], NumbersTower)]
        self.encoders = {part: self._encoder(part) for part in encoded}
        """Part name to the batcher of its encoder; photos and garment images queue apart."""
        self.ablations = {part: self._ablation(part) for part in encoded if part_named(part).kind == "text"}
        """Part name of a text to the batcher of what leaves out its words; apart from encoding, which goes on beside it."""
        self.masks = self._batcher("image", self._encode_masks, size_of=len)
        """The batcher of masks that come in place of photos, for models with the part `person_mask`."""
        self.fusion = self._batcher("fusion", self._score)

    def _encoder(self, part: str) -> Batcher[bytes | str, Feature]:
        stage = part_named(part).kind
        method = self._handles[stage].encode

        async def call(assets: list[bytes | str]) -> Sequence[Feature]:
            return await _answered(lambda: method.remote(self._model, part, assets))

        return self._batcher(stage, call, size_of=len)

    async def _encode_masks(self, masks: list[bytes]) -> Sequence[Feature]:
        return await _answered(lambda: self._handles["image"].encode_masks.remote(self._model, masks))

    def _ablation(self, part: str) -> Batcher[str, Ablation]:
        method = self._handles["text"].ablate

        async def call(texts: list[str]) -> Sequence[Ablation]:
            return await _answered(lambda: method.remote(self._model, part, texts))

        return self._batcher("ablation", call, size_of=len)

    async def _score(self, jobs: list[ScoreJob]) -> Sequence[Scores]:
        return await _answered(lambda: self._handles["fusion"].score.remote(self._model, jobs))

    def _batcher(self, stage: str, call: Any, size_of: Callable[[Any], int] | None = None) -> Batcher[Any, Any]:
        observe = self._metrics.batch_items.labels(stage).observe
        return Batcher(call, self._limits[stage], size_of=size_of or _job_bytes, observe=observe)


class _Response(Protocol[R]):
    """A call under way, as Serve's handles give it."""

    def __await__(self) -> Generator[Any, Any, R]: ...

    def cancel(self) -> object: ...


async def _once(send: Callable[[], _Response[R]]) -> R:
    response = send()
    try:
        return await response
    except asyncio.CancelledError:
        response.cancel()  # else the replica would work for nobody
        raise


async def _answered(send: Callable[[], _Response[R]]) -> R:
    """Return a call's answer; a call lost with its replica is sent once more, since stages only compute.

    Raises:
        OverloadedError: the stage's queue is full.
        UnavailableError: the stage is gone twice, or serves another model.
        RuntimeError: the stage failed; what it said is for the log alone.
    """
    try:
        try:
            return await _once(send)
        except RayActorError:
            return await _once(send)
    except BackPressureError as err:
        raise OverloadedError("a stage of the graph is overloaded") from err
    except (DeploymentUnavailableError, RayActorError, AioRpcError) as err:
        raise UnavailableError(f"a stage of the graph is not available: {type(err).__name__}") from err
    except RayTaskError as err:
        if isinstance(err.cause, UnavailableError):
            raise UnavailableError(str(err.cause)) from err
        raise RuntimeError("a stage of the graph failed") from err


def _job_bytes(job: ScoreJob) -> int:
    columns: list[Column[Any]] = [*job.embeddings.values(), *job.numbers.values()]
    return sum(column.values.nbytes + column.index.nbytes for column in columns)

"""The whole service in this process, without Ray: the ingress and its application over handles of the plain classes."""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from serve.app import build_app
from serve.fusion import Fusion
from serve.image_encoder import ImageEncoder
from serve.ingress import Ingress
from serve.text_encoder import TextEncoder


class Method:
    """A method of a handle: `remote` calls it; `before` may wait, raise or hang first."""

    def __init__(self, method: Callable[..., Awaitable[Any]]) -> None:
        self._method = method
        self.num_calls = 0
        self.before: Callable[[], Awaitable[None]] | None = None

    def remote(self, *args: Any) -> asyncio.Task[Any]:
        self.num_calls += 1
        return asyncio.get_running_loop().create_task(self._answer(args))

    async def _answer(self, args: tuple[Any, ...]) -> Any:
        if self.before is not None:
            await self.before()
        return await self._method(*args)


class Handle:
    """A handle of one replica in this process."""

    def __init__(self, replica: Any) -> None:
        self.replica = replica
        if hasattr(replica, "encode"):
            self.encode = Method(replica.encode)
        else:
            self.score = Method(replica.score)
        if hasattr(replica, "encode_masks"):
            self.encode_masks = Method(replica.encode_masks)
        if hasattr(replica, "ablate"):
            self.ablate = Method(replica.ablate)


class Stages:
    """The replicas behind an ingress in this process."""

    def __init__(self) -> None:
        self.image, self.text, self.fusion = Handle(ImageEncoder()), Handle(TextEncoder()), Handle(Fusion())

    async def load(self, url: str) -> None:
        for handle in (self.image, self.text, self.fusion):
            await handle.replica.reconfigure({"checkpoint": url})


def stands_still() -> Callable[[], float]:
    """A clock at this moment."""
    now = time.time()
    return lambda: now


@asynccontextmanager
async def service(
    url: str, *, secret: bytes = b"secret", clock: Callable[[], float] = time.time, **settings: Any
) -> AsyncIterator[tuple[Ingress, Stages]]:
    """An ingress with a model, ready to answer; answers to be compared to the last digit need a clock that stands still."""
    stages = Stages()
    await stages.load(url)
    with tempfile.TemporaryDirectory() as folder:
        # Metrics, too: where another test has started a Ray, they would be the whole node's.
        own = {"store": f"sqlite:///{folder}/store.db", "blobs": f"{folder}/blobs", "metrics_dir": f"{folder}/metrics"}
        ingress = Ingress(
            {"checkpoint": url} | own | settings, secret, stages.image, stages.text, stages.fusion, clock=clock
        )
        await ingress.reconfigure({"checkpoint": url})
        yield ingress, stages
        await ingress.close()


def client(ingress: Ingress, wrapped: Callable[[Any], Any] = lambda app: app) -> httpx.AsyncClient:
    """A client of the ingress's real application."""
    transport = httpx.ASGITransport(app=wrapped(build_app(ingress)), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://in-process")


def agree(one: Any, other: Any) -> bool:
    """Return whether two answers say the same; their numbers within what rounding in another order makes of a float32."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(agree(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(agree(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-6)
    return bool(one == other)

"""`serve.features` with a counted encoder: encoded once, kept as it arrives, given up when nobody waits any more."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from serve.batching import Batcher, Limits
from serve.cache import FeatureCache, LocalTier
from serve.features import Asset, Features
from serve.metrics import Timings
from serve.wire import Feature
from tests.serving import untrained_checkpoint
from tryon_core.manifest import Manifest, read_manifest
from tryon_core.presets import preset


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return read_manifest(untrained_checkpoint(Path(tmp_path_factory.mktemp("models")) / "tiny", preset("tiny")))


class Encoder:
    """Encodes one text at a time, each when the test says so."""

    def __init__(self, dim: int) -> None:
        self.seen: list[str] = []
        self.gate = asyncio.Semaphore(0)
        self._dim = dim

    async def __call__(self, texts: list[bytes | str]) -> Sequence[Feature | Exception]:
        (text,) = texts
        await self.gate.acquire()
        self.seen.append(str(text))
        return [ValueError("broken") if text == "broken" else Feature("ok", "", np.zeros(self._dim, np.float16))]


def features_of(manifest: Manifest) -> tuple[Features, Encoder, LocalTier]:
    encoder = Encoder(manifest.config.towers["text"].embedding_dim)  # type: ignore[union-attr]
    local = LocalTier(10**6)
    cache = FeatureCache(local, None, ttl_s=60, photo_ttl_s=0.05)
    batcher = Batcher(encoder, Limits(1, slots=1))
    return Features(manifest, cache, {"shopper_words": batcher, "garment_words": batcher}, b"secret"), encoder, local


def words(*texts: str) -> list[Asset]:
    return [Asset("garment_words", text) for text in texts]


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 10))


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_what_several_ask_for_is_encoded_once_and_then_known(manifest: Manifest) -> None:
    async def test() -> None:
        features, encoder, _ = features_of(manifest)
        asked = [asyncio.create_task(features.get(words("a", "b"), Timings())) for _ in range(3)]
        await settle()
        encoder.gate.release()
        encoder.gate.release()
        answers = await asyncio.gather(*asked)
        assert encoder.seen == ["a", "b"]
        assert all(set(answer) == set(words("a", "b")) for answer in answers)
        await settle()
        await features.get(words("b", "a"), Timings())
        assert len(encoder.seen) == 2

    run(test)


def test_who_leaves_fails_nobody_else(manifest: Manifest) -> None:
    async def test() -> None:
        features, encoder, _ = features_of(manifest)
        leader = asyncio.create_task(features.get(words("a"), Timings()))
        await settle()
        follower = asyncio.create_task(features.get(words("a"), Timings()))
        await settle()
        leader.cancel()
        await settle()
        encoder.gate.release()
        assert set(await follower) == set(words("a"))

    run(test)


def test_what_nobody_waits_for_any_more_is_not_encoded_and_what_came_is_kept(manifest: Manifest) -> None:
    async def test() -> None:
        features, encoder, _ = features_of(manifest)
        encoder.gate.release()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(features.get(words(*"abcdefgh"), Timings()), 0.05)
        for _ in range(8):
            encoder.gate.release()
        await settle()
        assert len(encoder.seen) <= 2  # the first, and the one that was under way
        before = len(encoder.seen)
        await features.get(words("a"), Timings())
        assert len(encoder.seen) == before

    run(test)


def test_one_that_fails_loses_no_other(manifest: Manifest) -> None:
    async def test() -> None:
        features, encoder, _ = features_of(manifest)
        for _ in range(4):
            encoder.gate.release()
        with pytest.raises(ValueError, match="broken"):
            await features.get(words("a", "broken", "b"), Timings())
        await settle()
        await features.get(words("a"), Timings())
        assert encoder.seen.count("a") == 1

    run(test)


def test_two_secrets_give_two_names_to_the_same_words(manifest: Manifest) -> None:
    cache = FeatureCache(LocalTier(10**6), None, ttl_s=60, photo_ttl_s=60)
    one, two, same = (Features(manifest, cache, {}, secret).key(words("a")[0]) for secret in (b"one", b"two", b"one"))
    assert one != two
    assert one == same


CALLER: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="nobody")


class Overheard(Batcher[Any, Any]):
    """Notes in whose context it is asked."""

    def __init__(self, call: Encoder) -> None:
        super().__init__(call, Limits(1, slots=1))
        self.asked_by: list[str] = []

    async def submit(self, item: Any, waited: Callable[[float], None] = lambda ms: None) -> Any:
        self.asked_by.append(CALLER.get())
        return await super().submit(item, waited)


class NotedCache(FeatureCache):
    """Notes in whose context it is written."""

    written_by: ClassVar[list[str]] = []

    async def put(self, features: Any) -> None:
        self.written_by.append(CALLER.get())
        await super().put(features)


def test_what_outlives_a_request_carries_nothing_of_it(manifest: Manifest) -> None:
    """In a request's context Serve would cancel what others wait for as soon as that request ends."""

    async def test() -> None:
        encoder = Encoder(manifest.config.towers["text"].embedding_dim)  # type: ignore[union-attr]
        batcher, cache = Overheard(encoder), NotedCache(LocalTier(10**6), None, ttl_s=60, photo_ttl_s=60)
        features = Features(manifest, cache, {"garment_words": batcher}, b"secret")
        CALLER.set("the first request")
        encoder.gate.release()
        await features.get(words("a"), Timings())
        await settle()
        assert (batcher.asked_by, cache.written_by) == (["nobody"], ["nobody"])

    run(test)

"""`serve.wire` and `serve.cache`: the local tier alone, and both tiers against a real Redis."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.cache import CacheKey, FeatureCache, LocalTier, RedisTier
from serve.wire import Feature
from tests.redis_server import RedisServer
from tryon_core.errors import InputError, TooLargeError, UnsupportedImageError

DIM = 8


def feature(seed: int = 0) -> Feature:
    return Feature("ok", "", np.random.default_rng(seed).normal(size=DIM).astype(np.float16))


def same(a: Feature | None, b: Feature | None) -> bool:
    if a is None or b is None:
        return a is b
    return (a.status, a.reason) == (b.status, b.reason) and np.array_equal(a.embedding, b.embedding)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [feature(), Feature("refused", "the person is too small"), Feature("invalid", "é漢")])
def test_a_feature_survives_its_bytes(value: Feature) -> None:
    assert same(Feature.from_bytes(value.to_bytes(), DIM), value)


@given(st.binary(max_size=64))
def test_garbage_is_no_feature(content: bytes) -> None:
    assert Feature.from_bytes(content, DIM) is None
    beginning = Feature.from_bytes(b"TRY1" + content, DIM)  # may be one by chance, but then a whole one
    assert beginning is None or Feature.from_bytes(beginning.to_bytes(), DIM) is not None


def test_a_feature_of_another_length_or_with_a_hole_is_no_feature() -> None:
    assert Feature.from_bytes(feature().to_bytes(), DIM + 1) is None
    broken = Feature("ok", "", np.array([np.nan] * DIM, np.float16))
    assert Feature.from_bytes(broken.to_bytes(), DIM) is None
    assert Feature.from_bytes(feature().to_bytes()[:-1], DIM) is None


@pytest.mark.parametrize(
    ("status", "error"),
    [("unsupported", UnsupportedImageError), ("too_large", TooLargeError), ("invalid", InputError)],
)
def test_a_wrong_asset_raises_the_error_it_deserves(status: Any, error: type[InputError]) -> None:
    with pytest.raises(error) as caught:
        Feature(status, "because").check("/image")
    assert caught.value.pointer == "/image"
    Feature("refused", "nobody there").check("/image")


def test_the_local_tier_stays_within_its_bytes_and_drops_the_least_recently_used() -> None:
    tier = LocalTier(3 * (200 + 1 + 2 * DIM))
    for name in "abc":
        tier.put(name, feature(), 60)
    assert tier.get("a") is not None
    tier.put("d", feature(), 60)
    assert tier.get("b") is None
    assert all(tier.get(name) is not None for name in "acd")
    assert tier.num_bytes <= 3 * (200 + 1 + 2 * DIM)


def test_the_local_tier_forgets_at_the_end_of_life() -> None:
    now = 0.0
    tier = LocalTier(10_000, clock=lambda: now)
    tier.put("a", feature(), 10)
    now = 9.9
    assert tier.get("a") is not None
    now = 10.1
    assert tier.get("a") is None
    assert tier.num_bytes == 0


def test_a_personal_feature_is_gone_at_the_end_of_its_life_though_nobody_asks() -> None:
    async def test() -> None:
        local = LocalTier(10_000)
        cache = FeatureCache(local, None, ttl_s=60, photo_ttl_s=0.05)
        await cache.put({CacheKey("photo", DIM, personal=True): feature(), CacheKey("words", DIM): feature()})
        held = local.num_bytes
        await asyncio.sleep(0.3)
        assert 0 < local.num_bytes < held
        assert local.get("words") is not None

    run(test)


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))


def caches(url: str) -> tuple[FeatureCache, FeatureCache]:
    """Two processes' caches that share one Redis."""
    return tuple(  # type: ignore[return-value]
        FeatureCache(LocalTier(10**6), RedisTier(url, timeout_ms=500, ttl_s=60), ttl_s=60, photo_ttl_s=60) for _ in range(2)
    )


def test_what_one_process_keeps_another_finds(redis_server: RedisServer) -> None:
    async def test() -> None:
        one, two = caches(redis_server.url)
        key, other = CacheKey("tryon:garment_image:x:1", DIM), CacheKey("tryon:garment_image:x:2", DIM)
        await one.put({key: feature()})
        found = await two.get([key, other])
        assert list(found) == [key]
        assert same(found[key], feature())
        await asyncio.gather(one.close(), two.close())

    run(test)


def test_a_personal_feature_never_reaches_redis(redis_server: RedisServer) -> None:
    async def test() -> None:
        one, two = caches(redis_server.url)
        photo = CacheKey("tryon:person_mask:x:1", DIM, personal=True)
        await one.put({photo: feature()})
        assert photo in await one.get([photo])
        assert await two.get([photo]) == {}
        assert b"person_mask" not in b"".join(redis_server.client().keys("*"))
        await asyncio.gather(one.close(), two.close())

    run(test)


def test_garbage_under_our_key_is_a_miss(redis_server: RedisServer) -> None:
    async def test() -> None:
        one, two = caches(redis_server.url)
        key, listed = CacheKey("tryon:garment_words:x:1", DIM), CacheKey("tryon:garment_words:x:2", DIM)
        redis_server.client().set(key.name, b"not ours")
        redis_server.client().lpush(listed.name, "a list")
        assert await one.get([key, listed]) == {}
        await asyncio.gather(one.close(), two.close())

    run(test)


def test_a_redis_that_is_gone_is_an_empty_one_and_soon_left_alone() -> None:
    async def test() -> None:
        now = 0.0
        tier = RedisTier("redis://127.0.0.1:1", timeout_ms=200, ttl_s=60, clock=lambda: now)
        assert await tier.get(["a", "b"]) == [None, None]
        begun = asyncio.get_running_loop().time()
        for _ in range(200):
            await tier.put({"a": b"1"})
            assert await tier.get(["a"]) == [None]
        assert asyncio.get_running_loop().time() - begun < 1.0
        await tier.close()

    run(test)

"""Assets to features: looked up first, encoded once however many requests ask at the same time, then kept."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tryon_core.batch import part_named
from tryon_core.errors import TooLargeError, UnsupportedImageError
from tryon_core.fingerprint import content_key
from tryon_core.manifest import Manifest
from tryon_core.picture import read_picture

from .batching import Batcher
from .cache import CacheKey, FeatureCache
from .errors import UnavailableError
from .metrics import Timings
from .wire import Feature


@dataclass(frozen=True)
class Asset:
    """One thing to encode."""

    part: str
    content: bytes | str
    """A compressed image, or a text."""

    def __repr__(self) -> str:
        return f"Asset({self.part}, {len(self.content)})"  # never the content: it may be a photo


@dataclass(frozen=True)
class Found:
    """What became of some assets."""

    features: Mapping[Asset, Feature]
    lost: Mapping[Asset, Exception]
    """Those that cannot be had now, and why."""


@dataclass
class _Shared:
    """A feature under way, and how many wait for it."""

    task: asyncio.Task[Feature]
    waiting: int = 0


class Features:
    """The features of one model's parts.

    Args:
        batchers: part name to the batcher of its stage.
        secret: keys the content hashes.
        max_pixels: of a request's PNG and WebP images together, as far as they are not known.
        masks: the batcher of masks that come in place of photos.
    """

    def __init__(
        self,
        manifest: Manifest,
        cache: FeatureCache,
        batchers: Mapping[str, Batcher[bytes | str, Feature]],
        secret: bytes,
        max_pixels: int = 256_000_000,
        masks: Batcher[bytes, Feature] | None = None,
    ) -> None:
        self._max_pixels, self._masks = max_pixels, masks
        self._manifest, self._cache, self._batchers, self._secret = manifest, cache, batchers, secret
        self._under_way: dict[CacheKey, _Shared] = {}
        self._fresh: dict[CacheKey, Feature] = {}
        self._writes: set[asyncio.Task[None]] = set()

    async def get(self, assets: Sequence[Asset], timings: Timings) -> Mapping[Asset, Feature]:
        """Return the features of assets, each distinct one encoded at most once.

        Raises:
            TooLargeError: the images are of too many pixels together.
            UnavailableError: a stage is overloaded or serves another model.
        """
        found = await self.find(assets, timings)
        for error in found.lost.values():
            raise error
        return found.features

    async def find(self, assets: Sequence[Asset], timings: Timings, patience_s: float | None = None) -> Found:
        """Return the features of assets, each distinct one encoded at most once, and those that cannot be had now.

        Args:
            patience_s: how long an asset is waited for; None for as long as its stage is.
        """
        keys = {asset: self.key(asset) for asset in assets if asset.part in self._manifest.config.parts}
        with timings.stage("cache"):
            known = await self._cache.get(list(dict.fromkeys(keys.values())))
        missing = [asset for asset, key in keys.items() if key not in known]
        self._require_fitting(missing)
        stages = {stage: [a for a in missing if _stage(a) == stage] for stage in ("image", "text")}
        encoded = await asyncio.gather(*(self._stage(name, own, keys, timings, patience_s) for name, own in stages.items()))
        new = {asset: outcome for outcomes in encoded for asset, outcome in outcomes.items()}
        features = {asset: known.get(key) or new[asset] for asset, key in keys.items()}
        return Found(
            {asset: feature for asset, feature in features.items() if isinstance(feature, Feature)},
            {asset: error for asset, error in features.items() if isinstance(error, Exception)},
        )

    def _require_fitting(self, assets: Sequence[Asset]) -> None:
        """Check what decoding images would take that a few bytes can make large: JPEGs are decoded at a reduced scale."""
        images = {a.content for a in assets if isinstance(a.content, bytes) and not a.content.startswith(b"\xff\xd8")}
        pixels = sum(map(_num_pixels, images)) if len(images) > 1 else 0
        if pixels > self._max_pixels:
            raise TooLargeError(f"expected images of at most {self._max_pixels} pixels together, got {pixels}")

    @property
    def parts(self) -> list[str]:
        """The names of the parts that are encoded."""
        return list(self._batchers)

    def encoder(self, part: str) -> tuple[str, int]:
        """Return the fingerprint of a part's encoder and the length of its embeddings."""
        tower = self._manifest.config.parts[part]
        return self._manifest.towers[tower], self._manifest.config.towers[tower].embedding_dim

    def num_waiting(self, stage: str) -> int:
        """Return how many assets wait for the image or the text encoder."""
        return sum(batcher.num_waiting for part, batcher in self._batchers.items() if part_named(part).kind == stage)

    async def encode(self, asset: Asset, timings: Timings) -> Feature:
        """Return an asset's feature from its encoder, past the cache."""
        return await self._batchers[asset.part].submit(asset.content, timings.waited)

    async def encode_mask(self, mask: bytes, timings: Timings) -> Feature:
        """Return the feature of part `person_mask` of a mask that came in place of a photo, past the cache."""
        assert self._masks is not None
        return await self._masks.submit(mask, timings.waited)

    async def close(self) -> None:
        """Wait for what is being kept, then let go of the cache."""
        await asyncio.gather(*self._writes, return_exceptions=True)
        await self._cache.close()

    async def _stage(
        self,
        name: str,
        assets: Sequence[Asset],
        keys: Mapping[Asset, CacheKey],
        timings: Timings,
        patience_s: float | None,
    ) -> dict[Asset, Feature | Exception]:
        if not assets:
            return {}
        with timings.stage(name):
            outcomes = await asyncio.gather(*(self._awaited(asset, keys[asset], timings, patience_s) for asset in assets))
        return dict(zip(assets, outcomes, strict=True))

    async def _awaited(self, asset: Asset, key: CacheKey, timings: Timings, patience_s: float | None) -> Feature | Exception:
        """Return a feature, or why there is none: its stage is not available, failed, or took too long."""
        try:
            async with asyncio.timeout(patience_s) as limit:
                return await self._once(asset, key, timings)
        except TimeoutError:
            if not limit.expired():
                raise
            return UnavailableError(f"expected an encoder to answer within {patience_s:g} s, got nothing")
        except (UnavailableError, RuntimeError) as err:
            return err

    async def _once(self, asset: Asset, key: CacheKey, timings: Timings) -> Feature:
        """Return a feature, joining whoever waits for the same one; a leaver fails no other, the last one cancels it."""
        shared = self._under_way.get(key)
        if shared is None:
            context = contextvars.Context()  # it outlives the request that began it
            task = asyncio.get_running_loop().create_task(self.encode(asset, timings), context=context)
            task.add_done_callback(lambda done: self._arrived(key, done), context=context)
            shared = self._under_way[key] = _Shared(task)
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.task.done():
                self._under_way.pop(key, None)
                shared.task.cancel()

    def _arrived(self, key: CacheKey, task: asyncio.Task[Feature]) -> None:
        if task.cancelled():
            return
        self._under_way.pop(key, None)
        if task.exception() is None:
            self._keep(key, task.result())

    def _keep(self, key: CacheKey, feature: Feature) -> None:
        """Write to the cache off the request's path, what arrives together by one write."""
        self._fresh[key] = feature
        if len(self._fresh) == 1:
            task = asyncio.get_running_loop().create_task(self._write())
            self._writes.add(task)
            task.add_done_callback(self._writes.discard)

    async def _write(self) -> None:
        fresh, self._fresh = self._fresh, {}
        await self._cache.put(fresh)

    def key(self, asset: Asset) -> CacheKey:
        """Return the name of an asset's feature: part, encoder fingerprint, keyed content hash."""
        tower = self._manifest.config.parts[asset.part]
        content = asset.content.encode("utf-8", "surrogatepass") if isinstance(asset.content, str) else asset.content
        name = f"tryon:{asset.part}:{self._manifest.towers[tower]}:{content_key(self._secret, content)}"
        personal = part_named(asset.part).owner == "shopper" and part_named(asset.part).kind == "image"
        return CacheKey(name, self._manifest.config.towers[tower].embedding_dim, personal)


def _num_pixels(image: bytes) -> int:
    """Return how many pixels an image has; 0 where it is none, of which its encoder tells."""
    try:
        picture = read_picture(image)
    except UnsupportedImageError:
        return 0
    return picture.width * picture.height


def _stage(asset: Asset) -> str:
    return "text" if part_named(asset.part).kind == "text" else "image"

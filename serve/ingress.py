"""The ingress deployment: owns one model's recommender and its HTTP application; it never imports torch."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import ray
from fastapi import FastAPI

from tryon_core.advice import Bounds
from tryon_core.catalogue import CatalogueItem, sample_catalogue
from tryon_core.errors import ConfigError, TryonError
from tryon_core.history import History
from tryon_core.manifest import Manifest, read_history, read_manifest
from tryon_core.reasons import Reasons, read_json_reasons

from .admission import Admission
from .app import build_app
from .ask import Ask
from .blobs import Blobs
from .cache import FeatureCache, LocalTier, RedisTier
from .config import Settings, metrics_folder
from .environment import customer_secret
from .errors import UnavailableError
from .explain import Explainer
from .features import Features
from .garment_intake import Links, NoLinks
from .guard import new_guard
from .intake import Intake
from .links import Links as HostLinks
from .live_history import LiveHistory
from .logs import configure_logging
from .metrics import Metrics, Timings
from .nodes import num_nodes
from .recommender import Recommender, require_tasks
from .schema import RecommendationsOut
from .shoppers import Shoppers
from .stages import Stages
from .store import Store, open_store
from .trial import Trial
from .upkeep import Upkeep

logger = logging.getLogger(__name__)
T = TypeVar("T")
_EVERY_S = 0.25
"""Between two attempts with a model that the stages have not loaded yet."""


class Ingress:
    """Takes requests, forms batches, asks the stages and answers.

    Args:
        settings: as `Settings.to_args` gives them.
        secret: 1 to 64 bytes, the key of the cache's content hashes, the same for all replicas.
        image_encoder: handle of the deployment with `encode`.
        text_encoder: handle of the deployment with `encode` and `ablate`.
        fusion: handle of the deployment with `score`.
        customers: 1 to 64 bytes, the key of customers' hashes, the same for all replicas and at every start.
        clock: seconds since 1970-01-01 UTC, as of which verdicts count.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        secret: bytes,
        image_encoder: Any,
        text_encoder: Any,
        fusion: Any,
        customers: bytes = b"",
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = Settings.from_args(settings).placed()
        node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""
        if node:
            configure_logging()
        self.metrics = Metrics(metrics_folder(self.settings, node) if node else "")
        self._handles = (image_encoder, text_encoder, fusion)
        self._secret = secret
        self.admission = Admission(self.settings.max_requests, self.settings.max_inflight_bytes)
        self._cache = self._new_cache()
        self.guard = new_guard(self.settings, self.metrics, secret, lambda: self.store)
        self._recommender: Recommender | None = None
        self._app: FastAPI | None = None
        self._rolling_out = asyncio.Lock()
        self.blobs = Blobs(self.settings.blobs)
        self._store: Store | None = None
        self._intake: Intake | None = None
        self._customers, self._clock = customers, clock
        self._upkeep: Upkeep | None = None
        self.links: Links = HostLinks(hosts) if (hosts := self.settings.image_hosts) else NoLinks()
        self._shoppers: Shoppers | None = None
        self._trying: Recommender | None = None

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Serve the model of the checkpoint that the config names, once the stages answer with it.

        The first model is taken as it is. A later one that does not read or with which the stages do not answer in time is
        refused, and the old one stays: an error raised here would end the replica.

        Raises:
            CheckpointError: the folder does not read, and there is no old model.
            ConfigError: the model lacks a task that an answer needs, and there is no old model; or the store is not fit, or
                the reasons do not read.
            StoreError: the store does not answer, the first time.
        """
        url, weights = user_config["checkpoint"], user_config.get("weights", {})
        async with self._rolling_out:
            await self._open_store(url)
            try:
                new = await self._made(url, weights)
                if self._recommender is not None:
                    self._trying = new
                    await self._tried(new)
            except TryonError as err:
                if self._recommender is None:
                    raise
                logger.error("model %s keeps serving, %s was refused: %s", self._recommender.manifest.fingerprint, url, err)
                return
            finally:
                self._trying = None
            self._take(new)
            if self._app is not None:
                self._app.state.encoding.wake()  # the new model's encoders have rows of their own

    async def _open_store(self, url: str) -> None:
        """Open the store, once; in a new one, verdicts age as they did where the checkpoint was fitted.

        Raises:
            CheckpointError: the checkpoint's history is damaged.
            ConfigError: the store is not fit, or the reasons do not read.
            StoreError: it does not answer.
        """
        if self._store is not None:
            return
        self.settings.require_shared(num_nodes())
        reasons = await asyncio.to_thread(_reasons, self.settings.reasons)
        fitted = await asyncio.to_thread(read_history, url)
        try:
            self._store = await open_store(self.settings.store, fitted and fitted[0].config)
        except ConfigError:
            self._store = await open_store(self.settings.store)  # verdicts age otherwise there; see `LiveHistory.seed`
        self._intake = Intake(self._store, reasons, self._customers or customer_secret(), self.metrics)
        self._upkeep = Upkeep(self._store, self.blobs)
        self._upkeep.start()
        self._shoppers = Shoppers(self._store, self._models, self._secret, self.settings)
        self._shoppers.start()

    async def _made(self, url: str, weights: Mapping[str, float]) -> Recommender:
        def read() -> tuple[Manifest, tuple[History, float] | None, list[CatalogueItem]]:
            return read_manifest(url).emphasised(weights), read_history(url), sample_catalogue()

        manifest, history, catalogue = await asyncio.to_thread(read)
        require_tasks(manifest, url)
        stages = Stages(*self._handles, manifest, self.settings, self.metrics)
        features = Features(manifest, self._cache, stages.encoders, self._secret, self.settings.max_pixels, stages.masks)
        explainer = Explainer(manifest.config.parts, stages.ablations, stages.fusion)
        live = None if history is None else await asyncio.to_thread(LiveHistory, self.store, history, self._clock)
        if live is not None and await live.seed():
            logger.info("the store was empty and begins with the history of %s", url)
        bounds = Bounds(none_fits=self.settings.none_fits_from)
        return Recommender(manifest, features, stages.fusion, explainer, live, catalogue, bounds)

    async def _tried(self, new: Recommender) -> None:
        """Return once the stages answer with a model, which they load at their own pace.

        Raises:
            UnavailableError: they have not in the time that a roll-out may take.
        """
        trial, last = Trial(new), "nothing"
        try:
            async with asyncio.timeout(self.settings.rollout_s):
                while True:
                    try:
                        return await trial.run()
                    except (TryonError, RuntimeError) as err:
                        last = str(err)
                    await asyncio.sleep(_EVERY_S)
        except TimeoutError as err:
            told = f"the {trial.stage} stage to answer within {self.settings.rollout_s:g} s, got: {last}"
            raise UnavailableError(f"expected {told}") from err

    def _take(self, new: Recommender) -> None:
        if self._recommender is not None:
            self.metrics.model_info.labels(self._recommender.manifest.fingerprint).set(0)
        self.metrics.model_info.labels(new.manifest.fingerprint).set(1)
        self._recommender = new

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the HTTP application; Serve calls this once the replica is constructed."""
        self._app = build_app(self)
        return self._app

    async def close(self) -> None:
        """Stop probing and let go of cache and store: for a graph that ends before the process it is in."""
        if self._app is not None:
            self._app.state.probe.stop()
            self._app.state.encoding.stop()
        if self._recommender is not None:
            await self._recommender.features.close()
        if self._shoppers is not None:
            await self._shoppers.close()
        if self._upkeep is not None:
            await self._upkeep.stop()
        if self._store is not None:
            await self._store.close()

    @property
    def recommender(self) -> Recommender:
        """The recommender of the loaded model.

        Raises:
            UnavailableError: none is loaded yet.
        """
        if self._recommender is None:
            raise UnavailableError("no model is loaded yet")
        return self._recommender

    @property
    def store(self) -> Store:
        """Garments, shoppers, order lines and keys.

        Raises:
            UnavailableError: it is not open yet.
        """
        return _opened(self._store)

    @property
    def shoppers(self) -> Shoppers:
        """Shoppers who are kept.

        Raises:
            UnavailableError: the store is not open yet.
        """
        return _opened(self._shoppers)

    @property
    def intake(self) -> Intake:
        """Takes order lines.

        Raises:
            UnavailableError: the store is not open yet.
        """
        return _opened(self._intake)

    def _models(self) -> list[Recommender]:
        """Return the model that serves, and one that is being rolled out."""
        return [self.recommender, *([self._trying] if self._trying is not None else [])]

    async def recommend(self, ask: Ask) -> RecommendationsOut:
        """Return an answer without HTTP, for callers that hold a handle of this deployment."""
        return await self.recommender.recommend(ask, Timings())

    def loaded_modules(self) -> list[str]:
        """Return the names of the modules that this process has imported; torch is none of them."""
        return sorted(sys.modules)

    def _new_cache(self) -> FeatureCache:
        own = self.settings
        shared = None
        if own.cache != "memory":
            shared = RedisTier(own.cache, timeout_ms=own.cache_timeout_ms, ttl_s=own.cache_ttl_s)
        return FeatureCache(
            LocalTier(own.cache_bytes),
            shared,
            ttl_s=own.cache_ttl_s,
            photo_ttl_s=own.photo_ttl_s,
            count=lambda tier, outcome, num: self.metrics.cache_lookups.labels(tier, outcome).inc(num),
        )


def _reasons(url: str) -> Reasons:
    return read_json_reasons(url) if url else Reasons()


def _opened(part: T | None) -> T:
    """Return what is there once the store is open.

    Raises:
        UnavailableError: it is not open yet.
    """
    if part is None:
        raise UnavailableError("the store is not open yet")
    return part

"""The ingress deployment: owns one model's recommender and its HTTP application; it never imports torch."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

import ray
from fastapi import FastAPI

from tryon_core.catalogue import sample_catalogue
from tryon_core.errors import ConfigError
from tryon_core.manifest import read_history, read_manifest

from .app import build_app
from .cache import FeatureCache, LocalTier, RedisTier
from .config import Settings, cache_secret, metrics_folder
from .errors import UnavailableError
from .features import Features
from .metrics import Metrics, Timings
from .recommender import Ask, Recommender
from .schema import RecommendationsOut
from .stages import Stages

logger = logging.getLogger(__name__)
_NEEDED_TASKS = ("fit", "match")


class Ingress:
    """Takes requests, forms batches, asks the stages and answers.

    Args:
        settings: as `Settings.to_args` gives them.
        image_encoder: handle of the deployment with `encode`.
        text_encoder: handle of the deployment with `encode`.
        fusion: handle of the deployment with `score`.
    """

    def __init__(self, settings: Mapping[str, Any], image_encoder: Any, text_encoder: Any, fusion: Any) -> None:
        self.settings = Settings.from_args(settings)
        node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""
        self.metrics = Metrics(metrics_folder(self.settings, node) if node else "")
        self._handles = (image_encoder, text_encoder, fusion)
        self._secret = cache_secret() or _own_secret(self.settings)
        self._cache = self._new_cache()
        self._recommender: Recommender | None = None
        self._app: FastAPI | None = None

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Serve the model of the checkpoint that the config names, from the next request on.

        Raises:
            CheckpointError: the folder does not read.
            ConfigError: the model lacks a task that an answer needs.
        """
        url = user_config["checkpoint"]
        manifest, history = await asyncio.to_thread(lambda: (read_manifest(url), read_history(url)))
        lacking = [task for task in _NEEDED_TASKS if task not in manifest.config.tasks]
        if lacking:
            raise ConfigError(f"expected a model with tasks {', '.join(_NEEDED_TASKS)}, got one without {lacking} in {url}")
        stages = Stages(*self._handles, manifest, self.settings, self.metrics)
        features = Features(manifest, self._cache, stages.encoders, self._secret)
        if self._recommender is not None:
            self.metrics.model_info.labels(self._recommender.manifest.fingerprint).set(0)
        self.metrics.model_info.labels(manifest.fingerprint).set(1)
        self._recommender = Recommender(manifest, features, stages.fusion.submit, history, sample_catalogue())

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the HTTP application; Serve calls this once the replica is constructed."""
        self._app = build_app(self)
        return self._app

    async def close(self) -> None:
        """Stop probing and let go of the cache: for a graph that ends before the process it is in."""
        if self._app is not None:
            self._app.state.probe.stop()
        if self._recommender is not None:
            await self._recommender.features.close()

    @property
    def recommender(self) -> Recommender:
        """The recommender of the loaded model.

        Raises:
            UnavailableError: none is loaded yet.
        """
        if self._recommender is None:
            raise UnavailableError("no model is loaded yet")
        return self._recommender

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


def _own_secret(settings: Settings) -> bytes:
    """Return a key for the content hashes where none was set: random, unless other processes must find the same names."""
    if settings.cache == "memory":
        return os.urandom(32)
    logger.warning("TRYON_CACHE_SECRET is not set: whoever reads the shared cache can tell which texts were sent")
    return b"tryon"

"""The graph: which deployments there are, how they are composed, sized and scaled. It alone binds them.

HTTP ─ Ingress ──► ImageEncoder ──┐
             ├───► TextEncoder ───┼──► Fusion ─► fit, match, measurements
             └─────────────────────────┘
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, BackpressureConfig

from .config import NO_KEYS, Settings
from .environment import cache_secret, customer_secret, missing_fast_flags
from .errors import UnavailableError
from .fusion import Fusion
from .image_encoder import ImageEncoder
from .ingress import Ingress
from .key_source import FileKeys
from .nodes import num_nodes
from .replica import load_servable
from .text_encoder import TextEncoder

logger = logging.getLogger(__name__)


def build(args: Mapping[str, Any]) -> Application:
    """Return the application for `serve run serve.graph:build [NAME=VALUE …]`.

    Args:
        args: names and values of `config.Settings`.

    Raises:
        ConfigError: a setting is unknown or wrong or not for so many nodes, or the model lacks a task that an answer needs
            or cannot weigh parts.
        CheckpointError: the checkpoint does not load.
        KeySourceError: the keys cannot be read.
    """
    settings = Settings.from_args(args)
    settings.require_shared(num_nodes())
    settings = settings.placed()
    load_servable(settings.checkpoint, settings.weights())  # told here rather than by replicas that start again and again
    if settings.keys not in (*NO_KEYS, "store"):
        FileKeys(Path(settings.keys)).check()
    missing = missing_fast_flags()
    if missing:
        logger.warning("Serve would be faster with this environment, set before it starts: %s", " ".join(missing))
    model = {"checkpoint": settings.checkpoint, "weights": settings.weights()}
    image = _deployment(ImageEncoder, model, cpus=0.5, target=2.0, most=settings.max_replicas).bind()
    text = _deployment(TextEncoder, model, cpus=0.3, target=2.0, most=settings.max_replicas).bind()
    fusion = _deployment(Fusion, model, cpus=0.3, target=2.0, most=settings.max_replicas).bind()
    # The ingress refuses what is over its own limit with a problem document; Serve, above that, with plain text.
    ingress = _deployment(
        serve.ingress()(Ingress),
        model,
        cpus=0.3,
        target=64.0,
        most=settings.max_replicas,
        ongoing=settings.max_requests + 64,
    )
    application: Application = ingress.bind(settings.to_args(), _secret(settings), image, text, fusion, customer_secret())
    return application


def _secret(settings: Settings) -> bytes:
    """Return the key of the cache's content hashes, which all replicas of the ingress share."""
    secret = cache_secret()
    if not secret and settings.cache != "memory":
        logger.warning("TRYON_CACHE_SECRET is not set: the next start will not find what this one leaves in the cache")
    return secret or secrets.token_bytes(32)


def _deployment(cls: type, model: dict[str, Any], *, cpus: float, target: float, most: int, ongoing: int = 16) -> Any:
    """Return a deployment that scales from one replica to `most`, fast up and slowly down.

    Args:
        cpus: what a replica reserves of a node; less than it may use, so that the graph fits a laptop.
        target: calls open at a replica, on average, above which another is started. Encoders and fusion get whole
            batches, one at work and one under way; the ingress gets single requests.
        ongoing: calls open at a replica, at most.
    """
    return serve.deployment(
        cls,
        name=cls.__name__,
        user_config=model,
        ray_actor_options={"num_cpus": cpus},
        max_ongoing_requests=ongoing,
        max_queued_requests=256,
        backpressure_config=BackpressureConfig(retry_after_s=UnavailableError.retry_after_s),
        health_check_period_s=5,
        health_check_timeout_s=20,
        graceful_shutdown_timeout_s=20,
        autoscaling_config=AutoscalingConfig(
            min_replicas=1,
            max_replicas=most,
            target_ongoing_requests=target,
            upscale_delay_s=5,
            downscale_delay_s=300,
            metrics_interval_s=1,
            look_back_period_s=5,
        ),
    )

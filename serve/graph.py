"""The graph: which deployments there are, how they are composed, sized and scaled. It alone binds them.

HTTP ─ Ingress ──► ImageEncoder ──┐
             ├───► TextEncoder ───┼──► Fusion ─► fit, match, measurements
             └─────────────────────────┘
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig

from .config import Settings, missing_fast_flags
from .fusion import Fusion
from .image_encoder import ImageEncoder
from .ingress import Ingress
from .text_encoder import TextEncoder

logger = logging.getLogger(__name__)


def build(args: Mapping[str, Any]) -> Application:
    """Return the application for `serve run serve.graph:build [NAME=VALUE …]`.

    Args:
        args: names and values of `config.Settings`.

    Raises:
        ConfigError: a setting is unknown or wrong.
    """
    settings = Settings.from_args(args)
    missing = missing_fast_flags()
    if missing:
        logger.warning("Serve would be faster with this environment, set before it starts: %s", " ".join(missing))
    model = {"checkpoint": settings.checkpoint}
    image = _deployment(ImageEncoder, model, cpus=0.5, target=2.0, most=settings.max_replicas).bind()
    text = _deployment(TextEncoder, model, cpus=0.3, target=2.0, most=settings.max_replicas).bind()
    fusion = _deployment(Fusion, model, cpus=0.3, target=2.0, most=settings.max_replicas).bind()
    ingress = _deployment(serve.ingress()(Ingress), model, cpus=0.3, target=64.0, most=settings.max_replicas)
    application: Application = ingress.bind(settings.to_args(), image, text, fusion)
    return application


def _deployment(cls: type, model: dict[str, str], *, cpus: float, target: float, most: int) -> Any:
    """Return a deployment that scales from one replica to `most`, fast up and slowly down.

    Args:
        cpus: what a replica reserves of a node; less than it may use, so that the graph fits a laptop.
        target: calls open at a replica, on average, above which another is started. Encoders and fusion get whole
            batches, one at work and one under way; the ingress gets single requests.
    """
    return serve.deployment(
        cls,
        name=cls.__name__,
        user_config=model,
        ray_actor_options={"num_cpus": cpus},
        max_ongoing_requests=int(4 * target) if target > 8 else 16,
        max_queued_requests=256,
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

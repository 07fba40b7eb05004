"""What every deployment that holds a model does: load it by configuration, refuse calls meant for another, stay healthy."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import ray

from tryon_core.checkpoint import Checkpoint, load_checkpoint
from tryon_core.errors import CheckpointError, ConfigError
from tryon_core.manifest import read_history

from .errors import UnavailableError
from .logs import configure_logging
from .recommender import require_tasks

logger = logging.getLogger(__name__)


def load_servable(url: str, weights: Mapping[str, float] = MappingProxyType({})) -> Checkpoint:
    """Return a checkpoint with all that any deployment needs of it, so that either all take it or none does.

    Args:
        weights: part name to the factor on its weight in fusion.

    Raises:
        CheckpointError: it does not load, or its history does not.
        ConfigError: the model lacks a task that an answer needs, or cannot weigh those parts.
    """
    checkpoint = load_checkpoint(url).emphasised(weights)
    require_tasks(checkpoint.manifest, url)
    read_history(url)
    return checkpoint


class ModelReplica:
    """A replica with one model, which Serve sets and changes by user config, without a restart."""

    def __init__(self) -> None:
        if ray.is_initialized():
            configure_logging()
        self._checkpoint: Checkpoint | None = None

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Load the checkpoint that the config names; the old model serves until the new one is whole.

        The config may also hold `weights`, part name to the factor on its weight in fusion.
        One that does not load is refused, and the old model stays: an error raised here would end the replica.

        Raises:
            CheckpointError: it does not load, and there is no old one.
            ConfigError: it lacks a task that an answer needs or cannot weigh those parts, and there is no old one.
        """
        url, weights = user_config["checkpoint"], user_config.get("weights", {})
        try:
            loaded = await asyncio.to_thread(load_servable, url, weights)
        except (CheckpointError, ConfigError) as err:
            if self._checkpoint is None:
                raise
            logger.error("model %s keeps serving, %s was refused: %s", self._checkpoint.manifest.fingerprint, url, err)
            return
        self._checkpoint = loaded
        logger.info("loaded model %s from %s", loaded.manifest.fingerprint, url)

    def loaded_modules(self) -> list[str]:
        """Return the names of the modules that this process has imported."""
        return sorted(sys.modules)

    def checkpoint(self, model: str) -> Checkpoint:
        """Return the loaded checkpoint.

        Args:
            model: the fingerprint that the caller works with.

        Raises:
            UnavailableError: it is not the one loaded, as while a new model is being rolled out.
        """
        loaded = self._checkpoint
        if loaded is None or loaded.manifest.fingerprint != model:
            got = "none" if loaded is None else loaded.manifest.fingerprint
            raise UnavailableError(f"expected model {model}, got {got}")
        return loaded

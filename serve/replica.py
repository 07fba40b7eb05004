"""What every deployment that holds a model does: load it by configuration, refuse calls meant for another, stay healthy."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from typing import Any

from tryon_core.checkpoint import Checkpoint, load_checkpoint

from .errors import UnavailableError

logger = logging.getLogger(__name__)


class ModelReplica:
    """A replica with one model, which Serve sets and changes by user config, without a restart."""

    def __init__(self) -> None:
        self._checkpoint: Checkpoint | None = None

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Load the checkpoint that the config names; the old model serves until the new one is whole.

        Raises:
            CheckpointError: it does not load; the replica keeps what it has.
        """
        self._checkpoint = await asyncio.to_thread(load_checkpoint, user_config["checkpoint"])
        logger.info("loaded model %s from %s", self._checkpoint.manifest.fingerprint, user_config["checkpoint"])

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

"""A warm start: fitting goes on from a checkpoint's weights; it knows no data."""

from __future__ import annotations

import logging

from tryon_core.checkpoint import load_checkpoint
from tryon_core.errors import ConfigError
from tryon_core.model import Model

log = logging.getLogger(__name__)


def warm_start(model: Model, url: str) -> list[str]:
    """Give a model the weights of a checkpoint, and return the names of towers, fusions and heads that it lacks.

    Those keep the weights they have, so that a preset with another part or task takes over the rest. How numbers are
    standardised is of the weights, and comes with them. What only the checkpoint has is left out.

    Args:
        model: to be fitted; changed in place.
        url: a checkpoint folder or URL.

    Raises:
        ConfigError: a weight has another shape than the model's of that name, or none has a name of the model's.
        CheckpointError: the checkpoint does not load.
    """
    found, own = load_checkpoint(url).model.state_dict(), model.state_dict()
    for name, tensor in own.items():
        if name in found and found[name].shape != tensor.shape:
            has, wants = tuple(found[name].shape), tuple(tensor.shape)
            raise ConfigError(f"expected {name} of shape {wants} in {url}, got {has}: start from a model of the same sizes")
    shared = {name: tensor for name, tensor in found.items() if name in own}
    if not shared:
        raise ConfigError(f"expected a checkpoint that shares weights with {model.config.name}, got none in {url}")
    model.load_state_dict(shared, strict=False)
    fresh = sorted({".".join(name.split(".")[:2]) for name in own if name not in found})
    if fresh:
        log.info("not in %s and new: %s", url, ", ".join(fresh))
    return fresh

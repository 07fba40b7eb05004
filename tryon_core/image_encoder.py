"""Image encoders: prepared pixels to one embedding each.

A new encoder is one function, one line in `ENCODERS` and its name in `config.IMAGE_ENCODERS`, which torch-free code reads.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models

from .config import IMAGE_ENCODERS, ImageTower


class ImageEncoder(nn.Module):
    """Scales pixels to [0, 1], normalises them, runs a backbone and projects to an embedding."""

    mean: Tensor
    std: Tensor

    def __init__(self, tower: ImageTower) -> None:
        super().__init__()
        self.tower = tower
        self.backbone, features_dim = ENCODERS[tower.encoder](tower)
        self.project = nn.Linear(features_dim, tower.embedding_dim)
        self.register_buffer("mean", torch.tensor(tower.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(tower.std).view(1, -1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return float32[U, embedding_dim].

        Args:
            pixels: uint8[U, H, W] or uint8[U, H, W, 3], prepared to the tower's height and width.
        """
        channels_first = pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
        scaled = channels_first.to(self.mean.dtype) / 255.0
        embedding: Tensor = self.project(self.backbone((scaled - self.mean) / self.std))
        return embedding


def _cnn(tower: ImageTower) -> tuple[nn.Module, int]:
    """Convolution, ReLU and pooling per stage, as published; then an average over places, not a flatten.

    A flatten of 64 channels at 128 x 128 into 512 units costs 537 million weights and ties them to one image size; the
    average over a grid of places keeps where things are for a thousandth of that.
    """
    pool = nn.MaxPool2d if tower.pooling == "max" else nn.AvgPool2d
    layers: list[nn.Module] = []
    before = tower.channels
    for stage, channels in enumerate(tower.stages):
        stride = tower.stem_stride if stage == 0 else 1
        layers += [nn.Conv2d(before, channels, 3, stride, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
        layers += [pool(2)]
        before = channels
    rows, columns = tower.places
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d((rows, columns)), nn.Flatten()), rows * columns * before


def _first_convolution(backbone: nn.Module, path: str, channels: int) -> None:
    """Let a backbone made for RGB take masks, by a first convolution over one channel."""
    old = backbone.get_submodule(path)
    if channels == 3 or not isinstance(old, nn.Conv2d):
        return
    square, stride, padding = old.kernel_size[0], old.stride[0], int(old.padding[0])
    new = nn.Conv2d(channels, old.out_channels, square, stride, padding, bias=old.bias is not None)
    backbone.set_submodule(path, new)


def _mobilenet_v2(tower: ImageTower) -> tuple[nn.Module, int]:
    backbone = models.mobilenet_v2()
    _first_convolution(backbone, "features.0.0", tower.channels)
    backbone.classifier = nn.Sequential()
    return backbone, 1280


def _resnet18(tower: ImageTower) -> tuple[nn.Module, int]:
    backbone = models.resnet18()
    _first_convolution(backbone, "conv1", tower.channels)
    backbone.fc = nn.Sequential()
    return backbone, 512


def _vit_b_16(tower: ImageTower) -> tuple[nn.Module, int]:
    """torchvision's vision transformer with 16-pixel patches; depth and width are the tower's, ViT-B's by default."""
    side = max(16, 16 * round(min(tower.height, tower.width) / 16))
    vit = models.VisionTransformer(
        image_size=side,
        patch_size=16,
        num_layers=tower.depth,
        num_heads=tower.num_heads,
        hidden_dim=tower.hidden_dim,
        mlp_dim=4 * tower.hidden_dim,
    )
    _first_convolution(vit, "conv_proj", tower.channels)
    vit.heads = nn.Sequential()
    return nn.Sequential(_Resize(side), vit), tower.hidden_dim


class _Resize(nn.Module):
    """Scales images to the square that a vision transformer's position embeddings are made for."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        return F.interpolate(images, size=(self.side, self.side), mode="bilinear", antialias=True)


ENCODERS: dict[str, Callable[[ImageTower], tuple[nn.Module, int]]] = {
    "cnn": _cnn,
    "mobilenet_v2": _mobilenet_v2,
    "resnet18": _resnet18,
    "vit_b_16": _vit_b_16,
}
assert tuple(ENCODERS) == IMAGE_ENCODERS

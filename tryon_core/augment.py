"""Training-time crop, rotation, flip and light of prepared images; serving never imports it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .errors import ConfigError


@dataclass(frozen=True)
class Augmentation:
    """How far each image is moved at random; all zero changes nothing."""

    crop: float = 0.0
    """Largest share of a side that a crop takes away, in [0, 1)."""
    rotation_deg: float = 0.0
    """Largest rotation either way."""
    flip: bool = False
    """Whether half of the images are mirrored left to right."""
    light: float = 0.0
    """Largest share by which an RGB image becomes darker or lighter, in [0, 1); masks have no light."""

    def __post_init__(self) -> None:
        if not (0 <= self.crop < 1 and 0 <= self.light < 1) or self.rotation_deg < 0:
            raise ConfigError(f"expected crop in [0, 1), light in [0, 1) and rotation of at least 0, got {self}")


def augment(images: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Return images changed each by its own random crop, rotation, flip and light; the border fills what was outside.

    Args:
        images: uint8[U, H, W] masks, or uint8[U, H, W, C].
        generator: decides the draws, so that a seed repeats them.
    """
    if images.shape[0] == 0 or how == Augmentation():
        return images
    single = images.ndim == 3
    channels_first = images.unsqueeze(1) if single else images.permute(0, 3, 1, 2)
    theta = _affine(images.shape[0], images.shape[2] / images.shape[1], how, generator)
    grid = F.affine_grid(theta, list(channels_first.shape), align_corners=False)
    moved = F.grid_sample(channels_first.float(), grid, padding_mode="border", align_corners=False)
    if single:
        return moved.squeeze(1).round().byte()
    if how.light:
        gain = 1 + how.light * (2 * torch.rand(len(moved), 1, 1, 1, generator=generator) - 1)
        moved = (moved * gain).clamp(0, 255)
    return moved.round().byte().permute(0, 2, 3, 1)


def _affine(num: int, aspect: float, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Return float32[num, 2, 3] from output to input coordinates in [-1, 1]; `aspect` = width / height."""
    draw = torch.rand(5, num, generator=generator)
    scale = 1 - how.crop * draw[0]
    angle = torch.deg2rad((2 * draw[1] - 1) * how.rotation_deg)
    mirror = torch.where(draw[2] < 0.5, -1.0, 1.0) if how.flip else torch.ones(num)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    shift = (1 - scale) * (2 * draw[3:5] - 1)
    first = torch.stack([cos * mirror, -sin / aspect, shift[0]], dim=1)
    second = torch.stack([sin * mirror * aspect, cos, shift[1]], dim=1)
    return torch.stack([first, second], dim=1)

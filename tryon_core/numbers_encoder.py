"""Encodes parts that are numbers with gaps (sizes, charts, history, ease); too cheap to be a stage of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .batch import Part
from .config import NumbersTower


class NumbersEncoder(nn.Module):
    """Standardises what is known, says what is unknown, and embeds both by two layers."""

    mean: Tensor
    std: Tensor
    seen: Tensor
    """float32[width], 1 where training data had the number and it varied; others count as unknown."""

    def __init__(self, tower: NumbersTower, part: Part) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(part.width))
        self.register_buffer("std", torch.full((part.width,), part.spread))
        self.register_buffer("seen", torch.ones(part.width))
        self.layers = nn.Sequential(
            nn.Linear(2 * part.width, tower.hidden), nn.GELU(), nn.Linear(tower.hidden, tower.embedding_dim), nn.GELU()
        )

    def forward(self, numbers: Tensor) -> Tensor:
        """Return float32[U, embedding_dim].

        Args:
            numbers: float32[U, width of the part], NaN where unknown.
        """
        known = ~numbers.isnan() & (self.seen > 0)
        scaled = torch.where(known, (numbers - self.mean) / self.std, 0.0).clamp(-8, 8)
        embedding: Tensor = self.layers(torch.cat([scaled, known.to(scaled.dtype)], dim=1))
        return embedding

    @torch.no_grad()
    def standardise_by(self, numbers: Tensor) -> None:
        """Take each number's mean and spread from training data, float32[N, width]; one that never varies is unseen.

        What is not finite does not count.
        """
        known = numbers.isfinite()
        numbers = numbers.double()  # squares of large ones are beyond single precision
        count = known.sum(dim=0).clamp_min(1)
        filled = torch.where(known, numbers, 0.0)
        mean = filled.sum(dim=0) / count
        self.mean.copy_(mean)
        variance = torch.where(known, (numbers - mean).square(), 0.0).sum(dim=0) / count
        self.seen.copy_(variance > 1e-6)
        self.std.copy_(torch.where(variance > 1e-6, variance.sqrt(), 1.0))

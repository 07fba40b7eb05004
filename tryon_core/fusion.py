"""Fusion: the embeddings of any number of parts, each possibly missing, become one; it knows no part by name.

The four ways are pure functions over stacked embeddings, so that each is the published formula and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import FusionConfig


def concat(embeddings: Tensor, present: Tensor) -> Tensor:
    """Return float32[B, N * D], z = [e_1; …; e_N], a missing part as zeros.

    Args:
        embeddings: float32[B, N, D].
        present: bool[B, N].
    """
    return (embeddings * present.unsqueeze(2)).flatten(1)


def average(embeddings: Tensor, present: Tensor) -> Tensor:
    """Return float32[B, D], the mean over the parts present; zeros where none is."""
    return weighted(embeddings, present, torch.ones(embeddings.shape[1], device=embeddings.device))


def weighted(embeddings: Tensor, present: Tensor, weights: Tensor) -> Tensor:
    """Return float32[B, D], z = Σ w_i e_i / Σ w_i over the parts present; zeros where none is.

    Args:
        weights: float32[N], each over 0.
    """
    share = present * weights
    share = share / share.sum(dim=1, keepdim=True).clamp_min(1e-12)
    return torch.einsum("bn,bnd->bd", share, embeddings)


def attention(query: Tensor, embeddings: Tensor, present: Tensor, num_heads: int) -> Tensor:
    """Return float32[B, D], scaled dot-product attention of one query per row over the parts present.

    Args:
        query: float32[B, D].
        embeddings: float32[B, N, D], keys and values; a row without any part gives zeros.
    """
    batch, num, dim = embeddings.shape
    heads = embeddings.view(batch, num, num_heads, dim // num_heads).transpose(1, 2)
    nobody = ~present.any(dim=1)
    mask = (present | nobody.unsqueeze(1)).view(batch, 1, 1, num)
    fused = F.scaled_dot_product_attention(query.view(batch, num_heads, 1, -1), heads, heads, attn_mask=mask)
    return fused.reshape(batch, dim) * ~nobody.unsqueeze(1)


class Fusion(nn.Module):
    """Brings every part to one width, fuses, and refines by residual layers.

    Args:
        dims: part name to its embedding's length, in the order in which parts are stacked.
    """

    def __init__(self, config: FusionConfig, dims: Mapping[str, int]) -> None:
        super().__init__()
        self.config = config
        self.names = tuple(dims)
        self.adapt = nn.ModuleDict({n: nn.Sequential(nn.Linear(d, config.width), nn.GELU()) for n, d in dims.items()})
        fixed = config.weights
        logits = torch.tensor([1.0 if fixed is None else fixed[name] for name in dims]).log()
        self.log_weights = nn.Parameter(logits, requires_grad=config.kind == "weighted" and fixed is None)
        self.query = nn.Parameter(torch.randn(config.width) * 0.02) if config.kind == "attention" else None
        fused_dim = config.width * (len(dims) if config.kind == "concat" else 1)
        self.enter = nn.Linear(fused_dim + len(dims), config.width)
        self.layers = nn.ModuleList(_Residual(config.width, config.dropout) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, parts: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
        """Return float32[B, width].

        Args:
            parts: part name to (float32[B, dim] embedding, bool[B] present); a name left out is missing in every row.
        """
        some = next(iter(parts.values()))[1]
        none = torch.zeros_like(some)
        embeddings, flags = [], []
        for name in self.names:
            embedding, present = parts.get(name, (None, none))
            adapted = some.new_zeros(len(some), self.config.width, dtype=torch.float32)
            embeddings.append(adapted if embedding is None else self.adapt[name](embedding))
            flags.append(present)
        present = torch.stack(flags, dim=1)
        fused = self._fuse(torch.stack(embeddings, dim=1), present)
        features = self.enter(torch.cat([fused, present.to(fused.dtype)], dim=1))
        for layer in self.layers:
            features = layer(features)
        normed: Tensor = self.norm(features)
        return normed

    def _fuse(self, embeddings: Tensor, present: Tensor) -> Tensor:
        if self.config.kind == "concat":
            return concat(embeddings, present)
        if self.config.kind == "average":
            return average(embeddings, present)
        if self.query is not None:
            query = self.query.expand(len(embeddings), -1)
            return attention(query, embeddings, present, self.config.num_heads)
        return weighted(embeddings, present, self.log_weights.exp())


class _Residual(nn.Module):
    """x + W2 GELU(W1 norm(x))."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = features + self.layers(features)
        return out

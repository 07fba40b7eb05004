"""Fusion: the embeddings of any number of parts, each possibly missing, become one; it knows no part by name.

The four ways are pure functions over stacked embeddings, so that each is the published formula and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import FusionConfig
from .errors import ConfigError

EMPHASISABLE = ("average", "weighted", "attention")
"""Kinds of fusion in which a part has a weight; in `concat` a layer behind it reads every part by weights of its own."""


def build_fusion(
    config: FusionConfig, dims: Mapping[str, int], sides: tuple[Sequence[str], Sequence[str]] = ((), ())
) -> Fusion | Members:
    """Return a fusion, or several as one where the config wants `members`; see `Fusion` for what it takes."""
    return Fusion(config, dims, sides) if config.members == 1 else Members(config, dims, sides)


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


def attention(query: Tensor, embeddings: Tensor, present: Tensor, num_heads: int, weights: Tensor | None = None) -> Tensor:
    """Return float32[B, D], scaled dot-product attention of one query per row over the parts present.

    With weights each head attends to part i by w_i exp(q · k_i) / Σ_j w_j exp(q · k_j).

    Args:
        query: float32[B, D].
        embeddings: float32[B, N, D], keys and values; a row without any part gives zeros.
        weights: float32[N], each over 0; None for equal ones.
    """
    batch, num, dim = embeddings.shape
    heads = embeddings.view(batch, num, num_heads, dim // num_heads).transpose(1, 2)
    nobody = ~present.any(dim=1)
    mask = (present | nobody.unsqueeze(1)).view(batch, 1, 1, num)
    if weights is not None:
        mask = torch.where(mask, weights.log(), -torch.inf)
    fused = F.scaled_dot_product_attention(query.view(batch, num_heads, 1, -1), heads, heads, attn_mask=mask)
    return fused.reshape(batch, dim) * ~nobody.unsqueeze(1)


def interactions(factors: Tensor, present: Tensor, sides: Tensor) -> Tensor:
    """Return float32[B, D], Σ v_i ⊙ v_j over the parts i of one side and j of the other that are present.

    The second-order term of factorisation machines (Rendle 2010) between the two sides, before its sum over D, in the
    form that is linear in N: the product of the sides' sums.

    Args:
        factors: float32[B, N, D].
        sides: bool[2, N], which parts are of which side; a part may be of neither.
    """
    one, other = torch.einsum("bnd,bn,sn->sbd", factors, present.to(factors.dtype), sides.to(factors.dtype))
    product: Tensor = one * other
    return product


class Fusion(nn.Module):
    """Brings every part to one width, fuses, and refines by residual layers.

    With `interactions` of the config the products of parts of two sides join the fused: what agrees between a shopper and
    a garment, such as a colour that is asked for and one that is seen, is a product, which sums of parts hardly tell.

    Args:
        dims: part name to its embedding's length, in the order in which parts are stacked.
        sides: the names of the shopper's parts, and of the garment's; where one has none, nothing interacts.
    """

    sides: Tensor
    emphasis: Tensor | None

    def __init__(
        self, config: FusionConfig, dims: Mapping[str, int], sides: tuple[Sequence[str], Sequence[str]] = ((), ())
    ) -> None:
        super().__init__()
        self.config = config
        self.names = tuple(dims)
        self.adapt = nn.ModuleDict({n: nn.Sequential(nn.Linear(d, config.width), nn.GELU()) for n, d in dims.items()})
        fixed = config.weights
        logits = torch.tensor([1.0 if fixed is None else fixed[name] for name in dims]).log()
        self.log_weights = nn.Parameter(logits, requires_grad=config.kind == "weighted" and fixed is None)
        self.query = nn.Parameter(torch.randn(config.width) * 0.02) if config.kind == "attention" else None
        both = [name for side in sides for name in side] if config.interactions and all(sides) else []
        self.factors = nn.ModuleDict({name: nn.Linear(dims[name], config.width, bias=False) for name in both})
        membership = torch.tensor([[name in side for name in dims] for side in sides])
        self.register_buffer("sides", membership, persistent=False)
        self.register_buffer("emphasis", None, persistent=False)
        fused_dim = config.width * ((len(dims) if config.kind == "concat" else 1) + bool(both))
        self.enter = nn.Linear(fused_dim + len(dims), config.width)
        self.layers = nn.ModuleList(_Residual(config.width, config.dropout) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)

    def emphasise(self, weights: Mapping[str, float]) -> None:
        """Multiply the parts' own weights, which are 1 where the kind of fusion has none, before they are renormalised.

        Weights and products of two sides' parts stay as they were fitted; a name of another fusion's part says nothing here.

        Args:
            weights: part name to factor, over 0.

        Raises:
            ConfigError: the kind of fusion weighs no parts.
        """
        if self.config.kind not in EMPHASISABLE:
            raise ConfigError(f"expected a fusion that weighs parts ({', '.join(EMPHASISABLE)}), got {self.config.kind}")
        self.emphasis = self.log_weights.new_tensor([weights.get(name, 1.0) for name in self.names])

    def forward(self, parts: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
        """Return float32[B, width].

        Args:
            parts: part name to (float32[B, dim] embedding, bool[B] present); a name left out is missing in every row.
        """
        some = next(iter(parts.values()))[1]
        none = torch.zeros_like(some)
        present = torch.stack([parts[name][1] if name in parts else none for name in self.names], dim=1)
        fused = [self._fuse(self._brought(self.adapt, parts, len(some)), present)]
        if self.factors:
            fused.append(interactions(self._brought(self.factors, parts, len(some)), present, self.sides))
        features = self.enter(torch.cat([*fused, present.to(fused[0].dtype)], dim=1))
        for layer in self.layers:
            features = layer(features)
        normed: Tensor = self.norm(features)
        return normed

    def of_rows(self, parts: Mapping[str, tuple[Tensor, Tensor]], row_of: Tensor) -> Tensor:
        """Return float32[N, width], what each row sees fused, where several see the same.

        Args:
            parts: see `forward`.
            row_of: int64[N], the place of what each row sees among B.
        """
        fused: Tensor = self(parts)[row_of]
        return fused

    def _brought(self, to_width: nn.ModuleDict, parts: Mapping[str, tuple[Tensor, Tensor]], num_rows: int) -> Tensor:
        """Return float32[B, N, width], every part brought to one width; zeros for one left out."""
        zeros = self.enter.weight.new_zeros(num_rows, self.config.width)
        return torch.stack([to_width[n](parts[n][0]) if n in to_width and n in parts else zeros for n in self.names], dim=1)

    def _fuse(self, embeddings: Tensor, present: Tensor) -> Tensor:
        if self.config.kind == "concat":
            return concat(embeddings, present)
        if self.config.kind == "average":
            return average(embeddings, present) if self.emphasis is None else weighted(embeddings, present, self.emphasis)
        if self.query is not None:
            query = self.query.expand(len(embeddings), -1)
            return attention(query, embeddings, present, self.config.num_heads, self.emphasis)
        weights = self.log_weights.exp()
        return weighted(embeddings, present, weights if self.emphasis is None else weights * self.emphasis)


class Members(nn.Module):
    """Several fusions of the same parts, whose features are averaged; a linear head then answers with their mean logits.

    An ensemble (Lakshminarayanan et al., Simple and Scalable Predictive Uncertainty Estimation, 2017) that shares towers
    and heads. Each member is fitted on its own answers: of the average alone, members would become parts of one fusion.

    Args:
        config: of each of them.
        dims: see `Fusion`, as `sides`.
    """

    def __init__(
        self, config: FusionConfig, dims: Mapping[str, int], sides: tuple[Sequence[str], Sequence[str]] = ((), ())
    ) -> None:
        super().__init__()
        self.names = tuple(dims)
        self.members = nn.ModuleList(Fusion(config, dims, sides) for _ in range(config.members))

    def emphasise(self, weights: Mapping[str, float]) -> None:
        """Emphasise in every member, see `Fusion.emphasise`.

        Raises:
            ConfigError: the kind of fusion weighs no parts.
        """
        for member in self.members:
            assert isinstance(member, Fusion)
            member.emphasise(weights)

    def forward(self, parts: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
        """Return float32[B, width], the members' mean; see `Fusion.forward`."""
        return self._every(parts).mean(dim=1)

    def of_rows(self, parts: Mapping[str, tuple[Tensor, Tensor]], row_of: Tensor) -> Tensor:
        """Return float32[N, width], what row i sees fused; in training by member i mod `members` alone.

        Args:
            parts: see `Fusion.forward`.
            row_of: int64[N], the place of what each row sees among B.
        """
        if not self.training:
            fused: Tensor = self(parts)[row_of]
            return fused
        return self._every(parts)[row_of, torch.arange(len(row_of), device=row_of.device) % len(self.members)]

    def _every(self, parts: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
        """Return float32[B, members, width]."""
        return torch.stack([member(parts) for member in self.members], dim=1)


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

"""Text encoders: hashed tokens with their numbers to one embedding per text.

A new encoder is one class, one line in `ENCODERS` and its name in `config.TEXT_ENCODERS`, which torch-free code reads.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .config import TEXT_ENCODERS, TextTower
from .quantities import QuantitiesEncoder

_PERIODS = (8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
"""Of the sines and cosines that tell a number to the sequence, in its own unit; from 8 on, so that numbers one apart are
near in every phase (with a period of 2, 165 is as far from 166 as from 169)."""
NUM_VALUE_FEATURES = 3 + 2 * len(_PERIODS)


class TextEncoder(nn.Module):
    """Embeds tokens, lets a sequence model read them, and pools what it says and the tokens themselves over each text.

    The tokens' own way past the sequence model is the wide part of wide and deep (Cheng et al., 2016): a word that matters
    wherever it stands, as a colour does, is learnt sooner. Sums are divided by the root of the length.
    """

    def __init__(self, tower: TextTower) -> None:
        super().__init__()
        self.words = nn.Embedding(tower.rows, tower.width)
        nn.init.normal_(self.words.weight, std=0.1)
        self.value = nn.Linear(NUM_VALUE_FEATURES, tower.width)
        self.mix = nn.Sequential(nn.LayerNorm(tower.width), nn.Linear(tower.width, 2 * tower.width), nn.GELU())
        self.mixed = nn.Linear(2 * tower.width, tower.width)
        self.sequence = ENCODERS[tower.encoder](tower)
        self.project = nn.Linear(self.sequence.features_dim + tower.width, tower.embedding_dim)
        self.quantities = QuantitiesEncoder(tower.rows, tower.width, tower.embedding_dim) if tower.quantities else None

    def forward(self, ids: Tensor, values: Tensor, lengths: Tensor) -> Tensor:
        """Return float32[U, embedding_dim].

        Args:
            ids: int64[U, L, 2], see `text.TextArrays`.
            values: float32[U, L], NaN where a token has no number.
            lengths: int64[U], at least 1.
        """
        tokens = self.words(ids).sum(dim=2) + self.value(value_features(values))
        tokens = tokens + self.mixed(self.mix(tokens))
        inside = torch.arange(ids.shape[1], device=ids.device) < lengths.unsqueeze(1)
        features = torch.cat([self.sequence(tokens, inside, lengths), tokens], dim=2)
        pooled = (features * inside.unsqueeze(2)).sum(dim=1) / lengths.unsqueeze(1).sqrt()
        embedding: Tensor = self.project(pooled)
        return embedding if self.quantities is None else embedding + self.quantities(ids, values)


def value_features(values: Tensor) -> Tensor:
    """Return float32[..., NUM_VALUE_FEATURES]: whether there is a number, its size, and its phase in several periods."""
    known = ~values.isnan()
    number = torch.where(known, values, 0.0).clamp(-1000, 1000).unsqueeze(-1)
    phase = number * (2 * math.pi / torch.tensor(_PERIODS, device=values.device))
    parts = [torch.ones_like(number), number / 100, (number / 100).square(), phase.sin(), phase.cos()]
    return torch.cat(parts, dim=-1) * known.unsqueeze(-1)


class Lstm(nn.Module):
    """A bidirectional LSTM (Hochreiter and Schmidhuber, 1997; Graves and Schmidhuber, 2005) over a text's own tokens."""

    cell: type[nn.LSTM | nn.GRU] = nn.LSTM

    def __init__(self, tower: TextTower) -> None:
        super().__init__()
        dropout = tower.dropout if tower.depth > 1 else 0.0
        self.rnn = self.cell(tower.width, tower.width, tower.depth, batch_first=True, bidirectional=True, dropout=dropout)
        self.features_dim = 2 * tower.width

    def forward(self, tokens: Tensor, inside: Tensor, lengths: Tensor) -> Tensor:
        """Return float32[U, L, 2 * width], both directions side by side, zero behind each text's end."""
        packed = nn.utils.rnn.pack_padded_sequence(tokens, lengths.cpu(), batch_first=True, enforce_sorted=False)
        features, _ = self.rnn(packed)
        unpacked, _ = nn.utils.rnn.pad_packed_sequence(features, batch_first=True, total_length=tokens.shape[1])
        return unpacked


class Gru(Lstm):
    """A bidirectional GRU (Cho et al., 2014)."""

    cell = nn.GRU


class Transformer(nn.Module):
    """A pre-norm transformer encoder (Vaswani et al., 2017) with sine positions; padding is never attended to."""

    def __init__(self, tower: TextTower) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            tower.width,
            tower.num_heads,
            4 * tower.width,
            tower.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(layer, tower.depth, enable_nested_tensor=False)
        self.features_dim = tower.width

    def forward(self, tokens: Tensor, inside: Tensor, lengths: Tensor) -> Tensor:
        """Return float32[U, L, width]."""
        place = torch.arange(tokens.shape[1], device=tokens.device, dtype=tokens.dtype).unsqueeze(1)
        rate = torch.exp(torch.arange(0, tokens.shape[2], 2, device=tokens.device) * (-math.log(1e4) / tokens.shape[2]))
        position = torch.cat([(place * rate).sin(), (place * rate).cos()], dim=1)[:, : tokens.shape[2]]
        features: Tensor = self.layers(tokens + 0.1 * position, src_key_padding_mask=~inside)
        return features


ENCODERS: dict[str, type[Lstm | Transformer]] = {"lstm": Lstm, "gru": Gru, "transformer": Transformer}
assert tuple(ENCODERS) == TEXT_ENCODERS

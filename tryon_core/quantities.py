"""The quantities that a text tells, height, weight and sizes, as a short way past the sequence model of its encoder.

A girth is close to a polynomial of height and weight. Through a sequence model and a pooling such numbers arrive blurred:
measured, words alone told girths a fifth worse than a quadratic regression on the numbers in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .text import hash_word
from .told import HEIGHT_CM, WEIGHT_KG


@dataclass(frozen=True)
class Quantity:
    """What one kind of token tells."""

    word: str
    """The token, see `words.Token`."""
    low: float
    """Least and largest value that is taken for it, in the token's unit; others are something else, or slips."""
    high: float
    centre: float
    spread: float


QUANTITIES = (
    Quantity("<cm>", *HEIGHT_CM, 170, 10),
    Quantity("<kg>", *WEIGHT_KG, 72, 16),
    Quantity("<size:letter>", -5, 9, 0.5, 1.7),
    Quantity("<size:eu>", 16, 70, 43, 7),
    Quantity("<size:us>", 0, 64, 18, 16),
    Quantity("<size:uk>", 2, 64, 14, 8),
    Quantity("<size:inch>", 20, 60, 33, 5),
    Quantity("<band>", 26, 130, 80, 12),
)
_FARTHEST = 5.0


class QuantitiesEncoder(nn.Module):
    """Embeds the first of each of `QUANTITIES` in a text, their squares and products, and which are not told."""

    ids: Tensor
    limits: Tensor
    products: Tensor

    def __init__(self, rows: int, hidden: int, embedding_dim: int) -> None:
        super().__init__()
        num = len(QUANTITIES)
        self.register_buffer("ids", torch.tensor([hash_word(q.word, rows) for q in QUANTITIES]), persistent=False)
        limits = torch.tensor([(q.low, q.high, q.centre, q.spread) for q in QUANTITIES])
        self.register_buffer("limits", limits, persistent=False)
        self.register_buffer("products", torch.triu_indices(num, num), persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(2 * num + self.products.shape[1], hidden), nn.GELU(), nn.Linear(hidden, embedding_dim)
        )

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        """Return float32[U, embedding_dim].

        Args:
            ids: int64[U, L, 2], see `text.TextArrays`.
            values: float32[U, L], NaN where a token has no number.
        """
        first, second = self.products
        scaled, known = self.read(ids, values)
        embedding: Tensor = self.layers(torch.cat([scaled, known, scaled[:, first] * scaled[:, second]], dim=1))
        return embedding

    def read(self, ids: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return float32[U, Q], the first value of each quantity about its centre in spreads, 0 where it is not told, and
        float32[U, Q], 1 where it is."""
        low, high, centre, spread = self.limits.unbind(dim=1)
        value = values.unsqueeze(2)
        is_it = (ids.unsqueeze(2) == self.ids).all(dim=3) & (value >= low) & (value <= high)
        place = is_it.int().argmax(dim=1)  # of the first, or 0
        known = is_it.any(dim=1)
        scaled = ((values.gather(1, place) - centre) / spread).clamp(-_FARTHEST, _FARTHEST)
        return torch.where(known, scaled, 0.0), known.to(values.dtype)

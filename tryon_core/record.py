"""What a garment's verdicts and a shopper's own lines say of a pair: part `record`, one module for fitting and serving.

Odds of small and of large against fit are modelled as a sum: of how much larger the size is than the shopper's body lets
expect, of an effect of the garment and of the garment in this size (untold offsets, in the manner of Sembium et al.,
Recommending Product Sizes to Customers, 2017), and of an effect of the shopper. Effects of garments are fitted once and
kept; a shopper's is computed from the lines that come with a request, and is never kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .batch import FIT_CLASSES, RECORD_FIELDS, TOLD_FIELDS

Floats = npt.NDArray[np.float64]
Effect = tuple[float, float]
"""What is added to the log-odds of small and of large against fit."""

MAX_LINES = 50
"""Earlier lines of a shopper that count, the latest."""
NUM_SHAPES = 4
NUM_BODY = 1 + 2 * len(TOLD_FIELDS) + 5
_SIZE_SHIFT, _SIZE_SCALE, _FARTHEST = 6.0, 10.0, 6.0
_NEAR = 1.5
_ROUNDS = 6
_SURPRISE_PRIOR, _NEAR_PRIOR = 2.0, 0.5


@dataclass(frozen=True)
class Effects:
    """What fitting found, as of one moment; it holds garments and no shoppers."""

    centre: Floats
    """float64[len(TOLD_FIELDS)], of what shoppers told."""
    spread: Floats
    expected: Floats
    """float64[NUM_BODY], the logarithm of the size that fits, from `body_terms`."""
    odds: Floats
    """float64[NUM_SHAPES, 2], the log-odds of small and large from the powers of the spare size."""
    own_spread: float
    """Standard deviation of shoppers' own effects."""
    system: str = "number"
    """Which size system is meant; labels of others have no spare size."""
    garments: Mapping[tuple[str, ...], Effect] = field(default_factory=dict)
    """(garment,) and (garment, size) to their effects."""

    def to_json(self) -> dict[str, Any]:
        """Return all but the garments as plain JSON data."""
        arrays = {name: getattr(self, name).tolist() for name in ("centre", "spread", "expected", "odds")}
        return arrays | {"own_spread": self.own_spread, "system": self.system}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], garments: Mapping[tuple[str, ...], Effect]) -> Effects:
        """Return effects from what `to_json` gave and the garments'.

        Raises:
            KeyError: a number is missing.
            ValueError: one is of another shape.
        """
        names = ("centre", "spread", "expected", "odds")
        arrays = [np.array(data[name], dtype=np.float64) for name in names]
        shapes_of = [(len(TOLD_FIELDS),), (len(TOLD_FIELDS),), (NUM_BODY,), (NUM_SHAPES, 2)]
        if [a.shape for a in arrays] != shapes_of:
            raise ValueError(f"expected effects of shapes {shapes_of}, got {[a.shape for a in arrays]}")
        own_spread, system = float(data["own_spread"]), str(data["system"])
        return cls(arrays[0], arrays[1], arrays[2], arrays[3], own_spread, system, garments)

    def of(self, garments: Sequence[str], sizes: Sequence[str]) -> Floats:
        """Return float64[N, 4], the effects of each garment, then of it in its size; 0 where it was never seen."""
        none = (0.0, 0.0)
        pairs = zip(garments, sizes, strict=True)
        found = [(*self.garments.get((g,), none), *self.garments.get((g, s), none)) for g, s in pairs]
        return np.array(found, dtype=np.float64).reshape(-1, 4)

    def spare(self, told: npt.NDArray[np.float32], size: Floats) -> Floats:
        """Return float64[N], how much larger a size is than the body lets expect, in tenths of its logarithm; NaN unknown.

        Args:
            told: float32[N, len(TOLD_FIELDS)].
            size: float64[N], the label's value in `system`.
        """
        expected: Floats = body_terms(told, self.centre, self.spread) @ self.expected
        return (scaled(size) - expected).clip(-_FARTHEST, _FARTHEST)


@dataclass(frozen=True)
class Lines:
    """Earlier lines of the shoppers of B rows, one entry a line."""

    row: npt.NDArray[np.int64]
    """int64[L], ascending, whose line it is."""
    size: Floats
    """float64[L], the label's value."""
    effects: Floats
    """float64[L, 4], see `Effects.of`."""
    fit: npt.NDArray[np.int64]
    """int64[L], index into `FIT_CLASSES`."""


def scaled(size: Floats) -> Floats:
    """Return sizes on the scale on which they are compared: steps between small sizes are larger."""
    return _SIZE_SCALE * np.log(np.maximum(size + _SIZE_SHIFT, 1.0))


def body_terms(told: npt.NDArray[np.float32], centre: Floats, spread: Floats) -> Floats:
    """Return float64[N, NUM_BODY], what the expected size is linear in: numbers told, products, and what was not told."""
    missing = np.isnan(told)
    z = np.where(missing, 0.0, (told - centre) / spread).clip(-5, 5)
    height, weight, band = (z[:, TOLD_FIELDS.index(f"told_{name}")] for name in ("height_cm", "weight_kg", "band"))
    products = [weight * weight, weight * height, height * height, weight * band, weight**3]
    return np.column_stack([np.ones(len(z)), z, missing, *products])


def shapes(spare: Floats) -> Floats:
    """Return float64[N, NUM_SHAPES], the powers of the spare size; of an unknown one, those of 0."""
    z = np.nan_to_num(spare)
    return np.column_stack([np.ones(len(z)), z, z * z / 4, z**3 / 20])


def shares(log_odds: Floats) -> Floats:
    """Return float64[N, 2], P(small) and P(large) from their log-odds against fit."""
    odds = np.exp(log_odds.clip(-20, 20))
    result: Floats = odds / (1 + odds.sum(axis=1, keepdims=True))
    return result


def record(
    effects: Effects, told: npt.NDArray[np.float32], size: Floats, of_pair: Floats, lines: Lines
) -> npt.NDArray[np.float32]:
    """Return part `record`, float32[B, len(RECORD_FIELDS)]; a row depends on no other.

    Args:
        told: float32[B, len(TOLD_FIELDS)], of the shopper.
        size: float64[B], the offered label's value in the effects' system, NaN in another.
        of_pair: float64[B, 4], see `Effects.of`.
    """
    spare = effects.spare(told, size)
    line_told = told[lines.row]
    base = shapes(effects.spare(line_told, lines.size)) @ effects.odds + lines.effects[:, :2] + lines.effects[:, 2:]
    own = _own_effects(effects.own_spread, base, lines, len(told))
    log_odds = shapes(spare) @ effects.odds + of_pair[:, :2] + of_pair[:, 2:] + own
    columns: list[npt.NDArray[Any]] = [
        told,
        spare,
        of_pair,
        own,
        log_odds,
        _surprise(base, lines, len(told)),
        _sizes(size, lines),
    ]
    result = np.column_stack(columns).astype(np.float32)
    assert result.shape[1] == len(RECORD_FIELDS)
    return result


def _own_effects(spread: float, base: Floats, lines: Lines, num_rows: int) -> Floats:
    """Return float64[B, 2], the likeliest effect of each shopper under a normal prior, by damped Newton steps."""
    own = np.zeros((num_rows, 2))
    for _ in range(_ROUNDS):
        told = shares(base + own[lines.row])
        for end, verdict in enumerate((0, 2)):
            slope = np.bincount(lines.row, (lines.fit == verdict) - told[:, end], num_rows) - own[:, end] / spread**2
            curve = np.bincount(lines.row, told[:, end] * (1 - told[:, end]), num_rows) + 1 / spread**2
            own[:, end] += slope / curve
    return own


def _surprise(base: Floats, lines: Lines, num_rows: int) -> Floats:
    """Return float64[B, 4], how much oftener than expected the shopper said small, fit, large, and log(1 + lines)."""
    small, large = shares(base).T
    count = np.bincount(lines.row, minlength=num_rows)
    over = [(lines.fit == c) - expected for c, expected in enumerate((small, 1 - small - large, large))]
    told = [np.bincount(lines.row, own, num_rows) / (count + _SURPRISE_PRIOR) for own in over]
    return np.column_stack([*told, np.log1p(count)])


def _sizes(size: Floats, lines: Lines) -> Floats:
    """Return float64[B, 7]: by verdict how far the size is above those of its lines (NaN without any) and the share of
    that verdict among lines of sizes near it; last, how far it is above all."""
    above = scaled(size)[lines.row] - scaled(lines.size)
    known = ~np.isnan(above)
    row, above, fit = lines.row[known], above[known], lines.fit[known]
    near = np.exp(-np.abs(above) / _NEAR)
    every = np.bincount(row, near, len(size)) + _NEAR_PRIOR
    columns: list[Floats] = []
    for verdict in range(len(FIT_CLASSES)):
        said = fit == verdict
        columns += [_mean(row, above, said, len(size)), np.bincount(row, near * said, len(size)) / every]
    return np.column_stack([*columns, _mean(row, above, np.ones(len(row), bool), len(size))])


def _mean(row: npt.NDArray[np.int64], values: Floats, chosen: npt.NDArray[np.bool_], num_rows: int) -> Floats:
    count = np.bincount(row[chosen], minlength=num_rows)
    total = np.bincount(row[chosen], values[chosen], num_rows)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)

"""Several sources as one: their rows joined, each drawn as often as its weight says, each scored on its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from tryon_core.batch import Column
from tryon_core.config import ModelConfig
from tryon_core.errors import ConfigError
from tryon_core.text import TextArrays

from .data.sim import SimConfig
from .rows import Array, Rows, halves
from .sources import SPLITS, Data, load_data

T = TypeVar("T")

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_SPEC = re.compile(
    rf"(?P<bare>[^:@=]+)[@=](?P<any>.*)|(?P<source>.+?)@(?P<weight>{_NUMBER})|(?P<file>[^?]+?\.[A-Za-z]\w*)=(?P<equals>{_NUMBER})"
)
_UNKNOWN = {"f": np.nan, "b": False, "U": ""}
"""By kind of array what stands for unknown; −1 in all others."""
_GROUPS = ("shopper", "pair")
"""Extras that number who or what a row belongs to, apart in every source."""


@dataclass(frozen=True)
class Weighted:
    """A source and how much of it an epoch sees."""

    spec: str
    """What `load_data` takes: a name, with an argument behind a colon."""
    weight: float = 1.0
    """Rows that an epoch draws, relative to the first source, all of whose rows it draws."""

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 100:
            raise ConfigError(f"expected the weight of {self.spec} over 0 and at most 100, got {self.weight:g}")


def weighted(text: str) -> Weighted:
    """Read ``NAME[:ARGUMENT][@WEIGHT]``; ``=WEIGHT`` serves as well behind a bare name or a file's extension.

    Raises:
        ConfigError: the weight is no number, or not in range.
    """
    found = _SPEC.fullmatch(text)
    if not found:
        return Weighted(text)
    spec = found["bare"] or found["source"] or found["file"]
    told = found["weight"] or found["equals"] or found["any"]
    try:
        return Weighted(spec, float(told))
    except ValueError:
        raise ConfigError(f"expected the weight of {spec} as a number, got {told!r}") from None


def load_mixed(sources: Sequence[Weighted], config: ModelConfig, options: SimConfig, splits: Sequence[str] = SPLITS) -> Data:
    """Return the sources' training rows as one; history and the rows to score on are the first one's.

    An epoch draws every training row of the first source once, and of each other source `weight / first weight` times as
    many rows, other ones each epoch; where that is more than the source has, all of them several times. The other
    sources' rows to score on are kept apart, as `Data.others`.

    Raises:
        ConfigError: a source is not known, or cannot be read.
    """
    first, *more = [load_data(source.spec, config, options, splits) for source in sources]
    if not more:
        return first
    joined = dict(first.splits)
    if "train" in joined:
        rows = [data.splits["train"] for data in (first, *more)]
        wanted = [len(rows[0]) * source.weight / sources[0].weight for source in sources]
        joined["train"] = join_rows(rows, [num / len(own) for num, own in zip(wanted, rows, strict=True)])
    others = {
        source.spec: data.splits["val"] for source, data in zip(sources[1:], more, strict=True) if "val" in data.splits
    }
    mixed = {source.spec: source.weight / sources[0].weight for source in sources[1:]}
    about = {**first.about, "mixed": " ".join(f"{spec}@{weight:g}" for spec, weight in mixed.items())}
    rejected = tuple(line for data in (first, *more) for line in data.rejected)
    return replace(first, splits=joined, others=others, mixed=mixed, about=about, rejected=rejected)


def calibration_rows(data: Data) -> Rows:
    """Return the rows that a mixture is calibrated on: the first source's, and of the others a share by their weights.

    The others may know what the first does not, such as bodies and photos, and are answered for as well.
    """
    val = data.splits["calibration"] if "calibration" in data.splits else halves(data.splits["val"])[0]
    if not data.others:
        return val
    rng = np.random.default_rng(0)
    wanted = {spec: round(data.mixed[spec] * len(val)) for spec in data.others}
    others = {spec: halves(rows)[0] for spec, rows in data.others.items()}
    chosen = [rows.take(np.sort(rng.permutation(len(rows))[: wanted[spec]])) for spec, rows in others.items()]
    return join_rows([val, *(rows for rows in chosen if len(rows))])


def calibrated_on(data: Data) -> str:
    """Return in words whose rows `calibration_rows` are, beside those that are scored."""
    if "calibration" in data.splits:
        return "other rows"
    val = data.splits["val"]
    return "the same rows" if halves(val)[1] is val else "other shoppers"


def join_rows(rows: Sequence[Rows], draws: Sequence[float] | None = None) -> Rows:
    """Return all rows as one set; a part, target or extra that some of them lack is missing or unknown there.

    Args:
        draws: how often an epoch is to draw each row of a set on average, as extra ``draws``.
    """
    sizes = [len(own) for own in rows]
    parts = {name: _joined(found, sizes) for name, found in _each(own.parts for own in rows)}
    targets = {name: _stacked(name, found, sizes) for name, found in _each(own.targets for own in rows)}
    extra = {name: _extra(name, found, sizes) for name, found in _each(own.extra for own in rows)}
    if draws is not None:
        extra["draws"] = np.repeat(np.asarray(draws, dtype=np.float64), sizes)
    return Rows(parts, targets, extra)


def _each(mappings: Iterable[Mapping[str, T]]) -> Iterator[tuple[str, list[T | None]]]:
    """Yield every name with what each mapping has under it, None where it has nothing."""
    listed = list(mappings)
    for name in dict.fromkeys(name for mapping in listed for name in mapping):
        yield name, [mapping.get(name) for mapping in listed]


def _joined(columns: Sequence[Column[Any] | None], sizes: Sequence[int]) -> Column[Any]:
    indexes, offset = [], 0
    for column, size in zip(columns, sizes, strict=True):
        own = np.full(size, -1, dtype=np.int64) if column is None else column.index
        indexes.append(np.where(own >= 0, own + offset, -1))
        offset += 0 if column is None else len(column.values)
    values = [column.values for column in columns if column is not None]
    texts = [own for own in values if isinstance(own, TextArrays)]
    return Column(_joined_texts(texts) if texts else np.concatenate(values), np.concatenate(indexes))


def _joined_texts(texts: Sequence[TextArrays]) -> TextArrays:
    longest = max(own.ids.shape[1] for own in texts)
    gaps = [longest - own.ids.shape[1] for own in texts]
    ids = [np.pad(own.ids, ((0, 0), (0, gap), (0, 0))) for own, gap in zip(texts, gaps, strict=True)]
    values = [np.pad(own.values, ((0, 0), (0, gap)), constant_values=np.nan) for own, gap in zip(texts, gaps, strict=True)]
    return TextArrays(np.concatenate(ids), np.concatenate(values), np.concatenate([own.lengths for own in texts]))


def _extra(name: str, arrays: Sequence[Array | None], sizes: Sequence[int]) -> Array:
    if name not in _GROUPS:
        return _stacked(name, arrays, sizes, absent=1.0 if name.startswith("weight_") else None)
    offset, found = 0, []
    for array, size in zip(arrays, sizes, strict=True):
        alone = np.arange(size) if name == "shopper" else np.full(size, -1)  # who is not told is nobody else
        own = alone if array is None else np.unique(array, return_inverse=True)[1] - int(np.any(array < 0))
        found.append(np.where(own >= 0, own + offset, -1))
        offset += int(own.max(initial=-1)) + 1
    return np.concatenate(found).astype(np.int64)


def _stacked(name: str, arrays: Sequence[Array | None], sizes: Sequence[int], *, absent: float | None = None) -> Array:
    """Return arrays as one; those missing are of what stands for unknown, see `_UNKNOWN`, unless told otherwise."""
    like = next(array for array in arrays if array is not None)
    shapes = {array.shape[1:] for array in arrays if array is not None}
    if len(shapes) > 1:
        raise ConfigError(f"expected {name} of one shape in all sources, got {sorted(shapes)}")
    unknown = absent if absent is not None else _UNKNOWN.get(like.dtype.kind, -1)
    filled = [
        np.full((size, *like.shape[1:]), unknown, dtype=like.dtype) if array is None else array
        for array, size in zip(arrays, sizes, strict=True)
    ]
    return np.concatenate(filled)

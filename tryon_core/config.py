"""What a model is made of, as frozen data that reads and writes JSON; it builds nothing and imports no torch."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .batch import Part, register_part
from .errors import ConfigError, expected_one_of

T = TypeVar("T")

IMAGE_ENCODERS = ("cnn", "mobilenet_v2", "resnet18", "vit_b_16")
POOLINGS = ("max", "average")
TEXT_ENCODERS = ("lstm", "gru", "transformer")
MAX_DEPTH = 1000
"""Layers of anything; building a wrong number of them would take for ever."""
FUSIONS = ("concat", "average", "weighted", "attention")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True, kw_only=True)
class ImageTower:
    """An encoder of masks, photos or garment images: uint8[H, W] or uint8[H, W, 3] to float32[embedding_dim]."""

    encoder: str
    height: int
    """Rows of the prepared image, pixels."""
    width: int
    channels: int = 3
    """1 for masks, 3 for RGB."""
    embedding_dim: int = 64
    stages: tuple[int, ...] = (16, 32, 64)
    """`cnn` only: output channels of each convolution + pooling stage."""
    places: tuple[int, int] = (4, 4)
    """`cnn` only: rows and columns of the grid of places over which features are averaged."""
    pooling: str = "max"
    """`cnn` only: ``max``, as published, or ``average``, which keeps how much of a place is covered."""
    stem_stride: int = 1
    """`cnn` only: stride of the first convolution; 2 costs a quarter."""
    depth: int = 12
    """`vit_b_16` only: transformer layers."""
    hidden_dim: int = 768
    """`vit_b_16` only: token width."""
    num_heads: int = 12
    denoise_sigma: float = 0.0
    """Gaussian blur before resizing, in pixels of the prepared image; 0 switches it off."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Per channel, of images scaled to [0, 1]; ImageNet's unless stated."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    type: str = "image"

    def __post_init__(self) -> None:
        _require(self.encoder in IMAGE_ENCODERS, expected_one_of("image encoder", self.encoder, IMAGE_ENCODERS))
        _require(self.channels in (1, 3), f"expected channels 1 or 3, got {self.channels}")
        _require(min(self.height, self.width) >= 16, f"expected at least 16 px, got {self.height} x {self.width}")
        _require(len(self.mean) == len(self.std) == self.channels, "expected one mean and one std per channel")
        _require(self.embedding_dim > 0, f"expected embedding_dim over 0, got {self.embedding_dim}")
        _require(0 < self.depth <= MAX_DEPTH, f"expected depth from 1 to {MAX_DEPTH}, got {self.depth}")
        _require(self.pooling in POOLINGS, expected_one_of("pooling", self.pooling, POOLINGS))
        grid = isinstance(self.places, tuple) and [type(number) for number in self.places] == [int, int]
        _require(grid and min(self.places) > 0, f"expected places as rows and columns over 0, got {self.places!r}")
        _require(self.denoise_sigma >= 0, f"expected denoise_sigma of at least 0, got {self.denoise_sigma}")


@dataclass(frozen=True, kw_only=True)
class TextTower:
    """An encoder of number-aware hashed words (see `words`): a text to float32[embedding_dim]."""

    encoder: str
    embedding_dim: int = 64
    rows: int = 65_536
    """Rows of the hashed word table; every token uses two."""
    width: int = 64
    """Channels of a token and of the recurrent state (per direction) or transformer layer."""
    depth: int = 1
    num_heads: int = 4
    """`transformer` only."""
    quantities: bool = False
    """Whether heights, weights and sizes also take a short way past the sequence model; see `quantities`."""
    max_tokens: int = 64
    dropout: float = 0.0
    type: str = "text"

    def __post_init__(self) -> None:
        _require(self.encoder in TEXT_ENCODERS, expected_one_of("text encoder", self.encoder, TEXT_ENCODERS))
        _require(self.rows >= 65_536, f"expected at least 65536 rows, got {self.rows}")
        _require(self.max_tokens >= 1, f"expected max_tokens of at least 1, got {self.max_tokens}")
        _require(min(self.width, self.depth, self.num_heads) > 0, "expected width, depth and num_heads over 0")
        _require(self.depth <= MAX_DEPTH, f"expected depth of at most {MAX_DEPTH}, got {self.depth}")
        _require(0 <= self.dropout < 1, f"expected dropout in [0, 1), got {self.dropout}")
        _require(self.width % self.num_heads == 0, f"expected width {self.width} divisible by {self.num_heads} heads")


@dataclass(frozen=True, kw_only=True)
class NumbersTower:
    """A small encoder of numbers with gaps: float32[width of the part], NaN where unknown, to float32[embedding_dim].

    It is cheap enough to run inside the fusion stage, so its parts never travel as embeddings.
    """

    embedding_dim: int = 64
    hidden: int = 64
    type: str = "numbers"

    def __post_init__(self) -> None:
        _require(min(self.embedding_dim, self.hidden) > 0, "expected embedding_dim and hidden over 0")


Tower = ImageTower | TextTower | NumbersTower
_TOWERS: dict[str, type[Tower]] = {"image": ImageTower, "text": TextTower, "numbers": NumbersTower}


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """How the embeddings of an example's parts become one."""

    kind: str = "concat"
    width: int = 128
    depth: int = 2
    """Residual layers behind the fusion itself."""
    num_heads: int = 4
    """`attention` only."""
    weights: Mapping[str, float] | None = None
    """`weighted` only: fixed weights by part name, each over 0; learnt where None. Renormalised over parts present."""
    interactions: bool = False
    """Whether products of the shopper's and the garment's parts join the fused; see `fusion.interactions`."""
    dropout: float = 0.0
    members: int = 1
    """Fusions of independent weights whose features are averaged; see `fusion.Members`."""

    def __post_init__(self) -> None:
        _require(self.kind in FUSIONS, expected_one_of("fusion", self.kind, FUSIONS))
        _require(min(self.width, self.num_heads) > 0, "expected width and num_heads over 0")
        whole = isinstance(self.members, int) and 1 <= self.members <= MAX_DEPTH
        _require(whole, f"expected members from 1 to {MAX_DEPTH}, got {self.members}")
        _require(0 <= self.depth <= MAX_DEPTH, f"expected depth from 0 to {MAX_DEPTH}, got {self.depth}")
        _require(0 <= self.dropout < 1, f"expected dropout in [0, 1), got {self.dropout}")
        _require(self.width % self.num_heads == 0, f"expected width {self.width} divisible by {self.num_heads} heads")
        _require(self.weights is None or self.kind == "weighted", f"fusion weights need kind weighted, got {self.kind}")
        given = {} if self.weights is None else self.weights
        _require(isinstance(given, Mapping) and all(w > 0 for w in given.values()), "expected every fusion weight over 0")


@dataclass(frozen=True, kw_only=True)
class OwnPart:
    """A part that only this model has, see `batch.Part`; it comes with the config, so that a checkpoint explains itself."""

    kind: str
    owner: str
    width: int = 0
    """Length of a numbers part."""

    def __post_init__(self) -> None:
        _require(self.kind in _TOWERS, expected_one_of("kind of part", self.kind, _TOWERS))
        owners = ("shopper", "garment", "pair")
        _require(self.owner in owners, expected_one_of("owner of a part", self.owner, owners))
        _require((self.width > 0) == (self.kind == "numbers"), f"expected a width of numbers only, got {self.width}")


@dataclass(frozen=True, kw_only=True)
class OwnTask:
    """A task that only this model has: one of several classes."""

    classes: tuple[str, ...]
    view: str = "garment"
    """What the task sees: the parts of the shopper, the garment, or the pair."""

    def __post_init__(self) -> None:
        views = ("shopper", "garment", "pair")
        _require(self.view in views, expected_one_of("view of a task", self.view, views))
        _require(len(set(self.classes)) == len(self.classes) >= 2, f"expected at least two classes, got {self.classes}")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A whole model: which parts it sees, through which towers, how they are fused, and for which tasks."""

    name: str
    parts: Mapping[str, str]
    """Part name (see `batch.PARTS`) to tower name; parts that name the same tower share its weights."""
    towers: Mapping[str, Tower]
    fusion: FusionConfig = field(default_factory=FusionConfig)
    tasks: Mapping[str, float] = field(default_factory=lambda: {"match": 1.0, "fit": 1.0, "body": 1.0, "category": 0.3})
    """Task name (see `tasks.TASKS`) to its weight in the training loss."""
    own_parts: Mapping[str, OwnPart] | None = None
    """Parts that are not in the contract, which `register_parts` adds."""
    own_tasks: Mapping[str, OwnTask] | None = None
    """Tasks that are not in the table, which the model adds as it is built."""

    def __post_init__(self) -> None:
        _require(isinstance(self.parts, Mapping) and bool(self.parts), "expected parts as an object of at least one")
        _require(isinstance(self.tasks, Mapping) and bool(self.tasks), "expected tasks as an object of at least one")
        for tower in self.towers:
            _require(
                re.fullmatch(r"\w+", tower) is not None, f"expected a tower's name of letters and digits, got {tower!r}"
            )
        for part, tower in self.parts.items():
            _require(tower in self.towers, expected_one_of(f"tower of part {part!r}", tower, self.towers))
        for tower in self.towers:
            _require(tower in self.parts.values(), f"expected a part that uses tower {tower!r}, got none")
        if self.fusion.weights is not None:
            missing = set(self.parts) ^ set(self.fusion.weights)
            _require(not missing, f"expected a fusion weight for each part and no other, differing: {sorted(missing)}")

    def register_parts(self) -> None:
        """Add the parts of one's own to the contract of this process.

        Raises:
            ConfigError: the contract has another part of that name.
        """
        for name, own in (self.own_parts or {}).items():
            register_part(Part(name, own.kind, own.owner, own.width))  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data that `from_json` reads back to an equal config."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelConfig:
        """Build a config from plain JSON data.

        Raises:
            ConfigError: a key is unknown or missing, or a value is out of range.
        """
        _require(isinstance(data, Mapping), "expected a model config as an object")
        data = dict(data)
        towers = data.pop("towers", {})
        fusion = data.pop("fusion", {})
        _require(isinstance(towers, Mapping) and isinstance(fusion, Mapping), "expected towers and fusion as objects")
        for key, kind in (("own_parts", OwnPart), ("own_tasks", OwnTask)):
            if data.get(key) is not None:
                _require(isinstance(data[key], Mapping), f"expected {key} as an object")
                data[key] = {name: _build(kind, own) for name, own in data[key].items()}
        return _build(cls, data, towers={n: _tower(n, t) for n, t in towers.items()}, fusion=_build(FusionConfig, fusion))


def _tower(name: str, data: Mapping[str, Any]) -> Tower:
    kind = data.get("type") if isinstance(data, Mapping) else data
    if not isinstance(data, Mapping) or not isinstance(kind, str) or kind not in _TOWERS:
        raise ConfigError(expected_one_of(f"type of tower {name!r}", kind, _TOWERS))
    return _build(_TOWERS[kind], data)


def _build(cls: type[T], data: Mapping[str, Any], **more: Any) -> T:
    names = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in data:
        if key not in names:
            raise ConfigError(expected_one_of(f"a key of {cls.__name__}", key, names))
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    try:
        return cls(**values, **more)
    except TypeError as err:
        raise ConfigError(f"expected a complete {cls.__name__}, got keys {sorted(data)}: {err}") from err

"""How a model is fitted, as frozen data; what is fitted is a `tryon_core.config.ModelConfig` inside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tryon_core.augment import Augmentation
from tryon_core.config import ImageTower, ModelConfig, TextTower, Tower
from tryon_core.errors import ConfigError, expected_one_of

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("cosine", "constant")


def _missing() -> dict[str, float]:
    return {
        "person_mask": 0.25,
        "photo": 0.1,
        "shopper_words": 0.1,
        "garment_image": 0.15,
        "garment_words": 0.15,
        "size": 0.05,
        "history": 0.25,
    }


def _augmentation() -> dict[str, Augmentation]:
    figure = Augmentation(rotation_deg=3, flip=True)
    return {"person_mask": figure, "photo": figure, "garment_image": Augmentation(crop=0.1, rotation_deg=5, flip=True)}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that a run's weights depend on besides its data."""

    model: ModelConfig
    epochs: int = 6
    batch_size: int = 256
    """Rows of a step over all workers together."""
    run_length: int = 8
    """Rows of one shopper that are seen together; more are faster, since what they share is encoded once."""
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    table_rate: float = 10.0
    """Learning rate of word tables, as a multiple of that of all other weights."""
    weight_decay: float = 0.01
    momentum: float = 0.9
    """`sgd` only."""
    schedule: str = "cosine"
    """How the learning rate goes down behind the warm-up: cosine to zero, or constant."""
    warmup_share: float = 0.05
    """Share of all steps in which the learning rate rises linearly to its value."""
    grad_clip: float = 1.0
    """Largest norm of the gradient of all weights together."""
    seed: int = 0
    num_workers: int = 1
    use_gpu: bool = False
    missing: Mapping[str, float] = field(default_factory=_missing)
    """Part name to the share of rows that lack it in training, so that the model learns to do without."""
    chart_missing: float = 0.15
    """Share of sizes that are seen without their chart, by their label alone."""
    word_missing: float = 0.05
    """Share of the words that are left out of each text."""
    augmentation: Mapping[str, Augmentation] = field(default_factory=_augmentation)
    """Image part to how far its images are moved."""
    init: str = ""
    """A checkpoint folder or URL whose weights fitting starts from; new ones where empty. See `warm.warm_start`."""
    pair_weight: float = 0.3
    """Weight in the loss of pairs: rows of which one is preferred to others; see `pairs.pair_losses`."""

    def __post_init__(self) -> None:
        _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        _check_choice("schedule", self.schedule, SCHEDULES)
        for name in ("epochs", "batch_size", "run_length", "num_workers", "learning_rate", "table_rate", "grad_clip"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"expected {name} over 0, got {getattr(self, name)}")
        if self.batch_size < self.num_workers:
            raise ConfigError(f"expected a batch of at least a row per worker, got {self.batch_size}")
        if self.seed < 0 or min(self.weight_decay, self.pair_weight) < 0 or not 0 <= self.momentum < 1:
            raise ConfigError("expected seed, weight_decay and pair_weight of at least 0 and momentum in [0, 1)")
        shares = {**self.missing, "chart": self.chart_missing, "word": self.word_missing, "warmup": self.warmup_share}
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise ConfigError(f"expected the share of {name} in [0, 1), got {share}")


def with_choices(
    model: ModelConfig, *, image_encoder: str | None = None, text_encoder: str | None = None, fusion: str | None = None
) -> ModelConfig:
    """Return a model config whose towers and fusion are of the named kinds; None leaves them as they are.

    Raises:
        ConfigError: no encoder or fusion has that name.
    """

    def chosen(tower: Tower) -> Tower:
        if isinstance(tower, ImageTower):
            return replace(tower, encoder=image_encoder or tower.encoder)
        return replace(tower, encoder=text_encoder or tower.encoder) if isinstance(tower, TextTower) else tower

    towers = {name: chosen(tower) for name, tower in model.towers.items()}
    return replace(model, towers=towers, fusion=replace(model.fusion, kind=fusion or model.fusion.kind))


def _check_choice(what: str, got: str, choices: tuple[str, ...]) -> None:
    if got not in choices:
        raise ConfigError(expected_one_of(what, got, choices))

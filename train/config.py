"""How a model is fitted, as frozen data; what is fitted is a `tryon_core.config.ModelConfig` inside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from tryon_core.augment import Augmentation
from tryon_core.config import ImageTower, ModelConfig, TextTower
from tryon_core.errors import ConfigError, expected_one_of

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("cosine", "constant")

_PHASES = {"batch_size": "epochs", "looks_batch_size": "looks_epochs", "body_batch_size": "body_epochs"}
"""What a batch's size is called to how many epochs it is of."""

_OVER_ZERO = (
    *("epochs", "batch_size", "looks_batch_size", "body_batch_size", "run_length", "num_workers"),
    *("learning_rate", "looks_rate", "body_rate", "table_rate", "backbone_rate", "grad_clip"),
)


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
    return {
        "person_mask": Augmentation(rotation_deg=1, flip=True),
        "photo": Augmentation(rotation_deg=3, flip=True),
        "garment_image": Augmentation(crop=0.1, rotation_deg=5, flip=True),
    }


def _looks_augmentation() -> Augmentation:
    return Augmentation(crop=0.4, rotation_deg=10, flip=True, light=0.2)


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
    pretrained: str = ""
    """What backbones of RGB images start from, see `backbones.load_backbones`; empty for nothing."""
    backbone_rate: float = 1.0
    """Learning rate of image backbones, as a multiple of that of all other weights."""
    frozen: tuple[str, ...] = ()
    """Image parts whose tower keeps its weights; each of their distinct images is encoded once, as it is, not moved."""
    looks_epochs: int = 0
    """Epochs, before all others, over distinct garment images; see `looks`. Their tower may be `frozen` then."""
    looks_batch_size: int = 32
    looks_rate: float = 1e-3
    """Learning rate of those epochs."""
    looks_augmentation: Augmentation = field(default_factory=_looks_augmentation)
    """How far garment images are moved in them."""
    body_epochs: int = 0
    """Epochs, before those over orders, over distinct shoppers; see `shapes`. Their images' tower may be `frozen` then."""
    body_batch_size: int = 64
    body_rate: float = 3e-3
    """Learning rate of those epochs."""
    init: str = ""
    """A checkpoint folder or URL whose weights fitting starts from; new ones where empty. See `warm.warm_start`."""
    pair_weight: float = 0.3
    """Weight in the loss of pairs: rows of which one is preferred to others; see `pairs.pair_losses`."""

    def __post_init__(self) -> None:
        _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        _check_choice("schedule", self.schedule, SCHEDULES)
        for name in _OVER_ZERO:
            if not getattr(self, name) > 0:
                raise ConfigError(f"expected {name} over 0, got {getattr(self, name)}")
        for name, epochs in _PHASES.items():
            if getattr(self, epochs) > 0 and getattr(self, name) < self.num_workers:
                raise ConfigError(
                    f"expected {name} of at least a row per worker, {self.num_workers}, got {getattr(self, name)}"
                )
        if self.init and self.pretrained:
            raise ConfigError(f"expected init or pretrained, got both: {self.init} has backbones of its own")
        _check_frozen(self.model, self.frozen)
        if self.body_epochs > 0 and "body" not in self.model.tasks:
            raise ConfigError(
                f"expected a model with task body to learn bodies first, got one of {', '.join(self.model.tasks)}"
            )
        for name in ("looks_epochs", "body_epochs", "seed", "weight_decay", "pair_weight"):
            if getattr(self, name) < 0:
                raise ConfigError(f"expected {name} of at least 0, got {getattr(self, name)}")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"expected momentum in [0, 1), got {self.momentum}")
        shares = {**self.missing, "chart": self.chart_missing, "word": self.word_missing, "warmup": self.warmup_share}
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise ConfigError(f"expected the share of {name} in [0, 1), got {share}")


def phase_of(config: TrainConfig, *, epochs: int, batch_size: int, learning_rate: float) -> TrainConfig:
    """Return how a phase before the orders is fitted: alone, each row for itself, and with all that learns in it."""
    own = replace(config, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    return replace(own, run_length=1, looks_epochs=0, body_epochs=0, frozen=())


def with_choices(
    model: ModelConfig,
    *,
    image_encoder: str | None = None,
    image_size: str | None = None,
    denoise_sigma: str | None = None,
    text_encoder: str | None = None,
    fusion: str | None = None,
) -> ModelConfig:
    """Return a model config whose towers and fusion are as told; None leaves them as they are.

    Args:
        image_encoder: of every image tower, or of one: ``TOWER=ENCODER``.
        image_size: rows of the prepared image, in px, to which columns keep their proportion; ``TOWER=PX`` likewise.
        denoise_sigma: px of the prepared image; ``TOWER=PX`` likewise.

    Raises:
        ConfigError: no tower, encoder or fusion has that name, or a number is none or out of range.
    """
    told = {"encoder": image_encoder, "height": image_size, "denoise_sigma": denoise_sigma}
    towers = dict(model.towers)
    for key, choice in told.items():
        only, _, value = (choice or "").rpartition("=")
        images = {name: tower for name, tower in towers.items() if isinstance(tower, ImageTower)}
        if only and only not in images:
            raise ConfigError(expected_one_of("image tower", only, images))
        if choice is not None:
            towers |= {name: _changed(tower, key, value) for name, tower in images.items() if only in ("", name)}
    if text_encoder is not None:
        texts = {name: tower for name, tower in towers.items() if isinstance(tower, TextTower)}
        towers |= {name: replace(tower, encoder=text_encoder) for name, tower in texts.items()}
    return replace(model, towers=towers, fusion=replace(model.fusion, kind=fusion or model.fusion.kind))


def _changed(tower: ImageTower, key: str, value: str) -> ImageTower:
    try:
        if key == "height":
            return replace(tower, height=int(value), width=round(int(value) * tower.width / tower.height))
        return replace(tower, encoder=value) if key == "encoder" else replace(tower, denoise_sigma=float(value))
    except ValueError as err:
        raise ConfigError(f"expected {key} of an image tower as a number, got {value!r}") from err


def _check_frozen(model: ModelConfig, frozen: Collection[str]) -> None:
    """A tower is frozen for all of its parts or for none."""
    for part in frozen:
        tower = model.parts.get(part)
        if not isinstance(model.towers.get(tower or ""), ImageTower):
            images = [name for name, own in model.parts.items() if isinstance(model.towers[own], ImageTower)]
            raise ConfigError(expected_one_of("frozen image part", part, images))
        learning = [name for name, own in model.parts.items() if own == tower and name not in frozen]
        if learning:
            raise ConfigError(f"expected {', '.join(learning)} to be frozen with {part}, whose tower it shares")


def _check_choice(what: str, got: str, choices: tuple[str, ...]) -> None:
    if got not in choices:
        raise ConfigError(expected_one_of(what, got, choices))

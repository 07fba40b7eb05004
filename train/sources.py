"""Data by name: where the rows of a fit or an evaluation come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tryon_core.config import ModelConfig
from tryon_core.errors import ConfigError, expected_one_of
from tryon_core.history import History

from .config import TrainConfig
from .data.sim import SimConfig
from .rows import Rows

SPLITS = ("train", "val")
"""Of different people: to fit on, and to calibrate and score on."""


@dataclass(frozen=True)
class Data:
    """Rows by split, and what their events say of garments."""

    splits: Mapping[str, Rows]
    history: History
    """Of all events, as serving starts from it."""
    day: float
    """The last event's, in the history's own days."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What it takes to have the same data again, as JSON."""


def load_data(spec: str, config: ModelConfig, options: SimConfig, splits: Sequence[str] = SPLITS) -> Data:
    """Return the rows of a source, with the parts that the model uses.

    Args:
        spec: a source's name, with an argument behind a colon where it takes one.
        options: how much is drawn by a source that draws; others look at none of it.
        splits: which to build; see `SPLITS`.

    Raises:
        ConfigError: no source or split has that name.
    """
    name, _, argument = spec.partition(":")
    if name not in SOURCES:
        raise ConfigError(expected_one_of("data source", name, SOURCES))
    for split in splits:
        if split not in SPLITS:
            raise ConfigError(expected_one_of("split", split, SPLITS))
    return SOURCES[name](config, argument, options, splits)


def config_for(spec: str, config: TrainConfig) -> TrainConfig:
    """Return a config as a source needs it; see `SETTINGS`."""
    settle = SETTINGS.get(spec.partition(":")[0])
    return settle(config) if settle else config


def _sim(config: ModelConfig, argument: str, options: SimConfig, splits: Sequence[str]) -> Data:
    from .sim_rows import sim_data

    if argument:
        raise ConfigError(f"expected source sim without an argument, got {argument!r}")
    return sim_data(config, options, splits)


Build = Callable[[ModelConfig, str, SimConfig, Sequence[str]], Data]
"""From the model, the argument behind the source's name, what a drawing source draws, and the splits wanted."""


def _rtr(config: ModelConfig, argument: str, options: SimConfig, splits: Sequence[str]) -> Data:
    from .rtr_rows import rtr_data

    return rtr_data(config, argument, options, splits)


def _rtr_config(config: TrainConfig) -> TrainConfig:
    from .rtr_rows import rtr_config

    return rtr_config(config)


SOURCES: dict[str, Build] = {"sim": _sim, "rtr": _rtr}

SETTINGS: dict[str, Callable[[TrainConfig], TrainConfig]] = {"rtr": _rtr_config}
"""What a source changes in a config: parts and tasks that it knows nothing of are left out, and how it is best fitted."""

"""Data by name: where the rows of a fit or an evaluation come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tryon_core.config import ModelConfig
from tryon_core.errors import ConfigError, expected_one_of
from tryon_core.history import History

from .config import TrainConfig
from .data.rejects import Rejected
from .data.sim import SimConfig
from .offered import Offered
from .rows import Rows

SPLITS = ("train", "val")
"""Of different people: to fit on, and to calibrate and score on."""


@dataclass(frozen=True)
class Data:
    """Rows by split, and what their events say of garments."""

    splits: Mapping[str, Rows]
    """See `SPLITS`; a source may have ``calibration`` as well, rows of which nobody is fitted on or scored."""
    history: History
    """Of all events, as serving starts from it."""
    day: float
    """The last event's, in the history's own days."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What it takes to have the same data again, as JSON."""
    offered: Mapping[str, Offered] = field(default_factory=dict)
    """By split, all sizes of the garments of its orders that fitted and were kept; empty where a source cannot tell."""
    others: Mapping[str, Rows] = field(default_factory=dict)
    """Rows to score on of the other sources of a mixture, by what names each; see `mix.load_mixed`."""
    mixed: Mapping[str, float] = field(default_factory=dict)
    """The other sources' weights relative to this one's."""
    rejected: Sequence[Rejected] = ()
    """Lines of a file that were left out, or not read whole, each with why."""


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


def adapted(spec: str, config: ModelConfig) -> ModelConfig:
    """Return a model's config as a source would have it: with parts and tasks that only its data have.

    Raises:
        ConfigError: what tells of them does not read.
    """
    name, _, argument = spec.partition(":")
    return MODELS[name](config, argument) if name in MODELS else config


def config_for(spec: str, config: TrainConfig) -> TrainConfig:
    """Return a config as a source needs it that is alone; see `SETTINGS`."""
    settle = SETTINGS.get(spec.partition(":")[0])
    return settle(config) if settle else config


def config_of(specs: Sequence[str], config: TrainConfig) -> TrainConfig:
    """Return a config as the first of some sources needs it, see `SETTINGS`, with all that it had for the others.

    A mixture is settled as its first source is, whose history it keeps; parts and tasks that this source knows nothing of
    stay, since others may.
    """
    settled = config_for(specs[0], config)
    return settled if len(specs) == 1 else _with_all_of(config, settled)


def _with_all_of(config: TrainConfig, settled: TrainConfig) -> TrainConfig:
    """Return a settled config that has the parts and tasks of the one before it as well."""
    before, after = config.model, settled.model
    parts, towers = {**before.parts, **after.parts}, {**before.towers, **after.towers}
    model = replace(after, parts=parts, towers=towers, tasks={**before.tasks, **after.tasks})
    return replace(settled, model=model, missing={**config.missing, **settled.missing})


def _sim(config: ModelConfig, argument: str, options: SimConfig, splits: Sequence[str]) -> Data:
    from .sim_rows import sim_data

    if argument:
        raise ConfigError(f"expected source sim without an argument, got {argument!r}")
    return sim_data(config, options, splits)


def _garments(config: ModelConfig, argument: str, options: SimConfig, splits: Sequence[str]) -> Data:
    from .garment_rows import garments_data

    return garments_data(config, argument, options, splits)


def _table(config: ModelConfig, argument: str, options: SimConfig, splits: Sequence[str]) -> Data:
    from .table_rows import table_data

    return table_data(config, argument, options, splits)


def _table_model(config: ModelConfig, argument: str) -> ModelConfig:
    from .table_rows import table_model

    return table_model(config, argument)


def _rtr(config: ModelConfig, argument: str, options: SimConfig, splits: Sequence[str]) -> Data:
    from .rtr_rows import rtr_data

    return rtr_data(config, argument, options, splits)


def _rtr_config(config: TrainConfig) -> TrainConfig:
    from .rtr_rows import rtr_config

    return rtr_config(config)


Build = Callable[[ModelConfig, str, SimConfig, Sequence[str]], Data]
"""From the model, the argument behind the source's name, what a drawing source draws, and the splits wanted."""

SOURCES: dict[str, Build] = {
    "sim": _sim,
    "rtr": _rtr,
    "garments": _garments,
    "table": _table,
}
MODELS: dict[str, Callable[[ModelConfig, str], ModelConfig]] = {"table": _table_model}
"""How sources that may bring parts and tasks of their own change a model."""
SETTINGS: dict[str, Callable[[TrainConfig], TrainConfig]] = {"rtr": _rtr_config}
"""What a source that is alone, or first, changes in a config: parts and tasks that only it knows of come in, those that it
knows nothing of are left out where no other source follows, and it is fitted as is best for it."""

"""What a checkpoint folder says of itself, without its weights: the part of a checkpoint that needs no torch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import fsspec

from .config import ModelConfig
from .errors import CheckpointError, ConfigError
from .fingerprint import VERSIONS, emphasised_fingerprint
from .history import History, HistoryConfig, Key
from .record import Effects

FORMAT = 1
CONFIG_FILE, WEIGHTS_FILE, HISTORY_FILE, CARD_FILE = (
    "config.json",
    "model.safetensors",
    "history.parquet",
    "MODEL_CARD.md",
)


@dataclass(frozen=True)
class Manifest:
    """The contents of config.json."""

    config: ModelConfig
    fingerprint: str
    """Of the whole model: weights, config, preprocessing, calibration."""
    towers: Mapping[str, str]
    """Tower name to that encoder's own fingerprint."""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    """`temperature`: task name to the divisor of its logits; `body_half_width`: see `half_widths`."""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """What the model scored, on what, when it was made."""

    def temperature(self, task: str) -> float:
        """Return the divisor of a task's logits, 1 where it was not calibrated."""
        return float(self.calibration.get("temperature", {}).get(task, 1.0))

    def half_widths(self, parts: Collection[str]) -> dict[str, float]:
        """Return half of the interval around each measurement that holds 80 % of people, cm or kg; empty where not told.

        Args:
            parts: what is known of the shopper, by the names of its parts.
        """
        seen = any(part != "shopper_words" for part in parts)
        known = ("nothing", "words", "photo", "both")[("shopper_words" in parts) + 2 * seen]
        return dict(self.calibration.get("body_half_width", {}).get(known, {}))

    def emphasised(self, weights: Mapping[str, float]) -> Manifest:
        """Return the manifest of the model whose parts weigh otherwise: of other answers, so of another name."""
        return dataclasses.replace(self, fingerprint=emphasised_fingerprint(self.fingerprint, weights))

    def to_json(self) -> dict[str, Any]:
        """Return config.json's content."""
        return {
            "format": FORMAT,
            "versions": VERSIONS,
            "model": self.config.to_json(),
            "calibration": dict(self.calibration),
            "metrics": dict(self.metrics),
            "fingerprints": {"model": self.fingerprint, "towers": dict(self.towers)},
        }


def read_manifest(url: str) -> Manifest:
    """Read a checkpoint folder's config.json.

    Args:
        url: a path or any fsspec URL.

    Raises:
        CheckpointError: the folder or file is missing or damaged, or of another format.
    """
    try:
        with fsspec.open(join(url, CONFIG_FILE), "rb") as file:
            data = json.load(file)
        if data["format"] != FORMAT:
            raise CheckpointError(f"expected checkpoint format {FORMAT}, got {data['format']!r} in {url}")
        if data["versions"] != VERSIONS:
            made = f"made under {data['versions']}, in {url}"
            raise CheckpointError(f"expected a checkpoint made under {VERSIONS}, got one {made}: fit it again")
        config = ModelConfig.from_json(data["model"])
        config.register_parts()
        prints = data["fingerprints"]
        return Manifest(config, prints["model"], prints["towers"], data["calibration"], data.get("metrics", {}))
    except FileNotFoundError as err:
        raise CheckpointError(f"expected a checkpoint folder with {CONFIG_FILE}, got nothing at {url}") from err
    except (OSError, ImportError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError) as err:
        why = " ".join(str(err).split())
        raise CheckpointError(f"expected a whole {CONFIG_FILE} in {url}, got one that does not read: {why}") from err


def read_history(url: str) -> tuple[History, float] | None:
    """Read the fit history that fitting left in a checkpoint folder, and its day; None where there is none.

    Raises:
        CheckpointError: the file is damaged.
    """
    from pyarrow import parquet

    try:
        with fsspec.open(join(url, HISTORY_FILE), "rb") as file:
            table = parquet.read_table(file, use_threads=False, pre_buffer=False)
        meta = json.loads(table.schema.metadata[b"tryon"])
        rows = table.to_pylist()
        counts: list[tuple[Key, Any]] = [(_key(row), (row["small"], row["fit"], row["large"])) for row in rows]
        day = float(meta["day"])
        effects = _effects(meta["effects"], rows) if "effects" in meta else None
        return History.from_rows(counts, day, HistoryConfig(**_tuples(meta["config"])), effects), day
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError, ConfigError) as err:
        why = " ".join(str(err).split())
        raise CheckpointError(f"expected a whole {HISTORY_FILE} in {url}, got one that does not read: {why}") from err


def join(url: str, name: str) -> str:
    """Return a file's URL inside a folder's."""
    return f"{url.rstrip('/')}/{name}"


def _key(row: Mapping[str, Any]) -> Key:
    return ("garment", row["garment"]) if row["size"] is None else ("garment_size", row["garment"], row["size"])


def _effects(data: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Effects:
    return Effects.from_json(data, {_key(row)[1:]: (row["small_effect"], row["large_effect"]) for row in rows})


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}

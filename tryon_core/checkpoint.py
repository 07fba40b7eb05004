"""Checkpoint folders: written whole or not at all, read with every check; safetensors only, nothing is unpickled."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import fsspec
import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as dump_safetensors

from .config import ModelConfig
from .errors import CheckpointError, ConfigError
from .fingerprint import model_fingerprint, tower_fingerprint
from .history import History
from .manifest import CARD_FILE, CONFIG_FILE, HISTORY_FILE, WEIGHTS_FILE, Manifest, join, read_manifest
from .model import Model

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """A model in evaluation mode with what its folder says of it."""

    model: Model
    manifest: Manifest

    def emphasised(self, weights: Mapping[str, float]) -> Checkpoint:
        """Return the checkpoint with factors on the weights that parts have in fusion; the model is changed in place.

        Raises:
            ConfigError: the kind of fusion weighs no parts, or no part that is fused has that name.
        """
        if weights:
            self.model.emphasise(weights)
        return Checkpoint(self.model, self.manifest.emphasised(weights))


def load_checkpoint(url: str, device: str = "cpu") -> Checkpoint:
    """Read a checkpoint folder from a path or fsspec URL.

    Raises:
        CheckpointError: a file is missing or damaged, weights and config do not fit, or a fingerprint is wrong.
    """
    manifest = read_manifest(url)
    try:
        with fsspec.open(join(url, WEIGHTS_FILE), "rb") as file:
            arrays: Arrays = parse_safetensors(file.read())
    except FileNotFoundError as err:
        raise CheckpointError(f"expected {WEIGHTS_FILE} in {url}, got none") from err
    except (OSError, ImportError, SafetensorError, KeyError) as err:  # KeyError: a number format that numpy lacks
        raise CheckpointError(f"expected a whole {WEIGHTS_FILE} in {url}, got one that does not read: {err}") from err
    with torch.device("meta"):  # a wrong size in the config costs no memory before it is told
        planned = _built(manifest.config, url)
    _check_fit(planned.state_dict(), arrays, url)
    model = _built(manifest.config, url)
    if describe(manifest.config, arrays, manifest.calibration, manifest.metrics) != manifest:
        raise CheckpointError(
            f"expected the fingerprints in {CONFIG_FILE} to be those of the weights, in {url} they are not"
        )
    state = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    model.load_state_dict({name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()})
    return Checkpoint(model.eval().to(device), manifest)


def save_checkpoint(
    url: str, model: Model, *, calibration: Mapping[str, Any], metrics: Mapping[str, Any], card: str
) -> Manifest:
    """Write a checkpoint folder; config.json comes last, so that a folder without it is no checkpoint.

    Matrices are kept in half precision, vectors (biases, statistics) in single.

    Raises:
        CheckpointError: a weight is not finite, or too large for half precision.
    """
    arrays = {name: _packed(name, tensor) for name, tensor in model.state_dict().items()}
    manifest = describe(model.config, arrays, calibration, metrics)
    files, folder = fsspec.core.url_to_fs(url)
    files.makedirs(folder, exist_ok=True)
    for name, content in (
        (WEIGHTS_FILE, dump_safetensors(arrays)),
        (CARD_FILE, card.encode()),
        (CONFIG_FILE, json.dumps(manifest.to_json(), indent=1).encode()),
    ):
        _write(files, folder, name, content)
    return manifest


def save_history(url: str, history: History, day: float) -> None:
    """Write a history's counts of garments, as of a day, into a checkpoint folder; shoppers are left out."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = history.rows(day)
    columns: dict[str, list[Any]] = {
        "garment": [key[1] for key, _ in rows],
        "size": [key[2] if len(key) > 2 else None for key, _ in rows],
    }
    columns |= {name: [float(counts[i]) for _, counts in rows] for i, name in enumerate(("small", "fit", "large"))}
    about: dict[str, Any] = {"day": day, "config": dataclasses.asdict(history.config)}
    if history.effects is not None:
        effects = [history.effects.garments.get(key[1:], (0.0, 0.0)) for key, _ in rows]
        columns |= {f"{end}_effect": [effect[i] for effect in effects] for i, end in enumerate(("small", "large"))}
        about["effects"] = history.effects.to_json()
    kinds = [pa.string(), pa.string(), *[pa.float32()] * (len(columns) - 2)]
    meta = {"tryon": json.dumps(about)}
    schema = pa.schema(list(zip(columns, kinds, strict=True)), metadata=meta)
    content = io.BytesIO()
    parquet.write_table(pa.table(columns, schema=schema), content, compression="zstd")
    files, folder = fsspec.core.url_to_fs(url)
    files.makedirs(folder, exist_ok=True)
    _write(files, folder, HISTORY_FILE, content.getvalue())


def describe(config: ModelConfig, arrays: Arrays, calibration: Mapping[str, Any], metrics: Mapping[str, Any]) -> Manifest:
    """Return the manifest of weights as they are stored."""
    towers = {tower: tower_fingerprint(config, tower, arrays) for tower in config.towers}
    return Manifest(config, model_fingerprint(config, arrays, calibration), towers, calibration, metrics)


def _write(files: Any, folder: str, name: str, content: bytes) -> None:
    """Put a file into a folder at once: it is there whole, or not at all."""
    partial = join(folder, f".{name}.partial")
    files.pipe_file(partial, content)
    files.mv(partial, join(folder, name))


def as_stored(model: Model) -> None:
    """Round a model's weights in place to what `save_checkpoint` keeps of them, so that it scores as it will when loaded."""
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if _halved(tensor):
                tensor.copy_(tensor.half())


def _halved(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() and tensor.ndim > 1


def _packed(name: str, tensor: torch.Tensor) -> npt.NDArray[Any]:
    array = np.asarray((tensor.detach().half() if _halved(tensor) else tensor.detach()).cpu().numpy(), order="C")
    if not np.isfinite(array).all():
        raise CheckpointError(f"expected finite weights, got {name} with some that are not, or are too large for float16")
    return array


def _built(config: ModelConfig, url: str) -> Model:
    try:
        return Model(config)
    except (ConfigError, TypeError, ValueError, RuntimeError, AssertionError) as err:  # torch's own, of a wrong number
        why = str(err).splitlines()[0]
        raise CheckpointError(f"expected a model in {CONFIG_FILE} in {url} that can be built: {why}") from err


def _check_fit(expected: Mapping[str, torch.Tensor], arrays: Arrays, url: str) -> None:
    for name in sorted(expected.keys() | arrays.keys()):
        want = tuple(expected[name].shape) if name in expected else None
        have = tuple(arrays[name].shape) if name in arrays else None
        if want != have:
            raise CheckpointError(f"expected weights that fit {CONFIG_FILE} in {url}: {name} is {have}, not {want}")

"""Scores a model on rows: per task, and for shoppers of whom only photo, only words or neither is known.

It encodes each distinct value once, as serving does, and only the fusion runs per row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tryon_core.batch import FIT_CLASSES, LOOK_TASKS, MEASUREMENTS, PARTS, Column
from tryon_core.config import ModelConfig
from tryon_core.model import Model
from tryon_core.tasks import TASKS

from .rows import Array, Rows
from .scores import absolute_errors, binary_scores, class_scores, prior_nll

CHUNK = 1024
"""Values encoded, and rows fused, at once."""
NO_TEMPERATURES: Mapping[str, float] = {}


def evaluate(model: Model, rows: Rows, temperatures: Mapping[str, float] = NO_TEMPERATURES) -> dict[str, Any]:
    """Return the scores of every task, and of each task by what is known of the shopper."""
    embedded = embed(model, rows)
    result = score(fuse(model, embedded, rows), rows, temperatures)
    result["by_parts"] = {
        name: _headline(score(fuse(model, embedded, rows.without(gone)), rows, temperatures))
        for name, gone in part_sets(model.config).items()
    }
    return result


def part_sets(config: ModelConfig) -> dict[str, tuple[str, ...]]:
    """Return what a service may know of a shopper: a name to the parts that are missing then."""
    own = [name for name in config.parts if PARTS[name].owner == "shopper"]
    images = tuple(name for name in own if PARTS[name].kind == "image")
    words = tuple(name for name in own if PARTS[name].kind == "text")
    return {"both": (), "words": images, "photo": words, "nothing": images + words}


@torch.inference_mode()
def embed(model: Model, rows: Rows) -> dict[str, Tensor]:
    """Return float32[U, dim] for every part that model and rows have, in evaluation mode."""
    model.eval()
    return {part: _encoded(model, part, rows) for part in model.config.parts if _num_values(rows, part)}


@torch.inference_mode()
def fuse(model: Model, embedded: Mapping[str, Tensor], rows: Rows) -> dict[str, Array]:
    """Return each task's raw outputs, float32[N, num_outputs], for rows whose values `embed` has seen."""
    model.eval()
    chunks = [_fused(model, embedded, rows, slice(start, start + CHUNK)) for start in range(0, len(rows), CHUNK)]
    return {task: np.concatenate([chunk[task] for chunk in chunks]) for task in model.config.tasks}


def raw_outputs(model: Model, rows: Rows) -> dict[str, Array]:
    """Return each task's raw outputs, float32[N, num_outputs]."""
    return fuse(model, embed(model, rows), rows)


def score(outputs: Mapping[str, Array], rows: Rows, temperatures: Mapping[str, float] = NO_TEMPERATURES) -> dict[str, Any]:
    """Return task name to its scores, from raw outputs; tasks without any known target are left out."""
    result: dict[str, Any] = {}
    for task, raw in outputs.items():
        target = rows.targets[task]
        known = ~np.isnan(target).reshape(len(rows), -1).all(axis=1) if target.dtype.kind == "f" else target >= 0
        if known.any():
            predicted = TASKS[task].predict(torch.from_numpy(raw[known]), temperatures.get(task, 1.0)).numpy()
            oracle = rows.extra.get(f"oracle_{task}")
            scores = _SCORES[task](predicted.astype(np.float64), target[known], None if oracle is None else oracle[known])
            result[task] = {"num": int(known.sum()), **scores}
    return result


def _fit(predicted: Array, label: Array, oracle: Array | None) -> dict[str, Any]:
    scores = class_scores(predicted, label, FIT_CLASSES)
    known = None if oracle is None else class_scores(oracle, label, FIT_CLASSES)
    return scores | _against(scores, prior_nll(label), known)


def _match(predicted: Array, kept: Array, oracle: Array | None) -> dict[str, Any]:
    scores = binary_scores(predicted, kept > 0.5)
    known = None if oracle is None else binary_scores(oracle, kept > 0.5)
    return scores | _against(scores, prior_nll((kept > 0.5).astype(np.int64)), known)


def _body(predicted: Array, target: Array, oracle: Array | None) -> dict[str, Any]:
    errors = absolute_errors(predicted, target, MEASUREMENTS)
    in_cm = [error for name, error in errors.items() if name.endswith("_cm")]
    return {"mae_cm": float(np.mean(in_cm)), "mae": errors}


def _look(predicted: Array, label: Array, oracle: Array | None) -> dict[str, Any]:
    return {"accuracy": float((predicted.argmax(axis=1) == label).mean()), "num_classes": predicted.shape[1]}


def _against(scores: Mapping[str, Any], prior: float, oracle: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return where the scores lie between the labels' shares alone and whoever knows how the labels were drawn."""
    told: dict[str, Any] = {"prior": {"nll": prior}}
    if oracle is not None:
        told["oracle"] = dict(oracle)
        told["nll_gain_share"] = (prior - scores["nll"]) / (prior - oracle["nll"])
    return told


def _headline(scores: Mapping[str, Any]) -> dict[str, Any]:
    kept = {"fit": ("auc_mean", "nll"), "match": ("auc", "nll"), "body": ("mae_cm", "mae")}
    return {task: {key: scores[task][key] for key in keys} for task, keys in kept.items() if task in scores}


def _num_values(rows: Rows, part: str) -> int:
    return len(rows.parts[part].values) if part in rows.parts else 0


def _encoded(model: Model, part: str, rows: Rows) -> Tensor:
    numbers = np.arange(_num_values(rows, part))
    alone = Rows({part: Column(rows.parts[part].values, numbers)}, {"row": numbers})
    chunks = (alone.take(numbers[start : start + CHUNK]) for start in range(0, len(numbers), CHUNK))
    return torch.cat([model.encode(part, chunk.parts[part].values) for chunk in chunks])


def _fused(model: Model, embedded: Mapping[str, Tensor], rows: Rows, chunk: slice) -> dict[str, Array]:
    device = next(model.parameters()).device
    index = {part: rows.parts[part].index[chunk] for part in embedded}
    parts = {part: (embedded[part], torch.as_tensor(own).to(device)) for part, own in index.items() if (own >= 0).any()}
    size = Column(rows.parts["size"].values, index["size"]) if "size" in parts else None
    outputs = model.fuse(parts, size, len(range(*chunk.indices(len(rows)))))
    return {task: raw.float().cpu().numpy() for task, raw in outputs.items()}


_SCORES = {
    "fit": _fit,
    "match": _match,
    "body": _body,
    **dict.fromkeys(LOOK_TASKS, _look),
}

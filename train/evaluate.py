"""Scores a model on rows: per task, and for shoppers of whom only photo, only words or neither is known.

It encodes each distinct value once, as serving does, and only the fusion runs per row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tryon_core.batch import HISTORY_FIELDS, MEASUREMENTS, PARTS, Column
from tryon_core.config import ModelConfig
from tryon_core.history import History
from tryon_core.model import Model
from tryon_core.tasks import TASKS, Body, Classes, Match, Task, Taste, known

from .rows import Array, Rows
from .scores import absolute_errors, binary_scores, class_scores, prior_nll

CHUNK = 1024
"""Values encoded, and rows fused, at once."""
IMAGE_CHUNK = 64
"""Images encoded at once; what a backbone holds of more would not fit into small memories."""
NO_TEMPERATURES: Mapping[str, float] = {}


def evaluate(model: Model, rows: Rows, temperatures: Mapping[str, float] = NO_TEMPERATURES) -> dict[str, Any]:
    """Return the scores of every task, and of each task by what is known of the shopper."""
    embedded = embed(model, rows)
    result = score(fuse(model, embedded, rows), rows, temperatures)
    result["by_parts"] = {"returning": _headline(result)} | {
        name: _headline(score(outputs, rows, temperatures)) for name, outputs in fuse_known(model, embedded, rows).items()
    }
    return result


def fuse_known(model: Model, embedded: Mapping[str, Tensor], rows: Rows) -> dict[str, dict[str, Array]]:
    """Return raw outputs by what a service may know of a shopper who has ordered nothing yet: photo and words, or less."""
    new = first_orders(rows)
    history = {"history": new.parts["history"]} if "history" in new.parts else {}
    seen = {**embedded, **embed(model, Rows(history, rows.targets))}
    return {name: fuse(model, seen, new.without(gone)) for name, gone in part_sets(model.config).items()}


def part_sets(config: ModelConfig) -> dict[str, tuple[str, ...]]:
    """Return what a service may know of a shopper: a name to the parts that are missing then."""
    own = [name for name in config.parts if PARTS[name].owner == "shopper"]
    images = tuple(name for name in own if PARTS[name].kind == "image")
    words = tuple(name for name in own if PARTS[name].kind == "text")
    return {"both": (), "words": images, "photo": words, "nothing": images + words}


def first_orders(rows: Rows) -> Rows:
    """Return rows whose part `history` knows the garments and no earlier order of the shopper's own."""
    if "history" not in rows.parts:
        return rows
    column, unknown = rows.parts["history"], History().features("", "", None, 0.0)
    own = np.array([name.startswith("shopper") for name in HISTORY_FIELDS])
    values = np.where(own, unknown, column.values)
    return Rows({**rows.parts, "history": Column(values, column.index)}, rows.targets, rows.extra)


def encoded(model: Model, rows: Rows, parts: Collection[str]) -> Rows:
    """Return the same rows with embeddings, float32[U, dim], as the values of some parts."""
    chosen = {part: column for part, column in rows.parts.items() if part in parts}
    embedded = embed(model, Rows(chosen, rows.targets))
    ready = {part: Column(values.cpu().numpy(), chosen[part].index) for part, values in embedded.items()}
    return Rows({**rows.parts, **ready}, rows.targets, rows.extra)


@torch.inference_mode()
def embed(model: Model, rows: Rows, ready: Collection[str] = ()) -> dict[str, Tensor]:
    """Return float32[U, dim] for every part that model and rows have, in evaluation mode.

    Args:
        ready: parts whose values are embeddings already; see `encoded`.
    """
    model.eval()
    own = {part: rows.parts[part].values for part in model.config.parts if _num_values(rows, part)}
    device = next(model.parameters()).device
    return {
        part: torch.as_tensor(values).to(device) if part in ready else _encoded(model, part, rows)
        for part, values in own.items()
    }


@torch.inference_mode()
def fuse(model: Model, embedded: Mapping[str, Tensor], rows: Rows) -> dict[str, Array]:
    """Return each task's raw outputs, float32[N, num_outputs], for rows whose values `embed` has seen."""
    model.eval()
    chunks = [_fused(model, embedded, rows, slice(start, start + CHUNK)) for start in range(0, len(rows), CHUNK)]
    return {task: np.concatenate([chunk[task] for chunk in chunks]) for task in model.config.tasks}


def raw_outputs(model: Model, rows: Rows, ready: Collection[str] = ()) -> dict[str, Array]:
    """Return each task's raw outputs, float32[N, num_outputs]; for `ready` see `embed`."""
    return fuse(model, embed(model, rows, ready), rows)


def score(outputs: Mapping[str, Array], rows: Rows, temperatures: Mapping[str, float] = NO_TEMPERATURES) -> dict[str, Any]:
    """Return task name to its scores, from raw outputs; tasks without any known target are left out."""
    result: dict[str, Any] = {}
    for task, raw in outputs.items():
        target = rows.targets[task]
        told = known(torch.from_numpy(target)).numpy().reshape(len(rows), -1).any(axis=1)
        if told.any():
            predicted = TASKS[task].predict(torch.from_numpy(raw[told]), temperatures.get(task, 1.0)).numpy()
            oracle = rows.extra.get(f"oracle_{task}")
            given = predicted.astype(np.float64), target[told], None if oracle is None else oracle[told]
            result[task] = {"num": int(told.sum()), **_scores(TASKS[task], *given)}
    return result


def _scores(task: Task, predicted: Array, target: Array, oracle: Array | None) -> dict[str, Any]:
    """Return the scores that suit a kind of task; a kind that is not known here has none."""
    if isinstance(task, Match):
        return _match(predicted, target, oracle)
    if isinstance(task, Taste):
        met = ~np.isnan(target)
        return _match(predicted[met], target[met], None)
    if isinstance(task, Body):
        return _body(predicted, target)
    return _classes(predicted, target, oracle, task.names) if isinstance(task, Classes) else {}


def _classes(predicted: Array, label: Array, oracle: Array | None, names: Sequence[str]) -> dict[str, Any]:
    if len(np.unique(label)) < len(names):  # no score of a class that nobody has
        return {"accuracy": float((predicted.argmax(axis=1) == label).mean()), "num_classes": predicted.shape[1]}
    scores = class_scores(predicted, label, names)
    best = None if oracle is None else class_scores(oracle, label, names)
    return scores | _against(scores, prior_nll(label), best)


def _match(predicted: Array, kept: Array, oracle: Array | None) -> dict[str, Any]:
    scores = binary_scores(predicted, kept > 0.5)
    best = None if oracle is None else binary_scores(oracle, kept > 0.5)
    return scores | _against(scores, prior_nll((kept > 0.5).astype(np.int64)), best)


def _body(predicted: Array, target: Array) -> dict[str, Any]:
    errors = absolute_errors(predicted, target, MEASUREMENTS)
    in_cm = [error for name, error in errors.items() if name.endswith("_cm")]
    return {"mae_cm": float(np.mean(in_cm)), "mae": errors}


def _against(scores: Mapping[str, Any], prior: float, oracle: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return where the scores lie between the labels' shares alone and whoever knows how the labels were drawn."""
    told: dict[str, Any] = {"prior": {"nll": prior}}
    if oracle is not None:
        told["oracle"] = dict(oracle)
        told["nll_gain_share"] = (prior - scores["nll"]) / (prior - oracle["nll"])
    return told


def _headline(scores: Mapping[str, Any]) -> dict[str, Any]:
    kept = {"fit": ("auc_mean", "nll", "ece"), "match": ("auc", "nll", "ece"), "body": ("mae_cm", "mae")}
    return {t: {key: scores[t][key] for key in keys if key in scores[t]} for t, keys in kept.items() if t in scores}


def _num_values(rows: Rows, part: str) -> int:
    return len(rows.parts[part].values) if part in rows.parts else 0


def _encoded(model: Model, part: str, rows: Rows) -> Tensor:
    numbers = np.arange(_num_values(rows, part))
    alone = Rows({part: Column(rows.parts[part].values, numbers)}, {"row": numbers})
    step = IMAGE_CHUNK if PARTS[part].kind == "image" else CHUNK
    chunks = (alone.take(numbers[start : start + step]) for start in range(0, len(numbers), step))
    return torch.cat([model.encode(part, chunk.parts[part].values) for chunk in chunks])


def _fused(model: Model, embedded: Mapping[str, Tensor], rows: Rows, chunk: slice) -> dict[str, Array]:
    device = next(model.parameters()).device
    index = {part: rows.parts[part].index[chunk] for part in embedded}
    parts = {part: (embedded[part], torch.as_tensor(own).to(device)) for part, own in index.items() if (own >= 0).any()}
    size = Column(rows.parts["size"].values, index["size"]) if "size" in parts else None
    outputs = model.fuse(parts, size, len(range(*chunk.indices(len(rows)))))
    return {task: raw.float().cpu().numpy() for task, raw in outputs.items()}

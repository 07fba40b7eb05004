"""Scores a model on rows: per task, and for shoppers of whom only photo, only words or neither is known.

It encodes each distinct value once, as serving does, and only the fusion runs per row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tryon_core.batch import FIT_CLASSES, HISTORY_FIELDS, PARTS, Column
from tryon_core.config import ModelConfig
from tryon_core.history import History
from tryon_core.model import Model
from tryon_core.record import without_lines
from tryon_core.tasks import TASKS, known

from .coverage import HalfWidths, coverage
from .groups import behind, group_scores
from .offered import Offered, size_scores
from .resample import Resamples
from .rows import Array, Rows
from .task_scores import ORACLES, task_scores
from .worth import worth

CHUNK = 1024
"""Values encoded, and rows fused, at once."""
IMAGE_CHUNK = 64
"""Images encoded at once; what a backbone holds of more would not fit into small memories."""
NO_TEMPERATURES: Mapping[str, float] = {}
NO_HALF_WIDTHS: HalfWidths = {}
HEADLINES = {
    "fit": ("auc_mean", "nll", "ece", "accuracy", "macro_f1", *ORACLES.values()),
    "match": ("auc", "nll", "ece", *ORACLES.values()),
    "body": ("mae_cm", "mae"),
}
"""What is told of a task for each way of knowing a shopper."""


def evaluate(
    model: Model,
    rows: Rows,
    temperatures: Mapping[str, float] = NO_TEMPERATURES,
    *,
    half_widths: HalfWidths = NO_HALF_WIDTHS,
    offered: Offered | None = None,
    num_resamples: int = 0,
) -> dict[str, Any]:
    """Return the scores of every task, and of each task by what is known of the shopper, by group, and of sizes.

    What the rows tell nothing of, as of groups where no row has one, is left out.

    Args:
        half_widths: a checkpoint's ``body_half_width``; where given, ``coverage`` tells how many people they hold.
        offered: all sizes of the garments of some of the rows; where given, ``size`` tells how often the right one is first.
        num_resamples: of shoppers, which give each score its 95 % interval; 0 for none.
    """
    shoppers = rows.extra.get("shopper", np.arange(len(rows)))
    resamples = Resamples(shoppers, num_resamples) if num_resamples else None
    embedded = embed(model, rows)
    outputs, by_parts = fuse(model, embedded, rows), fuse_known(model, embedded, rows)
    result = score(outputs, rows, temperatures, resamples)
    result["by_parts"] = {"returning": _headline(result)} | {
        name: _headline(score(own, rows, temperatures, resamples)) for name, own in by_parts.items()
    }
    more: dict[str, Any] = {"by_group": group_scores(_predicted(outputs, temperatures), rows)}
    if more["by_group"]:
        result["groups_behind"] = [asdict(one) for one in behind(more["by_group"])]
    if "fit" in outputs:
        more["worth"] = _worth(by_parts, rows, temperatures, resamples)
    if half_widths and "body" in outputs:
        more["coverage"] = coverage({name: own["body"] for name, own in by_parts.items()}, rows, half_widths)
    if offered is not None and "fit" in outputs:
        fitness = _fitness(model, embedded, rows, offered, temperatures)
        more["size"] = size_scores(fitness, offered, shoppers, num_resamples)
    return result | {name: told for name, told in more.items() if told}


def fuse_known(model: Model, embedded: Mapping[str, Tensor], rows: Rows) -> dict[str, dict[str, Array]]:
    """Return raw outputs by what a service may know of a shopper who has ordered nothing yet: photo and words, or less."""
    new = first_orders(rows)
    own = {part: new.parts[part] for part in ("history", "record") if part in new.parts}
    seen = {**embedded, **embed(model, Rows(own, rows.targets))}
    return {name: fuse(model, seen, new.without(gone)) for name, gone in part_sets(model.config).items()}


def part_sets(config: ModelConfig) -> dict[str, tuple[str, ...]]:
    """Return what a service may know of a shopper: a name to the parts that are missing then."""
    own = [name for name in config.parts if PARTS[name].owner == "shopper"]
    images = tuple(name for name in own if PARTS[name].kind == "image")
    words = tuple(name for name in own if PARTS[name].kind == "text")
    return {"both": (), "words": images, "photo": words, "nothing": images + words}


def first_orders(rows: Rows) -> Rows:
    """Return rows whose parts `history` and `record` know the garments and no earlier order of the shopper's own."""
    if "record" in rows.parts:
        recorded = rows.parts["record"]
        rows = replace(rows, parts={**rows.parts, "record": Column(without_lines(recorded.values), recorded.index)})
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


def score(
    outputs: Mapping[str, Array],
    rows: Rows,
    temperatures: Mapping[str, float] = NO_TEMPERATURES,
    resamples: Resamples | None = None,
) -> dict[str, Any]:
    """Return task name to its scores, from raw outputs; tasks without any known target are left out.

    Args:
        resamples: of the rows; where given, ``interval`` holds the 95 % interval of each score by its name.
    """
    result: dict[str, Any] = {}
    for task, raw in outputs.items():
        target = rows.targets[task]
        told = np.asarray(known(torch.from_numpy(target)).numpy().reshape(len(rows), -1).any(axis=1))
        if told.any():
            predicted = TASKS[task].predict(torch.from_numpy(raw[told]), temperatures.get(task, 1.0)).numpy()
            best = {name: rows.extra[f"{name}_{task}"][told] for name in ORACLES if f"{name}_{task}" in rows.extra}
            own = None if resamples is None else resamples.take(told)
            result[task] = {
                "num": int(told.sum()),
                **task_scores(TASKS[task], predicted.astype(np.float64), target[told], best, own),
            }
    return result


def _predicted(outputs: Mapping[str, Array], temperatures: Mapping[str, float]) -> dict[str, Array]:
    """Return the calibrated probabilities of `fit`, float64[N, 3], and `match`, float64[N]."""
    raw = {task: torch.from_numpy(own) for task, own in outputs.items() if task in ("fit", "match")}
    return {task: TASKS[task].predict(own, temperatures.get(task, 1.0)).double().numpy() for task, own in raw.items()}


def _fitness(
    model: Model, embedded: Mapping[str, Tensor], rows: Rows, offered: Offered, temperatures: Mapping[str, float]
) -> Array:
    """Return P(fit) of every offer, float64[K]; what offers share with rows has been embedded already."""
    offers = offered.rows(rows)
    own = {name: offers.parts[name] for name in ("size", "history") if name in offers.parts}
    seen = {**embedded, **embed(model, Rows(own, offers.targets))}
    probabilities = _predicted(fuse(model, seen, offers), temperatures)["fit"]
    return np.asarray(probabilities[:, FIT_CLASSES.index("fit")])


def _worth(
    by_parts: Mapping[str, Mapping[str, Array]],
    rows: Rows,
    temperatures: Mapping[str, float],
    resamples: Resamples | None,
) -> dict[str, Any]:
    """Return what a photo and words add to each other; nothing where no label is known."""
    told = rows.targets["fit"] >= 0
    if not told.any():
        return {}
    claims = {known: _predicted(own, temperatures)["fit"][told] for known, own in by_parts.items()}
    oracle = rows.extra.get("oracle_fit")
    best = None if oracle is None else oracle[told]
    return worth(claims, rows.targets["fit"][told], best, None if resamples is None else resamples.take(told))


def _headline(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores that are told for each way of knowing a shopper, with their intervals."""
    found = {task: _chosen(scores[task], keys) for task, keys in HEADLINES.items() if task in scores}
    for task, told in found.items():
        if "interval" in scores[task]:
            told["interval"] = _chosen(scores[task]["interval"], HEADLINES[task])
    return found


def _chosen(scores: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: scores[key] for key in keys if key in scores}


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

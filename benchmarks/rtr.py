"""The public rental data: fitted checkpoints against boosted trees on the same rows, paired, as one table.

`python -m benchmarks.rtr --data DIR --checkpoints A B C [--by-date D E F]` fits LightGBM on the same events and folds, its
size and rounds chosen on a tenth of train in the role of val, and prints mean one-vs-rest AUC, NLL and ECE with 95 %
intervals of a paired bootstrap over val's shoppers. `--vocabulary` measures instead what hashing words costs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from train.config import TrainConfig
from train.data.sim import SimConfig
from train.evaluate import raw_outputs
from train.loop import Place, build_model, fit
from train.resample import Resamples, gain_intervals
from train.rows import Rows
from train.rtr_rows import splits_of
from train.scores import class_scores
from train.sources import config_for, load_data
from tryon_core.batch import FIT_CLASSES, TOLD_FIELDS, Column
from tryon_core.checkpoint import load_checkpoint
from tryon_core.presets import preset
from tryon_core.tasks import TASKS
from tryon_core.text import TextArrays

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PUBLISHED_AUC = 0.719
"""K-LF-ML on the test part (Misra et al., RecSys 2018)."""
RESAMPLES = 1000
ROUNDS = {"trees, history": 215, "trees, history and record": 134}
"""Chosen on rows whose history is whole, as val's is: rows of train itself, whose history is out of fold, want many rounds
more, with which val is told worse.
"""
_TREES = {
    "objective": "multiclass",
    "num_class": 3,
    "learning_rate": 0.06,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbose": -1,
    "seed": 0,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and the same as one JSON object on the last line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rtr", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", required=True, metavar="DIR", help="with train.parquet and val.parquet")
    parser.add_argument("--checkpoints", nargs="*", default=[], metavar="FOLDER", help="fitted with --data rtr:DIR")
    parser.add_argument("--by-date", nargs="*", default=[], metavar="FOLDER", help="fitted with --data rtr:DIR?split=date")
    parser.add_argument("--vocabulary", action="store_true", help="fit with hashed and with exact words, and compare")
    parser.add_argument("--epochs", type=int, default=None, help="of --vocabulary; the preset's unless given")
    options = parser.parse_args(arguments)
    found: dict[str, Any] = {}
    if options.vocabulary:
        found["vocabulary"] = compare_vocabularies(f"rtr:{options.data}", options.epochs)
    for split, suffix, folders in (("published", "", options.checkpoints), ("date", "?split=date", options.by_date)):
        if folders:
            found[split] = compare(options.data, suffix, folders)
            print_table(split, found[split])
    print(json.dumps(found))


def compare(folder: str, suffix: str, checkpoints: Sequence[str]) -> dict[str, Any]:
    """Return scores by row of the table, and by pair of them the mean difference with its interval."""
    spec = f"rtr:{folder}{suffix}"
    loaded = [load_checkpoint(url) for url in checkpoints]
    data = load_data(spec, loaded[0].model.config, SimConfig())
    val, mode = data.splits["val"], suffix.partition("=")[2]
    label = val.targets["fit"]
    share = np.bincount(data.splits["train"].targets["fit"], minlength=3) / len(data.splits["train"])
    looks = _looks(Path(folder), mode)
    rows: dict[str, list[Floats]] = {"class prior": [np.tile(share, (len(label), 1))]}
    for name, record in (("trees, history", False), ("trees, history and record", True)):
        seen = {split: _inputs(data.splits[split], looks, record) for split in ("train", "val")}
        rows[name] = [fit_trees(seen, data.splits["train"].targets["fit"], ROUNDS[name])]
    rows["this model"] = [
        TASKS["fit"]
        .predict(torch.from_numpy(raw_outputs(c.model, val)["fit"]), c.manifest.temperature("fit"))
        .double()
        .numpy()
        for c in loaded
    ]
    scores = {name: _mean_scores(each, label) for name, each in rows.items()}
    seeds = [class_scores(p, label, FIT_CLASSES) for p in rows["this model"]]
    scores |= {f"this model, {Path(url).name}": own for url, own in zip(checkpoints, seeds, strict=True)}
    resamples = Resamples(val.extra["shopper"], RESAMPLES)
    gains = {n: gain_intervals(rows["this model"], rows[n], label, resamples) for n in rows if n.startswith("trees")}
    return {"rows": len(label), "scores": scores, "gain over": gains}


def fit_trees(inputs: Mapping[str, Floats], label: Ints, rounds: int) -> Floats:
    """Return the probabilities of val rows, float64[N, 3], by trees that are fitted on those of train."""
    import lightgbm

    told = lightgbm.Dataset(inputs["train"], label, categorical_feature=[0, 1, 2])  # the looks come first
    return np.asarray(lightgbm.train(_TREES, told, rounds).predict(inputs["val"]), dtype=np.float64)


def _mean_scores(each: Sequence[Floats], label: Ints) -> dict[str, float]:
    scores = [class_scores(p, label, FIT_CLASSES) for p in each]
    return {name: float(np.mean([own[name] for own in scores])) for name in ("auc_mean", "nll", "ece", "accuracy")}


def _looks(folder: Path, mode: str) -> Floats:
    """Return float64[N, 3], numbers of category, body type and occasion of every row of train, then val."""
    train, val = splits_of(folder, mode)
    both = train.joined(val)
    texts = (both.garment_words, both.body_type, both.rented_for)
    return np.column_stack([np.unique(column, return_inverse=True)[1] for column in texts]).astype(np.float64)


def _inputs(rows: Rows, looks: Floats, record: bool) -> Floats:
    """Return what trees see: looks, size, what is told of the body, history, and the rest of the record where wanted."""
    told = rows.parts["record"].values[rows.parts["record"].index]
    history = rows.parts["history"].values[rows.parts["history"].index]
    own = told if record else told[:, : len(TOLD_FIELDS)]
    return np.column_stack([looks[rows.extra["row"]], rows.parts["size"].index, own, history]).astype(np.float64)


def compare_vocabularies(spec: str, epochs: int | None) -> dict[str, Any]:
    """Return the scores on held-out training rows with hashed words and with a vocabulary in which no two words meet."""
    config = config_for(spec, TrainConfig(model=preset("base")))
    config = config if epochs is None else replace(config, epochs=epochs)
    data = load_data(spec, config.model, SimConfig(), ("train",))
    splits = {"hashed": dict(data.splits), "exact": dict(zip(data.splits, _exact(list(data.splits.values())), strict=True))}
    found: dict[str, Any] = {}
    for name, rows in splits.items():
        model = build_model(config, rows["train"])
        fit(model, rows["train"], config, lambda event: None, place=Place())
        held = rows["calibration"]
        raw = torch.from_numpy(raw_outputs(model, held)["fit"])
        scores = class_scores(TASKS["fit"].predict(raw, 1.0).double().numpy(), held.targets["fit"], FIT_CLASSES)
        found[name] = {key: scores[key] for key in ("auc_mean", "nll")}
        print(f"{name}: AUC {scores['auc_mean']:.4f}, NLL {scores['nll']:.4f}")
    found["cost_auc"] = found["exact"]["auc_mean"] - found["hashed"]["auc_mean"]
    return found


def _exact(splits: Sequence[Rows]) -> list[Rows]:
    """Return the splits with words numbered through, so that no row of the table is two words'."""
    numbers: dict[tuple[int, int], int] = {}

    def told(column: Column[Any]) -> Column[Any]:
        if not isinstance(column.values, TextArrays):
            return column
        pairs, back = np.unique(column.values.ids.reshape(-1, 2), axis=0, return_inverse=True)
        own = np.array([numbers.setdefault((int(a), int(b)), len(numbers)) for a, b in pairs], dtype=np.int64)
        ids = np.stack([2 * own, 2 * own + 1], axis=1)[back].reshape(column.values.ids.shape)
        return Column(TextArrays(ids, column.values.values, column.values.lengths), column.index)

    return [replace(rows, parts={name: told(column) for name, column in rows.parts.items()}) for rows in splits]


def print_table(split: str, found: Mapping[str, Any]) -> None:
    """Print one split's table."""
    print(f"\n{split} split, {found['rows']} rows scored (real data)\n\n| model | mean AUC | NLL | ECE |\n|---|---|---|---|")
    print(f"| K-LF-ML, as published, on the test part | {PUBLISHED_AUC:.3f} | | |")
    for name, own in found["scores"].items():
        print(f"| {name} | {own['auc_mean']:.4f} | {own['nll']:.4f} | {own['ece']:.4f} |")
    for name, gains in found["gain over"].items():
        told = ", ".join(f"{key} {gain:+.4f} [{low:+.4f}, {high:+.4f}]" for key, (gain, (low, high)) in gains.items())
        print(f"\nthis model less {name}: {told}")


if __name__ == "__main__":
    main()

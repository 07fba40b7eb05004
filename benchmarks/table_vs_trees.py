"""A simulated shop's export through source `table`, against boosted trees on the same file.

``python -m benchmarks.table_vs_trees``. The shop is one whose people and garments no checkpoint has seen; it knows no
photos, the height and weight of 40 % of its shoppers, what was kept, and most reasons of what was returned. Both sides learn
from the lines before a day and are scored on those behind it. Trees see the same columns as numbers and categories, the same
dated fit history, and what share of the garment's, brand's and shopper's earlier lines was kept. Differences come with
paired intervals over resampled shoppers. Simulated data.

Ours starts from the shipped checkpoint, as a shop would (``--init DIR`` from another), and beside it, as ``cold``, from new
weights, as the trees start from nothing (``--init ""`` for those alone). ``--mix 0.2`` mixes simulated rows in and
scores `sim` before and after.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from train.config import TrainConfig
from train.data.assortment import read_garments
from train.data.shop_table import ExportOptions, write_shop
from train.data.sim import SimConfig, build_shop
from train.data.tables import read_table
from train.evaluate import evaluate, raw_outputs
from train.loop import Place, build_model, fit
from train.mix import load_mixed, weighted
from train.progress import Epoch, Event
from train.resample import Resamples, gain_intervals
from train.rows import Rows
from train.scores import auc, nll
from train.sources import Data, load_data
from tryon_core.batch import COLOURS, CUTS, LOOKS, PATTERNS
from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.config import ModelConfig
from tryon_core.garment import size_numbers
from tryon_core.manifest import read_manifest
from tryon_core.presets import preset
from tryon_core.tasks import TASKS
from tryon_core.words import parse_size

Array = npt.NDArray[np.float64]
PRIOR_COUNT = 10.0
RESAMPLES = 1000
INNER = 0.1
"""Share of the lines to fit on, the last by date, on which the number of trees is chosen."""


def main() -> None:
    """Draw, fit, score and print one JSON object."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(options.folder or scratch) / f"shop-{options.seed}"
        if not folder.exists():
            shop = build_shop(_shop(options, options.seed))
            write_shop(shop, folder, ExportOptions())
        print(json.dumps(compare(folder, options), indent=1))


def compare(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the scores of both sides on the last lines of a shop's file, and on `sim` where that is mixed in."""
    spec = f"table:{folder}/orders.csv?garments=garments.csv&reasons=reasons.json&split=date&val={options.val}"
    model = read_manifest(options.init).config if options.init else preset(options.preset)
    specs = [spec, f"sim@{options.mix}"] if options.mix else [spec]
    data = load_mixed([weighted(own) for own in specs], model, _shop(options, options.sim_seed))
    table = data if not options.mix else load_data(spec, model, SimConfig())
    theirs = trees(folder, table)
    found: dict[str, Any] = {"lines": {name: len(rows) for name, rows in table.splits.items()}}
    starts = {"warm": options.init, "cold": ""} if options.init else {"cold": ""}
    for name, init in starts.items():
        started = time.monotonic()
        ours = [fitted(model, data, options, seed, init) for seed in range(options.runs)]
        found[name] = {"seconds": round(time.monotonic() - started)} | _compared(ours, theirs, table.splits["val"])
        if options.mix and init:
            before = _photo_nll(_init_model(options, data), data)
            found["sim"] = {"before": before, "after": [_photo_nll(m, data) for m in ours]}
    return found


def _compared(ours: Sequence[Any], theirs: Mapping[str, Array], val: Rows) -> dict[str, Any]:
    """Return `against` of each task on the rows of which it is told."""
    found = {}
    for task in ("fit", "match"):
        label, told = _labels(val, task)
        runs = [_chances(own, val, task)[told] for own in ours]
        found[task] = against(runs, theirs[task][told], label[told], val.extra["shopper"][told])
    return found


def fitted(model: ModelConfig, data: Data, options: argparse.Namespace, seed: int, init: str) -> Any:
    """Return a model fitted on a mixture's training rows, from a checkpoint's weights, or from new ones without any."""
    config = TrainConfig(model=model, seed=seed, epochs=options.epochs, learning_rate=options.learning_rate, init=init)
    rows = data.splits["train"]
    built = build_model(config, rows)

    def tell(event: Event) -> None:
        if isinstance(event, Epoch):
            logging.info(
                "epoch %d: loss %.4f, %.0f rows/s, %s", event.epoch, event.loss, event.rows_per_s, _told(event.metrics)
            )

    fit(built, rows, config, tell, val=data.splits["val"] if options.watch else None, place=Place())
    return built.eval()


def trees(folder: Path, data: Data) -> dict[str, Array]:
    """Return LightGBM's probabilities for the rows to score on, by task."""
    import lightgbm

    features, categories = tree_features(folder, data)
    num_train = len(data.splits["train"])
    train, val = features[:num_train], features[num_train:]
    found = {}
    for task, objective in (("fit", {"objective": "multiclass", "num_class": 3}), ("match", {"objective": "binary"})):
        label, told = _labels(data.splits["train"], task)
        rows = np.flatnonzero(told)
        cut = int(len(rows) * (1 - INNER))
        params = {**objective, "learning_rate": 0.03, "num_leaves": 31, "min_data_in_leaf": 40, "feature_fraction": 0.7}
        params |= {"bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 5.0, "verbose": -1, "num_threads": 1, "seed": 0}
        sets = [
            lightgbm.Dataset(train[own], label[own], categorical_feature=categories)
            for own in (rows[:cut], rows[cut:], rows)
        ]
        stop = lightgbm.early_stopping(50, verbose=False)
        tried = lightgbm.train(params, sets[0], 2000, valid_sets=[sets[1]], callbacks=[stop])
        best = lightgbm.train(params, sets[2], tried.best_iteration)
        raw = np.asarray(best.predict(val))
        found[task] = raw if task == "fit" else np.stack([1 - raw, raw], axis=1)
    return found


def tree_features(folder: Path, data: Data) -> tuple[Array, list[int]]:
    """Return float64[N, F] of the rows to fit on and then those to score on, by date, and which columns are categories."""
    orders = read_table(f"{folder}/orders.csv")
    garments, _ = read_garments(read_table(f"{folder}/garments.csv"))
    order = sorted(range(len(orders)), key=lambda row: orders.columns["ordered_at"][row])
    column = {name: [values[row] for row in order] for name, values in orders.columns.items()}
    described = [garments[name] for name in column["garment_id"]]
    built = {name: own.garment() for name, own in garments.items()}
    ladder = {name: [size.label for size in garment.sizes] for name, garment in built.items()}
    sizes = [
        size_numbers(built[name], ladder[name].index(label))
        for name, label in zip(column["garment_id"], column["size"], strict=True)
    ]
    facts = {
        "brand": [own.facts.get("brand", "") for own in described],
        "sex": column["sex"],
        **{look: [own.facts.get(look, "") for own in described] for look in LOOKS},
    }
    coded = np.stack([np.unique(values, return_inverse=True)[1] for values in facts.values()], axis=1).astype(float)
    usual = [parse_size(text) if text else None for text in column["usual_size"]]
    systems = sorted({found[0] for found in usual if found})
    own_size = [(systems.index(found[0]), found[1]) if found else (-1, np.nan) for found in usual]
    numbers = [[float(text) if text else np.nan for text in column[name]] for name in ("height_cm", "weight_kg")]
    history = np.concatenate([rows.parts["history"].values for rows in data.splits.values()])
    columns = [
        *(coded, np.array(own_size), np.array(numbers).T, np.stack(sizes), history, kept_rates(column, facts["brand"])),
        liked(column["preferences"], facts),
    ]
    return np.concatenate(columns, axis=1), [*range(coded.shape[1]), coded.shape[1]]


def liked(preferences: Sequence[str], facts: Mapping[str, Sequence[str]]) -> Array:
    """Return per kind of look whether the garment's is among those a shopper named, NaN without any; and which those are."""
    words = [set(text.split()) for text in preferences]
    kinds = {"colour": COLOURS, "pattern": PATTERNS, "cut": CUTS, "category": LOOKS["category"]}
    agree = [
        [float(facts[kind][at] in said) if said & set(names) else np.nan for kind, names in kinds.items()]
        for at, said in enumerate(words)
    ]
    every = [name for names in kinds.values() for name in names]
    return np.concatenate([np.array(agree), np.array([[float(name in said) for name in every] for said in words])], axis=1)


def kept_rates(column: Mapping[str, Sequence[str]], brands: Sequence[str]) -> Array:
    """Return the smoothed share kept, and log(1 + number), of earlier outcomes of garment, brand and shopper."""
    counts: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    coming: list[tuple[str, int]] = sorted((told, row) for row, told in enumerate(column["occurred_at"]))
    found, at = [], 0
    keys = [
        (("garment", garment), ("brand", brand), ("shopper", who))
        for garment, brand, who in zip(column["garment_id"], brands, column["customer_key"], strict=True)
    ]
    total = [0.0, 0.0]
    for row, day in enumerate(column["ordered_at"]):
        while at < len(coming) and coming[at][0] < day:
            kept = column["outcome"][coming[at][1]] == "kept"
            for own in (total, *(counts[key] for key in keys[coming[at][1]])):
                own[0] += kept
                own[1] += 1
            at += 1
        prior = (total[0] + 1) / (total[1] + 2)
        shares = [(counts[key][0] + PRIOR_COUNT * prior) / (counts[key][1] + PRIOR_COUNT) for key in keys[row]]
        found.append([*shares, *(np.log1p(counts[key][1]) for key in keys[row])])
    return np.array(found)


def against(
    runs: Sequence[Array],
    trees_say: Array,
    label: npt.NDArray[np.int64],
    shopper: npt.NDArray[np.int64],
    times: int = RESAMPLES,
) -> dict[str, Any]:
    """Return the scores of both sides, and what ours gain, mean of the runs, with a paired interval over shoppers.

    Args:
        runs: float64[N, C] probabilities of each of our models.
        trees_say: float64[N, C].
        label: int64[N].
        shopper: int64[N], whose order it is: shoppers are resampled, not their orders.
    """
    ours = np.mean([_scores(own, label) for own in runs], axis=0)
    theirs = _scores(trees_say, label)
    gains = gain_intervals(runs, [trees_say], label, Resamples(shopper, times))
    return {
        name: {
            "table": round(float(ours[at]), 4),
            "trees": round(float(theirs[at]), 4),
            "gain": round(gains[key][0], 4),
            "interval": [round(end, 4) for end in gains[key][1]],
        }
        for at, (name, key) in enumerate({"auc": "auc_mean", "nll": "nll"}.items())
    } | {"num": len(label), "shoppers": len(np.unique(shopper))}


def _scores(chances: Array, label: npt.NDArray[np.int64]) -> Array:
    """Return mean one-vs-rest AUC and NLL."""
    classes = range(chances.shape[1])
    return np.array([np.mean([auc(chances[:, c], label == c) for c in classes]), nll(chances, label)])


def _labels(rows: Rows, task: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    target = rows.targets[task]
    told = target >= 0 if task == "fit" else ~np.isnan(target)
    return np.where(told, target, 0).astype(np.int64), told


def _chances(model: Any, rows: Rows, task: str) -> Array:
    answers = TASKS[task].predict(torch.from_numpy(raw_outputs(model, rows)[task]), 1.0).numpy().astype(np.float64)
    return answers if task == "fit" else np.stack([1 - answers, answers], axis=1)


def _photo_nll(model: Any, data: Data) -> dict[str, float]:
    """Return NLL and gain of fit on `sim` with photo and words, of shoppers who have ordered nothing yet."""
    (rows,) = data.others.values()
    told = evaluate(model, rows)["by_parts"]
    return {
        f"{known} {task}": round(told[known][task]["nll"], 4) for known in ("both", "words") for task in ("fit", "match")
    }


def _init_model(options: argparse.Namespace, data: Data) -> Any:
    config = TrainConfig(model=read_manifest(options.init).config, init=options.init)
    return build_model(config, data.splits["train"]).eval()


def _shop(options: argparse.Namespace, seed: int) -> SimConfig:
    orders = options.orders if seed == options.seed else options.sim_orders
    share = orders / options.orders
    return SimConfig(
        seed=seed,
        shoppers=max(20, round(options.orders / 6 * share)),
        garments=max(20, round(options.orders / 60 * share)),
        orders=orders,
    )


def _told(metrics: Mapping[str, Any]) -> str:
    kinds = (("fit", "auc_mean"), ("fit", "nll"), ("match", "auc"), ("match", "nll"))
    return ", ".join(f"{task} {kind} {metrics[task][kind]:.4f}" for task, kind in kinds if kind in metrics.get(task, {}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=11, help="of the shop")
    parser.add_argument("--val", type=float, default=0.12, help="share of the lines, the last by date, to score on")
    parser.add_argument("--preset", default="base")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--runs", type=int, default=1, help="models, of as many seeds")
    parser.add_argument("--init", default=SHIPPED_CHECKPOINT, help="a checkpoint to start from; empty for new weights")
    parser.add_argument("--mix", type=float, default=0.0, help="weight of simulated rows")
    parser.add_argument("--sim-seed", type=int, default=0)
    parser.add_argument("--sim-orders", type=int, default=20_000)
    parser.add_argument("--folder", help="keep the shop's files in this folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--watch", action="store_true", help="score after each epoch")
    return parser.parse_args()


if __name__ == "__main__":
    main()

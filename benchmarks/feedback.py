"""What ten weeks of feedback teach without another fit, and save: `python -m benchmarks.feedback [--checkpoint DIR]`.

Of a simulated shop that the checkpoint was not fitted on, most shoppers order and report for ten weeks; their lines go into
a store, week by week, and history is read from it as the service reads it. The others are asked about before any order of
theirs. Prints one JSON object; `--plot FILE` draws the first part:

- `auc`: the mean one-vs-rest AUC of fit by week, expected under the true probabilities, so that no luck of the outcomes is
  in it; `blind` knows bodies, sizes, cuts and cloth but not what brands and garments untoldly do to sizes, `oracle` knows
  that, too; `limit` is the model with 300 verdicts on every style, where little is left to learn of offsets. What the model
  gained by week is told as a share of what the oracle gains over the blind, `share_of_offsets`, and of what the model
  gains in the limit, `share_of_limit`: it may gain more than the oracle, who needs no history to know bodies and charts.
- `returns`: the share of orders that come back for their size, where the same shoppers order by their own choice, by the
  chart (their own where there is none), by the model before any feedback, by the model after it, by the truth.
- `estimator`: what `python -m serve effect` finds in logs of shoppers of whom some are shown the model's advice, and follow
  it the oftener the surer it is, beside the true difference; over many logs, with the share of intervals that hold it.

Intervals are 95 %, over resampled styles in `auc`, over shoppers in `returns`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.feedback_returns import Choices, estimates, returns
from benchmarks.feedback_weeks import Shown, order_lines, weekly
from benchmarks.history import draw_verdicts, history_of, told_ease
from train.data import labels
from train.data.sim import Shop, SimConfig, build_shop
from train.data.untold import averaged
from train.evaluate import embed, fuse
from train.export import rounded
from train.resample import RESAMPLES, Resamples, interval
from train.rows import Rows
from train.sim_rows import sim_data
from tryon_core.batch import Column
from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.checkpoint import Checkpoint, load_checkpoint
from tryon_core.tasks import TASKS

Array = npt.NDArray[np.float64]
_VERDICTS = 300


class Model:
    """A model before shoppers and garments that it has looked at already."""

    def __init__(self, checkpoint: Checkpoint, rows: Rows) -> None:
        self._checkpoint = checkpoint
        seen = {part: column for part, column in rows.parts.items() if part not in ("history", "size")}
        self._embedded = embed(checkpoint.model, Rows(seen, rows.targets))
        self._rows = rows

    def fit(self, row: npt.NDArray[np.int64], size: Column[Any], history: npt.NDArray[np.float32]) -> Array:
        """Return P(small, fit, large), float64[N, 3], of rows in sizes at histories, float32[N, len(HISTORY_FIELDS)]."""
        model = self._checkpoint.model
        parts = {name: Column(column.values, column.index[row]) for name, column in self._rows.parts.items()}
        parts |= {"size": size, "history": Column(history, np.arange(len(row)))}
        rows = Rows({name: column for name, column in parts.items() if name in model.config.parts}, {"row": row})
        own = {name: rows.parts[name] for name in ("size", "history") if name in rows.parts}
        raw = fuse(model, {**self._embedded, **embed(model, Rows(own, rows.targets))}, rows)["fit"]
        temperature = self._checkpoint.manifest.temperature("fit")
        return np.asarray(TASKS["fit"].predict(torch.from_numpy(raw), temperature).double().numpy())


def expected_aucs(claimed: Array, truth: Array, weights: Sequence[Array]) -> Array:
    """Return the mean one-vs-rest AUC to be expected, float64[W], for each of W weightings of the rows.

    Args:
        claimed: float64[N, C], the scores.
        truth: float64[N, C], the probabilities by which outcomes are drawn.
        weights: W times float64[N].
    """
    found = np.zeros((len(weights), claimed.shape[1]))
    for column in range(claimed.shape[1]):
        values, place = np.unique(claimed[:, column], return_inverse=True)
        chance = truth[:, column]
        for at, own in enumerate(weights):
            up = np.bincount(place, own * chance, minlength=len(values))
            down = np.bincount(place, own * (1 - chance), minlength=len(values))
            found[at, column] = up @ (np.cumsum(down) - down / 2) / (up.sum() * down.sum())
    return found.mean(axis=1)


def measure(checkpoint: Checkpoint, options: SimConfig, weeks: int, num_resamples: int, logs: int) -> dict[str, Any]:
    """Return what the command prints."""
    shop = build_shop(options)
    rows = sim_data(checkpoint.model.config, options, ("val",)).splits["val"]
    chosen = np.flatnonzero(shop.holdout[shop.orders.shopper])
    shown = Shown.of(shop, chosen)
    lines = order_lines(shop, np.flatnonzero(~shop.holdout[shop.orders.shopper]))
    choices = Choices.of(shop, chosen)
    with tempfile.TemporaryDirectory() as folder:
        histories, offered, known = asyncio.run(weekly(f"{folder}/store.db", shop, lines, weeks, shown, choices.offers))
    model, every = Model(checkpoint, rows), np.arange(len(chosen))
    claims = {f"week {week}": model.fit(every, rows.parts["size"], own) for week, own in enumerate(histories)}
    claims["limit"] = model.fit(every, rows.parts["size"], _limit(shop, shown))
    found = {"lines": known, "auc": _aucs(shop, chosen, claims, num_resamples)}
    ways = {
        name: choices.best(model.fit(choices.row, choices.size, own)[:, 1])
        for name, own in (("before", offered[0]), ("ours", offered[-1]))
    }
    sure = model.fit(choices.row, choices.size, offered[-1])[ways["ours"], 1]
    found["returns"] = returns(shop, choices, ways, num_resamples)
    found["estimator"] = estimates(shop, choices, ways["ours"], sure, logs) if logs else None
    return found


def _aucs(shop: Shop, chosen: npt.NDArray[np.int64], claims: Mapping[str, Array], num_resamples: int) -> dict[str, Any]:
    orders, truth = shop.orders, shop.orders.oracle_fit[chosen]
    shopper, garment, size = orders.shopper[chosen], orders.garment[chosen], orders.size[chosen]
    latent = labels.steps_over(shop.truth, shopper, garment, size) - told_ease(shop)[garment]
    style = np.unique([own.style_id for own in shop.garments], return_inverse=True)[1][garment]
    weights = [np.ones(len(chosen)), *(Resamples(style, num_resamples) if num_resamples else ())]
    known = {**claims, "blind": averaged(latent, shop.truth.stretch[garment]), "oracle": truth}
    aucs = {name: expected_aucs(own, truth, weights) for name, own in known.items()}
    possible, first = aucs["oracle"] - aucs["blind"], aucs["week 0"]
    gains = {name: aucs[name] - first for name in claims}
    with np.errstate(divide="ignore", invalid="ignore"):  # where more verdicts move nothing, no share is told
        of_limit = {name: own / gains["limit"] for name, own in gains.items()}
    of_limit = {name: np.where(np.isfinite(own), own, np.nan) for name, own in of_limit.items()}
    return {
        "num": len(chosen),
        "auc": {name: _with_interval(own) for name, own in aucs.items()},
        "share_of_offsets": {name: _with_interval(own / possible) for name, own in gains.items()},
        "share_of_limit": {name: _with_interval(own) for name, own in of_limit.items()},
    }


def _limit(shop: Shop, shown: Shown) -> npt.NDArray[np.float32]:
    """Return part `history` of garments in sizes on whose styles very many have told."""
    _, style = np.unique([own.style_id for own in shop.garments], return_inverse=True)
    rng = np.random.default_rng([shop.config.seed, 5])
    known = {
        int(number): history_of(shop, draw_verdicts(shop, np.flatnonzero(style == number), _VERDICTS, rng), _VERDICTS)
        for number in np.unique(style[shown.garment])
    }
    bought = ((shop.garments[g], style[g], s) for g, s in zip(shown.garment, shown.size, strict=True))
    return np.stack([known[int(n)].features(own.style_id, own.sizes[s][0], None, 0.0) for own, n, s in bought])


def _with_interval(values: Array) -> dict[str, Any]:
    """Return the first value, of the rows as they are, with the interval of the others, of resamples."""
    return {"value": float(values[0])} | ({"interval": interval(values[1:])} if len(values) > 1 else {})


def draw(found: Mapping[str, Any], out: Path) -> None:
    """Draw the AUC by week between those who know nothing and all of what is untold, as a PNG."""
    from matplotlib.figure import Figure

    auc = found["auc"]["auc"]
    weeks = [own for name, own in auc.items() if name.startswith("week ")]
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axis = figure.subplots()
    axis.plot(range(len(weeks)), [own["value"] for own in weeks], marker="o", color="#1f5fa8", label="model")
    if "interval" in weeks[0]:
        axis.fill_between(
            range(len(weeks)), *zip(*(own["interval"] for own in weeks), strict=True), color="#1f5fa8", alpha=0.15
        )
    first, possible = weeks[0]["value"], auc["oracle"]["value"] - auc["blind"]["value"]
    axis.axhline(first + possible / 2, color="#8a8a8a", linestyle=":", label="half of what knowing the offsets gives")
    axis.axhline(first + possible, color="#c2571a", linestyle="--", label="all of it")
    axis.axhline(
        auc["limit"]["value"],
        color="#1f5fa8",
        linestyle="-.",
        linewidth=0.8,
        label="the model with 300 verdicts on every style",
    )
    axis.set(xlabel="weeks of feedback", ylabel="fit: mean one-vs-rest AUC", xticks=range(len(weeks)))
    axis.set_title(f"Feedback without another fit, {found['lines'][-1]:,} lines by the end", fontsize=10)
    axis.legend(frameon=False, fontsize=9)
    figure.savefig(out, dpi=130)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=SHIPPED_CHECKPOINT, metavar="DIR", help="the shipped one unless given")
    parser.add_argument("--seed", type=int, default=101, help="of a shop that the checkpoint was not fitted on")
    parser.add_argument("--shoppers", type=int, default=4000)
    parser.add_argument("--garments", type=int, default=600)
    parser.add_argument("--brands", type=int, default=150)
    parser.add_argument("--orders", type=int, default=24_000, help="in all weeks, of everybody (default %(default)s)")
    parser.add_argument("--weeks", type=int, default=10)
    parser.add_argument("--logs", type=int, default=100, help="simulated logs for the estimator; 0 for none")
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a PNG of the AUC by week")
    told = parser.parse_args(arguments)
    torch.set_num_threads(1)
    checkpoint = load_checkpoint(told.checkpoint)
    size = {name: getattr(told, name) for name in ("seed", "shoppers", "garments", "brands", "orders")}
    options = SimConfig(**size, days=7.0 * told.weeks, holdout_share=0.2)
    found = measure(checkpoint, options, told.weeks, told.resamples, told.logs)
    if told.plot:
        draw(found, told.plot)
    sys.stdout.write(json.dumps(rounded({"model": checkpoint.manifest.fingerprint, "data": size, **found})) + "\n")


if __name__ == "__main__":
    main()

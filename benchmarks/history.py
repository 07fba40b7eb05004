"""What fit history is worth where garments do to sizes what nobody tells: `python -m benchmarks.history [--checkpoint DIR]`.

Of a simulated shop that the checkpoint was not fitted on, people and garments are taken as they ordered; each garment then
gets the verdicts of exactly k other shoppers, drawn from the truth, and the model is asked before any verdict of the shopper
themselves. Losses are expected ones under the true probabilities, so that no luck of the outcomes is in them. Beside the
model: `blind`, who knows bodies, sizes, cuts and cloth but averages over what is untold; `observer`, who knows as much and
also sees the bodies and verdicts of the k buyers (a Bayesian posterior, the most that k verdicts can teach); and `oracle`,
who knows what is untold. A share is of what the oracle gains over the blind. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from train.data import labels
from train.data.sim import Shop, SimConfig, build_shop
from train.data.untold import UNTOLD_STEPS, averaged
from train.evaluate import embed, fuse
from train.export import rounded
from train.resample import RESAMPLES, Resamples, interval
from train.rows import Rows
from train.sim_rows import sim_data
from tryon_core.batch import FIT_CLASSES, Column
from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.checkpoint import Checkpoint, load_checkpoint
from tryon_core.history import FitEvent, History
from tryon_core.tasks import TASKS

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
EVENTS = (0, 1, 3, 6, 12, 24)
_GRID = np.linspace(-4, 4, 161) * UNTOLD_STEPS
"""Untold offsets between which a posterior is summed, in steps."""


@dataclass(frozen=True)
class Verdicts:
    """What K buyers of one style found, in the order in which they came."""

    garment: Ints
    """int64[K], each of the style."""
    size: Ints
    fit: Ints
    latent: Array
    """float64[K], steps by which the buyers' bodies are too big, the cut's ease taken off and nothing untold."""


def told_ease(shop: Shop) -> Array:
    """Return float64[G], the steps by which garments' cuts are known to be made for larger bodies."""
    return np.array([labels.CUT_EASE[garment.cut] for garment in shop.garments])


def draw_verdicts(shop: Shop, style: Ints, num: int, rng: np.random.Generator) -> Verdicts:
    """Return the verdicts of so many people, of the style's department, each on one of its garments.

    Args:
        style: numbers of the style's garments.
    """
    truth, garment = shop.truth, rng.choice(style, num)
    people = rng.choice(np.flatnonzero(truth.shops_in == truth.department[style[0]]), num)
    size = labels.choose_sizes(truth, people, garment, rng)
    fit, _ = labels.oracle(truth, people, garment, size)
    outcome, _ = labels.draw_outcomes(fit, labels.agreement(truth, people, garment), rng)
    return Verdicts(garment, size, outcome, labels.steps_over(truth, people, garment, size) - told_ease(shop)[garment])


def history_of(shop: Shop, verdicts: Verdicts, num: int) -> History:
    """Return the history of a style's first verdicts, all of today and each of another shopper."""
    history = History()
    for at in range(num):
        garment = shop.garments[verdicts.garment[at]]
        label = garment.sizes[verdicts.size[at]][0]
        history.add(FitEvent(garment.style_id, label, f"buyer-{at}", FIT_CLASSES[verdicts.fit[at]], 0.0))
    return history


def observer(latent: Array, stretch: Array, verdicts: Verdicts, gives: Array, num: int) -> Array:
    """Return P(small, fit, large), float64[N, 3], of who knows the bodies behind a style's first verdicts.

    Args:
        latent: float64[N], as `untold.averaged` takes it, of those who are asked about.
        stretch: float64[N], of their garments.
        gives: float64[K], of the garments of the verdicts.
    """
    log_odds = -0.5 * np.square(_GRID / UNTOLD_STEPS)
    for at in range(num):
        seen = labels.fit_probabilities(verdicts.latent[at] - _GRID, gives[at])[:, verdicts.fit[at]]
        log_odds = log_odds + np.log(np.maximum(seen, 1e-300))
    odds = np.exp(log_odds - log_odds.max())
    wide = (latent[:, None] - _GRID).ravel()
    each = labels.fit_probabilities(wide, np.repeat(stretch, len(_GRID))).reshape(len(latent), len(_GRID), 3)
    return np.asarray(np.einsum("nkc,k->nc", each, odds / odds.sum()))


def measure(checkpoint: Checkpoint, options: SimConfig, events: Sequence[int], num_resamples: int) -> dict[str, Any]:
    """Return the losses by number of verdicts, and the shares of the oracle's gain, with 95 % intervals over styles."""
    shop = build_shop(options)
    rows = sim_data(checkpoint.model.config, options, ("val",)).splits["val"]
    orders, told = shop.orders, told_ease(shop)
    chosen = np.flatnonzero(shop.holdout[orders.shopper])
    shopper, garment, size = orders.shopper[chosen], orders.garment[chosen], orders.size[chosen]
    latent = labels.steps_over(shop.truth, shopper, garment, size) - told[garment]
    stretch, truth = shop.truth.stretch[garment], orders.oracle_fit[chosen]
    _, style = np.unique([own.style_id for own in shop.garments], return_inverse=True)
    rng = np.random.default_rng([options.seed, 1])
    verdicts = {
        int(number): draw_verdicts(shop, np.flatnonzero(style == number), max(events), rng)
        for number in np.unique(style[garment])
    }
    losses = {"oracle": _expected(truth, truth), "blind": _expected(truth, averaged(latent, stretch))}
    ask = _model(checkpoint, rows)
    for num in events:
        features = np.zeros_like(rows.parts["history"].values[: len(chosen)])
        seen = np.zeros_like(truth)
        for number, own in verdicts.items():
            mine = np.flatnonzero(style[garment] == number)
            history = history_of(shop, own, num)
            for row in mine:
                bought = shop.garments[garment[row]]
                features[row] = history.features(bought.style_id, bought.sizes[size[row]][0], None, 0.0)
            seen[mine] = observer(latent[mine], stretch[mine], own, shop.truth.stretch[own.garment], num)
        losses[f"model {num}"] = _expected(truth, ask(features))
        losses[f"observer {num}"] = _expected(truth, seen)
    return _told(losses, events, Resamples(style[garment], num_resamples) if num_resamples else None)


def _model(checkpoint: Checkpoint, rows: Rows) -> Any:
    """Return what answers P(small, fit, large), float64[N, 3], of the rows with other histories."""
    model, temperature = checkpoint.model, checkpoint.manifest.temperature("fit")
    shown = {part: column for part, column in rows.parts.items() if part != "history"}
    embedded = embed(model, Rows(shown, rows.targets))

    def ask(features: npt.NDArray[np.float32]) -> Array:
        history = {"history": Column(features, np.arange(len(rows)))}
        own = embed(model, Rows(history, rows.targets))
        raw = fuse(model, {**embedded, **own}, Rows({**shown, **history}, rows.targets))["fit"]
        return np.asarray(TASKS["fit"].predict(torch.from_numpy(raw), temperature).double().numpy())

    return ask


def _expected(truth: Array, claimed: Array) -> Array:
    """Return float64[N], the loss to be expected of each row, in nats."""
    return np.asarray(-(truth * np.log(np.maximum(claimed, 1e-12))).sum(axis=1))


def _told(losses: Mapping[str, Array], events: Sequence[int], resamples: Resamples | None) -> dict[str, Any]:
    names = list(losses)
    values = np.stack([losses[name] for name in names], axis=1)
    mean = dict(zip(names, values.mean(axis=0), strict=True))
    drawn = {} if resamples is None else dict(zip(names, resamples.means(values).T, strict=True))
    first = min(events)
    shares: dict[str, Any] = {}
    for who in ("model", "observer"):
        for num in events:
            share = _share(mean, f"{who} {first}", f"{who} {num}")
            shares.setdefault(who, {})[str(num)] = {"share": share} | (
                {"interval": interval(_share(drawn, f"{who} {first}", f"{who} {num}"))} if drawn else {}
            )
    return {"num": len(values), "nll": {name: float(value) for name, value in mean.items()}, "share_of_oracles_gain": shares}


def _share(losses: Mapping[str, Any], without: str, with_history: str) -> Any:
    return (losses[without] - losses[with_history]) / (losses["blind"] - losses["oracle"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=SHIPPED_CHECKPOINT, metavar="DIR", help="the shipped one unless given")
    parser.add_argument("--seed", type=int, default=101, help="of a shop that the checkpoint was not fitted on")
    parser.add_argument("--shoppers", type=int, default=4000)
    parser.add_argument("--garments", type=int, default=600)
    parser.add_argument("--brands", type=int, default=150)
    parser.add_argument("--orders", type=int, default=24_000)
    parser.add_argument("--events", type=int, nargs="+", default=list(EVENTS), metavar="K")
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    told = parser.parse_args(arguments)
    torch.set_num_threads(1)
    checkpoint = load_checkpoint(told.checkpoint)
    size = {name: getattr(told, name) for name in ("seed", "shoppers", "garments", "brands", "orders")}
    result = measure(checkpoint, SimConfig(**size), sorted({0, *told.events}), told.resamples)
    sys.stdout.write(json.dumps(rounded({"model": checkpoint.manifest.fingerprint, "data": size, **result})) + "\n")


if __name__ == "__main__":
    main()

"""How near the body is told to what could be told: `python -m benchmarks.body_floor [--checkpoint DIR]`.

On held-out people of a simulated shop: errors of chest, waist and hip by the model with words only, with the photo only and
with both, beside regressions fitted on the shop's other people. `words` knows sex and the numbers that the words told
(height, weight, usual size, each where told); `floor` knows as well the true frontal breadths as shares of the stature,
which is what a perfect look at a photo gives; `floor_cm` knows them in cm, which no photo tells. Prints one JSON object.
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

from train.coverage import one_row_each
from train.data import labels
from train.data.sim import Shop, SimConfig, build_shop
from train.evaluate import embed, fuse_known
from train.export import rounded
from train.resample import RESAMPLES, Resamples, interval
from train.sim_rows import sim_data
from tryon_core.batch import MEASUREMENTS
from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.checkpoint import Checkpoint, load_checkpoint
from tryon_core.tasks import TASKS
from tryon_core.words import parse

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
TARGETS = ("chest_cm", "waist_cm", "hip_cm")
BREADTHS = ("shoulder_breadth_cm", "chest_breadth_cm", "waist_breadth_cm", "hip_breadth_cm")
_DEPARTMENT = {"female": "women", "male": "men"}
_RIDGE = 1.0
_FEWEST = 40
"""People of one sex who told the same things, from whom on they have a regression of their own."""


@dataclass(frozen=True)
class People:
    """P people and what is known of them."""

    sex: npt.NDArray[np.int8]
    told: Array
    """float64[P, 3]: height in cm, weight in kg and the usual size's typical girth in cm as the words told; NaN untold."""
    breadths: Array
    """float64[P, B], cm."""
    height: Array
    """float64[P], cm, the true one."""
    girths: Array
    """float64[P, T], cm, the targets."""

    def take(self, chosen: Ints) -> People:
        """Return the chosen people."""
        return People(*(getattr(self, name)[chosen] for name in ("sex", "told", "breadths", "height", "girths")))


def people_of(shop: Shop) -> People:
    """Return everybody in a shop."""
    column = shop.bodies.column
    return People(
        shop.bodies.sex,
        np.array([_told(shop, at) for at in range(len(shop.shoppers))]),
        np.stack([column(name) for name in BREADTHS], axis=1).astype(np.float64),
        column("height_cm").astype(np.float64),
        np.stack([column(name) for name in TARGETS], axis=1).astype(np.float64),
    )


def _told(shop: Shop, at: int) -> tuple[float, float, float]:
    shopper = shop.shoppers[at]
    tokens = parse(shopper.words)
    heights = [t.value for t in tokens if t.word == "<cm>" and t.value and 120 < t.value < 230]
    weights = [t.value for t in tokens if t.word == "<kg>" and t.value and 30 < t.value < 250]
    sized = any(token.word.startswith("<size:") for token in tokens)
    usual = labels.typical_girth(_DEPARTMENT[shopper.sex], shopper.usual_size) if sized else np.nan
    return (heights or [np.nan])[0], (weights or [np.nan])[0], usual


def regressed(train: People, val: People, seen: str) -> Array:
    """Return val's targets, float64[N, T], by quadratic ridge regressions of those of the same sex who told the same.

    Where too few told the same, the rest of their sex, of whom the untold is taken for the mean, stand in.

    Args:
        seen: ``words``; ``floor``, with breadths as shares of the stature; or ``floor_cm``, with breadths in cm.
    """
    predicted = np.zeros_like(val.girths)
    kinds, own_kinds = (2 ** np.arange(3) @ ~np.isnan(who.told).T + 8 * who.sex for who in (train, val))
    for kind in np.unique(own_kinds):
        asked = np.flatnonzero(own_kinds == kind)
        like = np.flatnonzero(kinds == kind)
        if len(like) < _FEWEST:
            like = np.flatnonzero(train.sex == val.sex[asked[0]])
        known = ~np.isnan(val.told[asked[0]])
        given = _inputs(train.take(like), known, seen)
        mean = np.nanmean(given, axis=0)
        given = np.where(np.isnan(given), mean, given)
        spread = given.std(axis=0) + 1e-9
        x, new = (_quadratic((side - mean) / spread) for side in (given, _inputs(val.take(asked), known, seen)))
        centre = train.girths[like].mean(axis=0)
        penalty = _RIDGE * np.eye(x.shape[1])
        penalty[0, 0] = 0.0
        weights = np.linalg.solve(x.T @ x + penalty, x.T @ (train.girths[like] - centre))
        predicted[asked] = new @ weights + centre
    return predicted


def _inputs(people: People, known: npt.NDArray[np.bool_], seen: str) -> Array:
    told = people.told[:, known]
    if seen == "words":
        return told
    return np.hstack([told, people.breadths if seen == "floor_cm" else people.breadths / people.height[:, None]])


def _quadratic(x: Array) -> Array:
    upper = np.triu_indices(x.shape[1])
    products = (x[:, :, None] * x[:, None, :])[:, upper[0], upper[1]]
    return np.hstack([np.ones((len(x), 1)), x, products])


def measure(checkpoint: Checkpoint, options: SimConfig, num_resamples: int) -> dict[str, Any]:
    """Return mean errors in cm, what the photo takes off them, and how far they are over the floor, with 95 % intervals."""
    shop = build_shop(options)
    everybody = people_of(shop)
    rows = sim_data(checkpoint.model.config, options, ("val",)).splits["val"]
    once = one_row_each(rows)
    val = everybody.take(rows.extra["shopper"][once])
    train = everybody.take(np.flatnonzero(~shop.holdout))
    columns = [MEASUREMENTS.index(name) for name in TARGETS]
    claimed = {f"model_{known}": own for known, own in _bodies(checkpoint, rows).items()}
    claimed = {name: own[once][:, columns] for name, own in claimed.items()}
    claimed |= {f"regression_{seen}": regressed(train, val, seen) for seen in ("words", "floor", "floor_cm")}
    errors = {name: np.abs(own - val.girths) for name, own in claimed.items()}
    both_told = np.asarray(~np.isnan(val.told[:, :2]).any(axis=1))
    groups = {"everybody": np.ones(len(val.height), dtype=bool), "height_and_weight_told": both_told}
    return {name: _compared(errors, chosen, num_resamples) for name, chosen in groups.items()}


def _bodies(checkpoint: Checkpoint, rows: Any) -> dict[str, Array]:
    """Return by what is known the measurements of every row, float64[N, M]."""
    model = checkpoint.model
    outputs = fuse_known(model, embed(model, rows), rows)
    raw = {known: torch.from_numpy(own["body"]) for known, own in outputs.items() if known != "nothing"}
    return {known: TASKS["body"].predict(own, 1.0).double().numpy() for known, own in raw.items()}


def _compared(errors: Mapping[str, Array], chosen: npt.NDArray[np.bool_], num_resamples: int) -> dict[str, Any]:
    resamples = Resamples(np.arange(int(chosen.sum())), num_resamples) if num_resamples else None
    result: dict[str, Any] = {"num": int(chosen.sum())}
    for column, target in enumerate(TARGETS):
        own = {name: error[chosen, column] for name, error in errors.items()}
        mean = {name: float(error.mean()) for name, error in own.items()}
        result[target] = {"mae_cm": mean, **_ratios(mean)}
        if resamples is not None:
            drawn = dict(zip(own, resamples.means(np.stack([*own.values()], axis=1)).T, strict=True))
            result[target]["interval"] = {name: interval(samples) for name, samples in _ratios(drawn).items()}
    return result


def _ratios(mae: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "less_by_photo": 1 - mae["model_both"] / mae["model_words"],
        "over_floor": mae["model_both"] / mae["regression_floor"],
        "over_floor_cm": mae["model_both"] / mae["regression_floor_cm"],
        "words_over_words": mae["model_words"] / mae["regression_words"],
        "possible_less_by_photo": 1 - mae["regression_floor"] / mae["regression_words"],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=SHIPPED_CHECKPOINT, metavar="DIR", help="the shipped one unless given")
    parser.add_argument("--seed", type=int, default=101, help="of a shop that the checkpoint was not fitted on")
    parser.add_argument("--shoppers", type=int, default=12_000)
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    told = parser.parse_args(arguments)
    torch.set_num_threads(1)
    checkpoint = load_checkpoint(told.checkpoint)
    size = {"seed": told.seed, "shoppers": told.shoppers}
    options = SimConfig(**size, garments=60, brands=10, orders=6 * told.shoppers)
    result = measure(checkpoint, options, told.resamples)
    sys.stdout.write(json.dumps(rounded({"model": checkpoint.manifest.fingerprint, "data": size, **result})) + "\n")


if __name__ == "__main__":
    main()

"""How good advice is, on shoppers of a simulated shop that nobody was fitted on: `python -m benchmarks.advice`.

Prints one JSON object. By what is known of the shopper: for bounds on P(no size fits), how often that is said, how often it
is right by the simulation's own truth, and what a shop wins by saying it; for bounds on how near two sizes may be, how often
two are named and whether the first is the better; how sure answers are, beside how often the size fits; and how often what
is called tight or loose in the size recommended is so on the true body.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from train.data.sim import Shop, SimConfig, build_shop, mask_of, truth
from train.scores import auc
from train.sim_rows import garment_of
from tryon_core.advice import BOUNDS, none_fits
from tryon_core.batch import MEASUREMENTS, Column
from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.checkpoint import Checkpoint, load_checkpoint
from tryon_core.config import ImageTower
from tryon_core.encoding import encode_texts
from tryon_core.garment import Garment, garment_words
from tryon_core.offers import Offers, Scores, choose, offers_of, score_job
from tryon_core.person import frame_mask
from tryon_core.scoring import score

_FIT = 1
KNOWN = {"both": ("person_mask", "shopper_words"), "words": ("shopper_words",), "photo": ("person_mask",), "nothing": ()}
NONE_FITS = (0.3, 0.4, 0.5, 0.6, 0.7)
NEAR = (0.01, 0.02, 0.03, 0.05, 0.1)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the half-width of a measurement's interval."""
RETURN_COSTS = (0.5, 1.0)
"""What a return costs, where a garment that is kept wins 1."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A shopper before the sizes of a garment that may be recommended."""

    claimed: Floats
    """float64[S, 3]"""
    true: Floats
    """float64[S, 3]"""


def garments_of(shop: Shop) -> list[Garment]:
    """Return the shop's garments as a request brings them."""
    return [garment_of(shop, number) for number in range(len(shop.garments))]


@torch.inference_mode()
def embeddings_of(checkpoint: Checkpoint, shop: Shop, person: int) -> dict[str, Any]:
    """Return the embeddings of a shopper's mask and words."""
    tower = checkpoint.model.config.towers["person_mask"]
    assert isinstance(tower, ImageTower)
    framed = frame_mask(mask_of(shop, person), tower.height, tower.width)
    mask = checkpoint.model.encode("person_mask", np.stack([framed])).half().numpy()[0]
    (words,) = encode_texts(checkpoint.model, "shopper_words", [shop.shoppers[person].words])
    return {"person_mask": mask, "shopper_words": words}


def scores_of(
    checkpoint: Checkpoint, shop: Shop, garments: Sequence[Garment], people: Sequence[int]
) -> tuple[Offers, dict[str, list[Scores]]]:
    """Return the rows of every garment, and by what is known of a shopper, each person's scores."""
    said = np.stack(encode_texts(checkpoint.model, "garment_words", [garment_words(g) or "" for g in garments]))
    offers = offers_of(garments, None, None, 0.0)
    columns = {"garment_words": Column(said, np.arange(len(garments)))}
    found: dict[str, list[Scores]] = {name: [] for name in KNOWN}
    for person in people:
        own = embeddings_of(checkpoint, shop, person)
        for name, parts in KNOWN.items():
            job = score_job(offers, {part: own[part] for part in parts}, columns)
            found[name] += score(checkpoint, [job])
    return offers, found


def cases_of(shop: Shop, offers: Offers, scores: Sequence[Scores], people: Sequence[int], seed: int) -> list[Case]:
    """Return a case for every garment of a shopper's own department, each size of which is in stock as often as not."""
    rng, cases = np.random.default_rng(seed), []
    for person, scored in zip(people, scores, strict=True):
        for number in range(len(shop.garments)):
            if shop.truth.department[number] != shop.truth.shops_in[person]:
                continue
            rows = np.flatnonzero(offers.garment == number)
            rows = rows[rng.random(len(rows)) < 0.5]
            if len(rows):
                true, _ = truth(shop, np.array([person]), np.array([number]), offers.size[rows])
                cases.append(Case(scored.fit[rows].astype(np.float64), true))
    return cases


def none_figures(cases: Sequence[Case]) -> dict[str, Any]:
    """Return how "no size fits" does at each bound, and how a bound on the best size's own P(fit) ranks the same."""
    claimed = np.array([none_fits(case.claimed) for case in cases])
    true = np.array([none_fits(case.true) for case in cases])
    best = np.array([case.claimed[:, _FIT].max() for case in cases])
    chosen = np.array([case.true[case.claimed[:, _FIT].argmax(), _FIT] for case in cases])
    found: dict[str, Any] = {
        "cases": len(cases),
        "true_none_fits": float(true.mean()),
        "claimed_none_fits": float(claimed.mean()),
        "confidence": float(best.mean()),
        "fits": float(chosen.mean()),
        "auc": float(auc(claimed, true >= 0.5)),
        "auc_of_best_fit": float(auc(-best, true >= 0.5)),
    }
    for bound in NONE_FITS:
        told = claimed >= bound
        found[f"at_{bound}"] = {
            "told": float(told.mean()),
            "none_fits_where_told": _mean(true[told]),
            "right_where_told": _mean(true[told] >= 0.5),
            "found_of_all_such": _mean(told[true >= 0.5]),
            "size_fits_where_told": _mean(chosen[told]),
            "size_fits_elsewhere": _mean(chosen[~told]),
            "won_per_100": {
                f"return_costs_{cost:g}": 100 * float(-(chosen - cost * (1 - chosen))[told].sum() / len(cases))
                for cost in RETURN_COSTS
            },
        }
    return found


def between_figures(cases: Sequence[Case], bound: float = BOUNDS.none_fits) -> dict[str, Any]:
    """Return, for each bound on how near two sizes are, how often two are named and how the two do."""
    sizes = [case for case in cases if len(case.claimed) > 1 and none_fits(case.claimed) < bound]
    pairs = np.array([np.argsort(-case.claimed[:, _FIT], kind="stable")[:2] for case in sizes])
    claimed = np.array([case.claimed[pair, _FIT] for case, pair in zip(sizes, pairs, strict=True)])
    true = np.array([case.true[pair, _FIT] for case, pair in zip(sizes, pairs, strict=True)])
    found: dict[str, Any] = {}
    for near in NEAR:
        told = claimed[:, 0] - claimed[:, 1] <= near
        found[f"at_{near}"] = {
            "told": _mean(told),
            "first_fits": _mean(true[told, 0]),
            "second_fits": _mean(true[told, 1]),
            "first_is_the_better": _mean(true[told, 0] >= true[told, 1]),
            "first_is_the_better_elsewhere": _mean(true[~told, 0] >= true[~told, 1]),
        }
    return found


def ease_figures(
    checkpoint: Checkpoint, shop: Shop, offers: Offers, scores: Mapping[str, Sequence[Scores]], people: Sequence[int]
) -> dict[str, Any]:
    """Return, by what is known, how often a girth outside the chart's range of the size recommended is so on the body."""
    found: dict[str, Any] = {}
    for name in ("both", "words", "photo"):
        widths, seen = checkpoint.manifest.half_widths(KNOWN[name]), []
        for person, own in zip(people, scores[name], strict=True):
            body = dict(zip(MEASUREMENTS, map(float, own.body[0]), strict=True))
            for choice in choose(offers, own):
                if shop.truth.department[choice.garment] == shop.truth.shops_in[person]:
                    chart = shop.garments[choice.garment].sizes[int(offers.size[choice.row])][1]
                    for key, (low, high) in chart.items():
                        actual = float(shop.bodies.column(key)[person])
                        away, right = body[key] - high, actual > high
                        if body[key] < low:
                            away, right = low - body[key], actual < low
                        seen.append((away, away / widths[key], right))
        found[name] = {f"of_half_width_{share:g}": _said(np.array(seen), share) for share in SHARES}
    return found


def _said(seen: Floats, share: float) -> dict[str, float | None]:
    """Return how often a place is spoken of, and how often rightly; see `serve.ease.telling`."""
    told = (seen[:, 0] >= 1.0) & (seen[:, 1] >= share)
    return {"said": _mean(told), "right": _mean(seen[told, 2])}


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(values.mean()) if values.size else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default=SHIPPED_CHECKPOINT)
    parser.add_argument("--shoppers", type=int, default=300)
    parser.add_argument("--garments", type=int, default=60)
    parser.add_argument("--seed", type=int, default=77)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    size = {"shoppers": options.shoppers, "garments": options.garments, "brands": max(1, options.garments // 6)}
    shop = build_shop(SimConfig(seed=options.seed, orders=500, **size))
    checkpoint, garments, people = load_checkpoint(options.checkpoint), garments_of(shop), range(options.shoppers)
    offers, scores = scores_of(checkpoint, shop, garments, people)
    report: dict[str, Any] = {}
    for name in KNOWN:
        cases = cases_of(shop, offers, scores[name], people, options.seed)
        report[name] = {"none": none_figures(cases), "between": between_figures(cases)}
    report["ease"] = ease_figures(checkpoint, shop, offers, scores, people)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()

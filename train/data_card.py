"""DATA_CARD.md of the simulated shop: what is drawn, what its oracle scores, what is modelled and what is not."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.batch import FIT_CLASSES

from .data.bodies import SURVEYED
from .data.labels import STRETCH_STEPS
from .data.sim import Shop, SimConfig, build_shop
from .data_pictures import body_sheet, garment_sheet, label_sheet, people_sheet
from .scores import binary_scores, class_scores, prior_nll

Bools = npt.NDArray[np.bool_]
_SHEETS = {"people": people_sheet, "garments": garment_sheet, "bodies": body_sheet, "labels": label_sheet}
_WORDS_SHOWN, _BLURBS_SHOWN = 8, 6

_TEXT = """# Data card: the simulated shop

Made by `{command}`.
Everything here is drawn by the project's own code from a table of statistics: no photo, no order and no person is real.

## What it is for
To fit and to test a model of shopper and garment where the truth is known, so that a score can be told as a share of what is
possible; and as the data that anybody who clones the project has. It stands in for no shop: refit on your own orders.

## In numbers
{numbers}

{scores}

The oracle knows body, chart, offsets, cloth and taste, and lacks only the whim of the moment; no model can be expected to
score better. A model is fitted on `train` and scored on `val`, people of their own, each photographed by one of
{unseen_cameras} cameras that took nobody else. Of the {num_brands} brands {unseen_brands} have no row in `train`; the
rows of `val` that are of them say so (`unseen_brand`). What people outside `val` ordered of those brands makes their fit
history only, as in a shop whose model is older than a brand.

## People
![twelve people, photos above, masks as the model sees them below](people.png)

Bodies have {num_traits} traits: the nine measurements, breadths and depths, heights, and limbs' girths. They are drawn
together from the means and covariances (of logarithms, per sex) of ANSUR II (2012, US Government work), spread
{spread:g} times as wide; `--bodies DIR` draws about the people of survey files instead. No girth is computed from a
width: girths and breadths are drawn jointly, so that a camera leaves as much unknown as in life. A figure is drawn from
breadths, depths, heights and limb widths as shares of the stature, so that a photo tells shape and never scale.

![measurements: bars are drawn people, lines the survey's statistics](bodies.png)

A photo is asked for in clothes that fit closely, arms a little away from the body. Most comply; the others come in loose
tops, jackets, skirts and heels, hold a bag, put a hand on the hip, in front of or behind the body, and stand on one leg.
Cameras are rigs (distance, height, aim, roll, lens, noise, tone). Rooms have floors, things, shadows and light from one
side, as far as a segmenter feels them. Masks have a segmenter's faults.

## Garments
![garments of eight categories](garments.png)

Eight categories, twelve colours, five patterns, three cuts and five weaves, drawn as product photos. A style has one to
three colours, a cut offset that no chart tells (SD half a size step), and a brand with a bias (SD 0.35 steps) and a
ladder of its own, in letters, EU or US sizes; a fifth publishes no chart. Cloth stretches by its weave and its elastane:
what stretches fully is called small only {stretch_steps:g} steps later. Words tell the composition in two of three
descriptions and leave out a good part of what is seen.

{blurbs}

## Labels
![the truth by ease, without and with stretch, and the classes by category](labels.png)

`small`, `fit` or `large` comes from the ease between a body and what the garment is really made for, with logistic noise. An
order is kept by fit and taste: colour, cut, pattern and category that the shopper likes, and what they want none of.
A quarter of the orders tell no fit. The code that decides labels imports neither the renderers nor the texts.

## Words
A quarter write Chinese. Units are mixed, numbers rounded, parts left out, letters swapped, one height in seventy is ten
centimetres off. People are as wrong about themselves as the survey's people were: men call themselves 2.3 cm taller, women
1.2 cm, and the heavier the person the lighter they say they are.

{words}

## What is not modelled
Children, pregnancy, wheelchairs and prostheses, bodies unlike the survey's (US soldiers of 2012: adult, fit, few over 65);
faces, hands, fabrics that drape over the body in three dimensions, mirrors, several people, crops; returns for lateness,
price or damage; seasons and fashion; body change over time; languages beyond English and Chinese.

## Limits of use
What is validated here only is validated on drawn people only. It says whether a model learns what there is to learn, not
how it does on real photos or in a real shop, nor that it treats groups alike outside of what was drawn.
"""


def write_data_card(config: SimConfig, out: Path, command: str) -> int:
    """Write DATA_CARD.md and its pictures into a folder, made where missing; return their size in bytes."""
    shop = build_shop(config)
    out.mkdir(parents=True, exist_ok=True)
    for name, sheet in _SHEETS.items():
        sheet(shop).save(out / f"{name}.png", optimize=True)
    (out / "DATA_CARD.md").write_text(data_card(shop, command), encoding="utf-8")
    return sum(path.stat().st_size for path in out.iterdir())


def data_card(shop: Shop, command: str) -> str:
    """Return the card's Markdown; its pictures lie beside it."""
    unseen = {garment.brand_number for garment, aside in zip(shop.garments, shop.unseen, strict=True) if aside}
    return _TEXT.format(
        command=command,
        numbers=_numbers(shop),
        scores=_scores(shop),
        unseen_cameras=len({id(s.view.rig) for s, held in zip(shop.shoppers, shop.holdout, strict=True) if held}),
        unseen_brands=len(unseen),
        num_brands=len({garment.brand_number for garment in shop.garments}),
        num_traits=len(SURVEYED),
        spread=shop.config.spread,
        stretch_steps=STRETCH_STEPS,
        blurbs=_listed(
            [f"{g.title} — {g.description or '(no description)'}" for g in shop.garments[:: _step(shop.garments)]]
        ),
        words=_listed([s.words or "(nothing)" for s in shop.shoppers[:_WORDS_SHOWN]]),
    )


def _step(garments: list[Any]) -> int:
    return max(1, len(garments) // _BLURBS_SHOWN)


def _listed(texts: list[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _numbers(shop: Shop) -> str:
    """Return how the shop was drawn, as a table."""
    told = asdict(shop.config)
    lines = ["| what | how much |", "|---|---|"]
    return "\n".join(
        lines + [f"| {f.name.replace('_', ' ')} | {told[f.name]} |" for f in fields(shop.config) if told[f.name] != ""]
    )


def _scores(shop: Shop) -> str:
    """Return the classes' shares and the oracle's scores by split, and of held-out people in unseen brands."""
    held, unseen = shop.holdout[shop.orders.shopper], shop.unseen[shop.orders.garment]
    groups = {"train": ~held & ~unseen, "val": held, "val, unseen brands": held & unseen}
    header = ["rows", *(f"{name}" for name in FIT_CLASSES), "oracle AUC", "oracle NLL", "prior NLL", "kept"]
    header += ["match: oracle AUC", "oracle NLL", "prior NLL"]
    lines = ["| orders of | " + " | ".join(header) + " |", "|---" * (len(header) + 1) + "|"]
    return "\n".join(
        lines + [f"| {name} | {' | '.join(_scored(shop, rows))} |" for name, rows in groups.items() if rows.any()]
    )


def _scored(shop: Shop, rows: Bools) -> list[str]:
    orders, told = shop.orders, rows & (shop.orders.fit >= 0)
    fit, kept = orders.fit[told], orders.kept[rows].astype(np.int64)
    share = np.bincount(fit, minlength=3) / max(len(fit), 1)
    truth = class_scores(orders.oracle_fit[told], fit, FIT_CLASSES)
    match = binary_scores(orders.oracle_kept[rows], kept > 0)
    numbers = [
        *share,
        truth["auc_mean"],
        truth["nll"],
        prior_nll(fit),
        kept.mean(),
        match["auc"],
        match["nll"],
        prior_nll(kept),
    ]
    return [f"{int(rows.sum()):,}", *(f"{number:.3f}" for number in numbers)]

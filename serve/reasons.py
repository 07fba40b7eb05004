"""Which reasons there are for a size, and in which order; how they are said is in `sentences`.

The first is what is advised. At most `MOST` more follow, those first that decide most: where the size is tight, or else
loose; how the garment has turned out for others; who kept it; whether it is right by its chart; whether its cloth gives;
what it has of what the shopper asked for. None speaks of weight or of anybody's size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.advice import BOUNDS, Bounds, advise, none_fits, roomier
from tryon_core.garment import Garment, garment_words
from tryon_core.history import Verdicts

from .ease import GIRTHS, telling
from .kept import Kept
from .schema_advice import Advised
from .traits import agreed, stretches

MOST = 3
"""Reasons beside the advice."""
_RISK = 0.1
"""Chance from which on it is told which way a size may fail."""
_ENOUGH = 5.0
"""Aged verdicts on a garment from which on they are told."""
_LEANS = 0.15
"""By how much more of the smoothed verdicts are too small than too large, or the other way, where a garment runs so."""
_TRUE = 0.8
"""Smoothed share of the verdicts that fit where a garment is true to size; without any it is 0.74."""
_SMALL, _FIT, _LARGE = range(3)


@dataclass(frozen=True)
class Reason:
    """One reason, for programs; `sentences.say` makes a sentence of it."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Offer:
    """One garment as a shopper is advised about it."""

    garment: Garment
    fit: npt.NDArray[np.floating]
    """float[S, 3], P(small), P(fit), P(large) of each of its sizes."""
    in_stock: npt.NDArray[np.bool_]
    """bool[S], which may be recommended."""
    best: int
    """The one that is, which is in stock."""
    ease: Mapping[str, float] = field(default_factory=dict)
    """Of the best size, see `ease.ease_of`."""
    widths: Mapping[str, float] = field(default_factory=dict)
    """Half of the interval around each of the shopper's measurements, cm, where it is told."""
    verdicts: Verdicts | None = None
    """How the garment has turned out for others; None where there is no history."""
    kept: Kept | None = None
    traits: frozenset[str] = frozenset()
    """What the shopper's words name."""


def reasons_for(offer: Offer, bounds: Bounds = BOUNDS) -> tuple[Advised, list[Reason]]:
    """Return what is advised, and the reasons for it: see `schema.RecommendationOut.advice`."""
    if not offer.garment.sizes:
        return "style_only", [Reason("style_only"), *_about(offer)][: 1 + MOST]
    places = np.flatnonzero(offer.in_stock)
    kind, second = advise(offer.fit[places], int(np.flatnonzero(places == offer.best)[0]), bounds)
    if kind == "no_size_fits":
        first = _none(offer, places, bounds)
    elif second is not None:
        first = _between(offer, int(places[second]))
    else:
        first = _likeliest(offer)
    return kind, [first, *_about(offer)][: 1 + MOST]


def _likeliest(offer: Offer) -> Reason:
    small, fit, large = map(float, offer.fit[offer.best])
    code = "likeliest" if offer.fit[offer.best, _FIT] >= offer.fit[:, _FIT].max() else "likeliest_in_stock"
    if max(small, large) > _RISK:
        code += "_or_small" if small > large else "_or_large"
    return Reason(code, {"size": _label(offer, offer.best), "share": fit})


def _between(offer: Offer, other: int) -> Reason:
    code = "between_roomier" if roomier(offer.fit, other, offer.best) else "between_closer"
    return Reason(code, _two(offer, other))


def _none(offer: Offer, places: npt.NDArray[np.int64], bounds: Bounds) -> Reason:
    """Return why nothing that may be had will do: what would is sold out, or all is too small, or too large, or neither."""
    best = {"size": _label(offer, offer.best), "share": float(offer.fit[offer.best, _FIT])}
    if none_fits(offer.fit) < bounds.none_fits:
        likeliest = int(offer.fit[:, _FIT].argmax())
        if likeliest in places:
            return Reason("none_in_stock_closest", best)
        return Reason("none_in_stock", _two(offer, likeliest))
    lean = offer.fit[:, _LARGE] - offer.fit[:, _SMALL]
    ends = (0, len(lean) - 1)  # of the list, however it is sorted: else no word on which is the largest
    for end, way, code in ((int(lean.argmax()), _SMALL, "none_small"), (int(lean.argmin()), _LARGE, "none_large")):
        if end in ends and offer.fit[end, way] >= 0.5:
            return Reason(code, {"size": _label(offer, end)})
    return Reason("none_between", best)


def _two(offer: Offer, other: int) -> dict[str, Any]:
    return {
        "size": _label(offer, offer.best),
        "share": float(offer.fit[offer.best, _FIT]),
        "other": _label(offer, other),
        "other_share": float(offer.fit[other, _FIT]),
    }


def _label(offer: Offer, place: int) -> str:
    return offer.garment.sizes[place].label


def _about(offer: Offer) -> Iterator[Reason]:
    """Yield what speaks for or against the size, most decisive first."""
    words = garment_words(offer.garment) or ""
    of = offer.garment.sizes[offer.best].chart_of if offer.garment.sizes else "body"
    out = telling(offer.ease, of, offer.widths)
    if out is not None:
        yield Reason(out[0], {"place": out[1].removesuffix("_cm"), "cm": abs(offer.ease[out[1]])})
    if offer.verdicts is not None:
        yield from _turned_out(offer.verdicts)
    if offer.kept is not None:
        code = "similar_kept" if offer.kept.similar else "size_kept"
        yield Reason(code, {"count": offer.kept.count, "total": offer.kept.total})
    girths = [key for key in offer.ease if key in GIRTHS]
    if of == "body" and len(girths) > 1 and not any(offer.ease.values()):
        yield Reason("within_chart", {"places": [key.removesuffix("_cm") for key in girths]})
    if out is not None and out[0] == "tight" and stretches(words):
        yield Reason("stretch")
    if traits := agreed(offer.traits, words):
        yield Reason("taste", {"traits": traits})


def _turned_out(verdicts: Verdicts) -> Iterator[Reason]:
    """Yield how a garment has turned out; said in whole orders where their number is known."""
    total = float(verdicts.aged.sum())
    if total < _ENOUGH:
        return
    small, fit, large = map(float, verdicts.shares)
    ways = (("runs_small", _SMALL, small > large + _LEANS), ("runs_large", _LARGE, large > small + _LEANS))
    for code, way, runs in (*ways, ("runs_true", _FIT, fit > _TRUE)):
        if runs and verdicts.tally is not None:
            yield Reason(code, {"count": verdicts.tally[way], "total": sum(verdicts.tally)})
        elif runs:
            yield Reason(f"{code}_share", {"share": float(verdicts.aged[way]) / total})

"""From scores to what is said of each garment: sizes with their ease, advice, and reasons in the caller's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from tryon_core.advice import BOUNDS, Bounds
from tryon_core.garment import Garment
from tryon_core.history import History
from tryon_core.offers import Choice, Offers, Scores

from .ease import ease_of
from .kept import Kept
from .languages import DEFAULT, Language
from .reasons import Offer, Reason, reasons_for
from .schema_advice import ReasonOut, RecommendationOut, SizeOut
from .schema_explain import ExplanationOut
from .schema_types import Fit
from .sentences import say


@dataclass(frozen=True)
class Answers:
    """What all garments' answers to one request have in common."""

    offers: Offers
    scores: Scores
    in_stock: npt.NDArray[np.bool_]
    """bool[R], which rows may be recommended."""
    body: Mapping[str, float]
    """The shopper's predicted measurements, cm and kg; empty where nothing is known of the shopper."""
    widths: Mapping[str, float]
    """Half of the interval around each measurement, where it is told."""
    history: tuple[History, float] | None = None
    """Fit history and the day it stands at."""
    traits: frozenset[str] = frozenset()
    """What the shopper's words name."""
    language: Language = DEFAULT
    bounds: Bounds = BOUNDS

    def all_of(
        self,
        garments: Sequence[Garment],
        choices: Sequence[Choice],
        kept: Mapping[int, Kept | None],
        why: Sequence[ExplanationOut],
    ) -> list[RecommendationOut]:
        """Return the answers of choices among garments.

        Args:
            kept: by garment, how many kept the size that is recommended.
            why: what moved the first answers.
        """
        return [
            self.of(garments[choice.garment], choice, kept.get(choice.garment), told)
            for choice, told in zip_longest(choices, why)
        ]

    def of(self, garment: Garment, choice: Choice, kept: Kept | None, why: ExplanationOut | None) -> RecommendationOut:
        """Return one garment's answer; where nothing is known of the shopper, no reason speaks of a body."""
        eases = [ease_of(garment, place, self.body) for place in range(len(garment.sizes))]
        offer = self._offer(garment, choice, kept, eases[self._place(choice)] if eases else {})
        advice, reasons = reasons_for(offer, self.bounds)
        fit = fit_of(self.scores, choice.row)
        return RecommendationOut(
            garment_id=garment.id,
            size=garment.sizes[self._place(choice)].label if eases else None,
            match=float(self.scores.match[choice.row]),
            confidence=fit["fit"],
            fit=fit,
            sizes=[
                SizeOut(label=size.label, match=float(self.scores.match[r]), fit=fit_of(self.scores, int(r)), ease=ease)
                for size, r, ease in zip(garment.sizes, choice.rows, eases, strict=False)
            ],
            advice=advice,
            reasons=said(reasons, self.language),
            reason_codes=[ReasonOut(code=reason.code, values=dict(reason.values)) for reason in reasons],
            explanation=why,
        )

    def _offer(self, garment: Garment, choice: Choice, kept: Kept | None, ease: Mapping[str, float]) -> Offer:
        history, day = self.history or (None, 0.0)
        return Offer(
            garment=garment,
            fit=self.scores.fit[choice.rows],
            in_stock=self.in_stock[choice.rows],
            best=max(0, self._place(choice)),
            ease=ease,
            widths=self.widths,
            verdicts=None if history is None else history.verdicts(garment.history_id, day),
            kept=kept,
            traits=self.traits,
        )

    def _place(self, choice: Choice) -> int:
        """Return which of the garment's sizes is recommended; −1 where it has none."""
        return int(self.offers.size[choice.row])


def said(reasons: list[Reason], language: Language) -> list[str]:
    """Return reasons as sentences."""
    return [say(language, reason.code, reason.values) for reason in reasons]


def fit_of(scores: Scores, row: int) -> dict[Fit, float]:
    """Return a row's probabilities of small, fit and large by name."""
    small, fit, large = map(float, scores.fit[row])
    return {"small": small, "fit": fit, "large": large}

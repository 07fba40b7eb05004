"""The pipeline of a request: assets to features, features and offers to scores, scores to an answer. No HTTP, no torch."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from tryon_core.batch import MEASUREMENTS, Column, distinct
from tryon_core.catalogue import CatalogueItem
from tryon_core.errors import ConfigError
from tryon_core.garment import Garment, garment_words
from tryon_core.manifest import Manifest
from tryon_core.offers import Choice, Offers, ScoreJob, Scores, choose, offers_of, score_job
from tryon_core.refusals import refusal_code
from tryon_core.shopper import Owned

from .batching import Batcher
from .explain import EXPLAINED, Explainer
from .features import Asset, Features
from .live_history import LiveHistory
from .metrics import Timings
from .reasons import reasons_for
from .schema import ExplanationOut, Fit, MeasurementOut, PhotoOut, RecommendationOut, RecommendationsOut, SizeOut
from .wire import Feature

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PHOTO_PARTS = ("person_mask", "photo")
_NEEDED_TASKS = ("fit", "match")
Halves = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Candidate:
    """A garment to consider, with where it stands in the request."""

    garment: Garment
    image: bytes | None = None
    pointer: str = ""
    """JSON pointer or form field of the image."""
    words_pointer: str = ""
    """JSON pointer or form field of the words."""


@dataclass(frozen=True)
class Ask:
    """A shopper and the garments to compare; every part may be missing."""

    candidates: Sequence[Candidate]
    words: str | None = None
    photo: bytes | None = field(default=None, repr=False)
    photo_pointer: str = ""
    top_k: int | None = None
    explain: bool = False
    """Whether the answer tells what the shopper's body is taken for, and what moved it."""
    owned: Sequence[Owned] = ()
    """Garments that the shopper has and how they fit, the latest last."""
    customer: str = ""
    """The hash under which the shopper's own order lines are kept, see `intake.Intake.customer`; empty where unknown."""


class Recommender:
    """Answers with one model.

    Args:
        fusion: gives a job's scores.
        explainer: tells why a row scores as it does.
        history: gives fit history as of now; None where the checkpoint has none.
    """

    def __init__(
        self,
        manifest: Manifest,
        features: Features,
        fusion: Batcher[ScoreJob, Scores],
        explainer: Explainer,
        history: LiveHistory | None,
        catalogue: Sequence[CatalogueItem],
    ) -> None:
        self.manifest, self.features, self._fusion, self._history = manifest, features, fusion, history
        self._explainer = explainer
        self.catalogue = [Candidate(item.garment, item.image) for item in catalogue]

    async def recommend(self, ask: Ask, timings: Timings) -> RecommendationsOut:
        """Return the garments of a request, best first, each with its best size.

        Raises:
            InputError: an image is wrong; the pointer says which.
            UnavailableError: a stage is overloaded or serves another model.
        """
        features = await self.features.get(_assets(ask), timings)
        photo, shopper = self._shopper(ask, features)
        garments = self._garments(ask, features)
        own = [candidate.garment for candidate in ask.candidates]
        seen = None if self._history is None else await self._history.of(own, ask.owned, ask.customer)
        history, day, owned = (None, 0.0, ask.owned) if seen is None else (seen.history, seen.day, seen.own)
        # In a thread: the loop serves everyone, and a large request has thousands of sizes.
        told = partial(offers_of, words=ask.words, owned=owned)
        offers = await asyncio.to_thread(told, own, history, None, day)
        missing = seen is not None and seen.missing
        job = score_job(offers, shopper, garments)
        scores = await self._scores(job, timings)
        choices = choose(offers, scores, in_stock=_in_stock(ask.candidates, offers))[: ask.top_k]
        why = await self._explained(ask, job, choices, timings) if ask.explain else []
        degraded = [f"photo not used: {photo.reason}"] if ask.photo is not None and not photo.used else []
        degraded += ["orders since the model was fitted are not counted: the store does not answer"] if missing else []
        return RecommendationsOut(
            recommendations=[
                _recommendation(ask, choice, offers, scores, known=bool(shopper), why=told)
                for choice, told in zip_longest(choices, why)
            ],
            recommendation_id=secrets.token_hex(16),
            history_as_of=None if seen is None or missing else _moment(day),
            degraded=bool(degraded),
            degraded_reasons=degraded,
            photo=photo,
            measurements=self._measurements(shopper, scores) if ask.explain else None,
            model=self.manifest.fingerprint,
        )

    def num_waiting(self, stage: str) -> int:
        """Return how many items wait for a stage: image, text or fusion."""
        return self._fusion.num_waiting if stage == "fusion" else self.features.num_waiting(stage)

    async def _scores(self, job: ScoreJob, timings: Timings) -> Scores:
        def waited(ms: float) -> None:
            timings.waited(ms)
            timings.add("fusion", -ms)  # it is part of the block below

        with timings.stage("fusion"):
            return await self._fusion.submit(job, waited)

    async def _explained(self, ask: Ask, job: ScoreJob, choices: Sequence[Choice], timings: Timings) -> list[ExplanationOut]:
        """Return what moved the best choices' answers."""
        rows = [choice.row for choice in choices[:EXPLAINED]]
        garments = [garment_words(ask.candidates[choice.garment].garment) for choice in choices[:EXPLAINED]]
        told = ({"shopper_words": ask.words, "garment_words": words} for words in garments)
        texts = [{part: text for part, text in own.items() if text and part in self.features.parts} for own in told]
        return await self._explainer.explain(job, rows, texts, timings)

    def _measurements(self, shopper: Mapping[str, Halves], scores: Scores) -> dict[str, MeasurementOut]:
        """Return what the shopper's body is taken for, each with the bounds of 80 % of people of whom as much is known."""
        widths = self.manifest.half_widths(shopper)
        body = dict(zip(MEASUREMENTS, map(float, scores.body[0]), strict=True)) if len(scores.body) else {}
        return {
            name: MeasurementOut(value=value, low=value - widths[name], high=value + widths[name])
            for name, value in body.items()
            if name in widths
        }

    def _shopper(self, ask: Ask, features: dict[Asset, Feature]) -> tuple[PhotoOut, dict[str, Halves]]:
        """Return what became of the photo, and the shopper's embeddings by part."""
        found = {asset.part: features[asset] for asset in _shopper_assets(ask) if asset in features}
        photo = PhotoOut(used=False, reason=None if ask.photo is None else "this model does not look at photos")
        if "shopper_words" in found:
            found["shopper_words"].check("/shopper")
        for part in _PHOTO_PARTS:
            if part in found:
                found[part].check(ask.photo_pointer)
                reason = found[part].reason or None
                photo = PhotoOut(used=found[part].status == "ok", reason=reason, code=refusal_code(reason))
        return photo, {part: f.embedding for part, f in found.items() if f.embedding is not None}

    def _garments(self, ask: Ask, features: dict[Asset, Feature]) -> dict[str, Column[Halves]]:
        """Return the garments' embeddings, each distinct one once."""
        columns = {}
        for part in ("garment_image", "garment_words"):
            found: list[Feature | None] = []
            for candidate in ask.candidates:
                own = next((a for a in _garment_assets(candidate) if a.part == part), None)
                found.append(features.get(own) if own else None)
                if found[-1] is not None:
                    found[-1].check(candidate.pointer if part == "garment_image" else candidate.words_pointer)
            values, index = distinct([None if f is None else f.embedding for f in found])
            if values:
                columns[part] = Column(np.stack(values), index)
        return columns


def require_tasks(manifest: Manifest, url: str) -> None:
    """Check that a model tells what an answer needs.

    Raises:
        ConfigError: it lacks a task.
    """
    lacking = [task for task in _NEEDED_TASKS if task not in manifest.config.tasks]
    if lacking:
        needed = " and ".join(_NEEDED_TASKS)
        raise ConfigError(f"expected a model with tasks {needed}, got one without {', '.join(lacking)} in {url}")


def _moment(day: float) -> str:
    """Return days since 1970-01-01 as a moment of UTC, to the second before it."""
    return f"{(_EPOCH + timedelta(seconds=int(day * 86_400))).replace(tzinfo=None).isoformat()}Z"


def _assets(ask: Ask) -> list[Asset]:
    return [*_shopper_assets(ask), *(asset for candidate in ask.candidates for asset in _garment_assets(candidate))]


def _shopper_assets(ask: Ask) -> list[Asset]:
    photos = [Asset(part, ask.photo) for part in _PHOTO_PARTS] if ask.photo is not None else []
    return photos + ([Asset("shopper_words", ask.words)] if ask.words else [])


def _garment_assets(candidate: Candidate) -> list[Asset]:
    words = garment_words(candidate.garment)
    image = [Asset("garment_image", candidate.image)] if candidate.image is not None else []
    return image + ([Asset("garment_words", words)] if words else [])


def _in_stock(candidates: Sequence[Candidate], offers: Offers) -> npt.NDArray[np.bool_]:
    sizes = [candidates[g].garment.sizes for g in offers.garment]
    return np.array([s < 0 or own[s].in_stock is not False for own, s in zip(sizes, offers.size, strict=True)], bool)


def _recommendation(
    ask: Ask, choice: Choice, offers: Offers, scores: Scores, *, known: bool, why: ExplanationOut | None
) -> RecommendationOut:
    """Return one garment's answer; where nothing is known of the shopper, no reason speaks of a body."""
    garment = ask.candidates[choice.garment].garment
    position = int(offers.size[choice.row])
    size = garment.sizes[position] if position >= 0 else None
    fit = fit_of(scores, choice.row)
    body = scores.body[choice.row] if len(scores.body) and known else np.zeros(0, np.float32)
    likeliest = bool(scores.fit[choice.row, 1] >= scores.fit[choice.rows, 1].max())
    history = None if offers.history is None else offers.history[choice.row]
    labels = [garment.sizes[int(s)].label for s in offers.size[choice.rows] if s >= 0]
    rows = zip(labels, choice.rows, strict=False)
    return RecommendationOut(
        garment_id=garment.id,
        size=size.label if size else None,
        match=float(scores.match[choice.row]),
        confidence=fit["fit"],
        fit=fit,
        sizes=[SizeOut(label=label, match=float(scores.match[r]), fit=fit_of(scores, int(r))) for label, r in rows],
        reasons=reasons_for(size, fit, body, history, likeliest=likeliest),
        explanation=why,
    )


def fit_of(scores: Scores, row: int) -> dict[Fit, float]:
    """Return a row's probabilities of small, fit and large by name."""
    small, fit, large = map(float, scores.fit[row])
    return {"small": small, "fit": fit, "large": large}

"""The pipeline of a request: assets to features, features and offers to scores, scores to an answer. No HTTP, no torch."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import numpy.typing as npt

from tryon_core.advice import BOUNDS, Bounds
from tryon_core.batch import MEASUREMENTS, Column, distinct
from tryon_core.catalogue import CatalogueItem
from tryon_core.errors import ConfigError, TryonError
from tryon_core.garment import garment_words
from tryon_core.manifest import Manifest
from tryon_core.offers import Choice, Offers, ScoreJob, Scores, choose, offers_of, score_job
from tryon_core.refusals import refusal_code

from .answers import Answers
from .ask import Ask, Candidate, assets_of, garment_assets, require_enough, shopper_assets
from .batching import Batcher
from .degraded import Degraded
from .errors import UnavailableError
from .explain import EXPLAINED, Explainer
from .features import Asset, Features
from .kept import Kept, KeptSource, peers_of
from .languages import Language
from .live_history import LiveHistory
from .metrics import Timings
from .schema import MeasurementOut, PhotoOut, RecommendationsOut
from .schema_explain import ExplanationOut
from .sentences import refusal
from .shopper_parts import PHOTO_PARTS, Known
from .traits import traits_of
from .wire import Feature

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEEDED_TASKS = ("fit", "match")
Halves = npt.NDArray[np.float16]


class Recommender:
    """Answers with one model.

    Args:
        fusion: gives a job's scores.
        explainer: tells why a row scores as it does.
        history: gives fit history as of now; None where the checkpoint has none.
        bounds: where advice changes.
        kept: tells how many kept what they had ordered; None where no orders are kept.
    """

    def __init__(
        self,
        manifest: Manifest,
        features: Features,
        fusion: Batcher[ScoreJob, Scores],
        explainer: Explainer,
        history: LiveHistory | None,
        catalogue: Sequence[CatalogueItem],
        bounds: Bounds = BOUNDS,
        kept: KeptSource | None = None,
    ) -> None:
        self.manifest, self.features, self._fusion, self._history = manifest, features, fusion, history
        self._explainer, self._bounds, self._kept = explainer, bounds, kept
        self.catalogue = [Candidate(item.garment, item.image) for item in catalogue]

    async def recommend(self, ask: Ask, timings: Timings) -> RecommendationsOut:
        """Return the garments of a request, best first, each with its best size.

        Where an encoder cannot be had, the answer does without what it would have told, if something else is known of the
        shopper, or was not given, and likewise of each garment.

        Raises:
            InputError: an image is wrong; the pointer says which.
            UnavailableError: a stage is overloaded or serves another model, and the answer cannot do without.
        """
        found = await self.features.find(assets_of(ask), timings, ask.patience_s)
        degraded = Degraded(ask.language, found.lost)
        for code, values in ask.notes.items():
            degraded.note(code, **values)
        photo, shopper = self._shopper(ask, found.features, degraded)
        garments = self._garments(ask, found.features)
        require_enough(ask, found)
        own = [candidate.garment for candidate in ask.candidates]
        seen = None if self._history is None else await self._history.of(own, ask.owned, ask.customer)
        history, day, owned = (None, 0.0, ask.owned) if seen is None else (seen.history, seen.day, seen.own)
        if seen is not None and seen.missing:
            degraded.note("history_unavailable")
        # In a thread: the loop serves everyone, and a large request has thousands of sizes.
        made = partial(offers_of, words=ask.words, owned=owned)
        offers = await asyncio.to_thread(made, own, history, None, day)
        job = score_job(offers, shopper, garments)
        scores = await self.score(job, timings)
        in_stock = _in_stock(ask.candidates, offers)
        choices = choose(offers, scores, in_stock=in_stock)[: ask.top_k]
        why = await self._explained(ask, job, choices, timings, degraded) if ask.explain else []
        body = dict(zip(MEASUREMENTS, map(float, scores.body[0]), strict=True)) if shopper and len(scores.body) else {}
        kept = await self._kept_of(ask, choices, offers, body, degraded)
        common = Answers(
            offers=offers,
            scores=scores,
            in_stock=in_stock,
            body=body,
            widths=self.manifest.half_widths(shopper),
            history=None if history is None else (history, day),
            traits=traits_of(ask.words or ""),
            language=ask.language,
            bounds=self._bounds,
        )
        return RecommendationsOut(
            recommendations=await asyncio.to_thread(common.all_of, own, choices, kept, why),
            recommendation_id=secrets.token_hex(16),
            history_as_of=None if seen is None or seen.missing else _moment(day),
            degraded=bool(degraded.codes),
            degraded_reasons=degraded.sentences(),
            degraded_codes=degraded.codes,
            photo=photo,
            measurements=self.measurements(shopper, scores, weight=bool(ask.explain)),
            model=self.manifest.fingerprint,
        )

    def num_waiting(self, stage: str) -> int:
        """Return how many items wait for a stage: image, text or fusion."""
        return self._fusion.num_waiting if stage == "fusion" else self.features.num_waiting(stage)

    async def score(self, job: ScoreJob, timings: Timings) -> Scores:
        """Return what the model says of a job's rows.

        Raises:
            UnavailableError: fusion is overloaded or serves another model.
        """

        def waited(ms: float) -> None:
            timings.waited(ms)
            timings.add("fusion", -ms)  # it is part of the block below

        with timings.stage("fusion"):
            return await self._fusion.submit(job, waited)

    def measurements(
        self, shopper: Mapping[str, Halves], scores: Scores, *, weight: bool = True
    ) -> dict[str, MeasurementOut]:
        """Return what the shopper's body is taken for, each with the bounds of 80 % of people of whom as much is known."""
        widths = self.manifest.half_widths(shopper)
        body = dict(zip(MEASUREMENTS, map(float, scores.body[0]), strict=True)) if len(scores.body) else {}
        return {
            name: MeasurementOut(value=value, low=value - widths[name], high=value + widths[name])
            for name, value in body.items()
            if name in widths and (weight or name != "weight_kg")
        }

    async def _explained(
        self, ask: Ask, job: ScoreJob, choices: Sequence[Choice], timings: Timings, degraded: Degraded
    ) -> list[ExplanationOut]:
        """Return what moved the best choices' answers, nothing while a stage is not there."""
        rows = [choice.row for choice in choices[:EXPLAINED]]
        garments = [garment_words(ask.candidates[choice.garment].garment) for choice in choices[:EXPLAINED]]
        told = ({"shopper_words": ask.words, "garment_words": words} for words in garments)
        texts = [{part: text for part, text in own.items() if text and part in self.features.parts} for own in told]
        try:
            return await self._explainer.explain(job, rows, texts, timings)
        except UnavailableError:
            degraded.note("explanation_unavailable")
            return []

    async def _kept_of(
        self, ask: Ask, choices: Sequence[Choice], offers: Offers, body: Mapping[str, float], degraded: Degraded
    ) -> Mapping[int, Kept | None]:
        """Return by place among the candidates how many kept the size recommended, of the best choices."""
        if self._kept is None:
            return {}
        sized = [choice for choice in choices[:EXPLAINED] if offers.size[choice.row] >= 0]
        pairs = [(ask.candidates[choice.garment].garment, int(offers.size[choice.row])) for choice in sized]
        peers = peers_of(pairs, ask.words, body)
        try:
            rates = await self._kept.rates(peers)
        except TryonError:
            degraded.note("kept_unavailable")
            return {}
        return {choice.garment: rate for choice, rate in zip(sized, rates, strict=True)}

    def _shopper(
        self, ask: Ask, features: Mapping[Asset, Feature], degraded: Degraded
    ) -> tuple[PhotoOut, dict[str, Halves]]:
        """Return what became of the photo, and the shopper's embeddings by part."""
        if ask.known is not None:
            return _known_photo(ask.known, ask.language, degraded), dict(ask.known.embeddings)
        found = {asset.part: features[asset] for asset in shopper_assets(ask) if asset in features}
        if "shopper_words" in found:
            found["shopper_words"].check("/shopper")
        photo = PhotoOut(used=False, reason=None if ask.photo is None else degraded.photo_reason)
        for part in PHOTO_PARTS:
            if part in found:
                found[part].check(ask.photo_pointer)
                reason = found[part].reason or None
                code = refusal_code(reason)
                told = refusal(ask.language, code) if code else reason
                photo = PhotoOut(used=found[part].status == "ok", reason=told, code=code)
        if ask.photo is not None and not photo.used and "photo_unavailable" not in degraded.codes:
            degraded.note("photo", refusal=photo.code or ("unseen" if not found.keys() & {*PHOTO_PARTS} else "no_person"))
        return photo, {part: f.embedding for part, f in found.items() if f.embedding is not None}

    def _garments(self, ask: Ask, features: Mapping[Asset, Feature]) -> dict[str, Column[Halves]]:
        """Return the garments' embeddings, each distinct one once."""
        columns = {}
        for part in ("garment_image", "garment_words"):
            found: list[Feature | None] = []
            for candidate in ask.candidates:
                if candidate.features is not None:
                    found.append(candidate.features.get(part))
                    continue
                own = next((a for a in garment_assets(candidate) if a.part == part), None)
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


def _known_photo(known: Known, language: Language, degraded: Degraded) -> PhotoOut:
    """Return what became of the photo of a shopper who is kept, in the answer's language."""
    photo = known.photo
    if known.had_photo and not photo.used:
        degraded.note("photo", refusal=photo.code or "unseen")
    return photo.model_copy(update={"reason": refusal(language, photo.code)}) if photo.code else photo


def _moment(day: float) -> str:
    """Return days since 1970-01-01 as a moment of UTC, to the second before it."""
    return f"{(_EPOCH + timedelta(seconds=int(day * 86_400))).replace(tzinfo=None).isoformat()}Z"


def _in_stock(candidates: Sequence[Candidate], offers: Offers) -> npt.NDArray[np.bool_]:
    sizes = [candidates[g].garment.sizes for g in offers.garment]
    return np.array([s < 0 or own[s].in_stock is not False for own, s in zip(sizes, offers.size, strict=True)], bool)

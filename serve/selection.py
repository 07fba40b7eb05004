"""The garments of a request for recommendations: those it brings, and those of the catalogue that it names by their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tryon_core.errors import InputError
from tryon_core.garment import Garment

from .ask import Candidate
from .categories import category_of
from .charts import chart_problems
from .garment_features import GarmentFeatures, by_garment
from .garment_intake import require_sense
from .metrics import Timings
from .recommender import Recommender
from .records import GarmentRecord
from .schema import RecommendationsIn, WithoutAdviceOut
from .schema_garments import GarmentIn, from_base64
from .wire import Feature

_ON_DEMAND = {"garment_image": 32, "garment_words": 256}
"""Parts that are encoded for one request; others wait for the background, and the answer says so."""


@dataclass
class Selection:
    """What a request's garments come to."""

    candidates: list[Candidate] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    without_advice: list[WithoutAdviceOut] = field(default_factory=list)
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the answer has to do without: codes of messages, and their values."""

    def add(self, candidate: Candidate, category: str | None) -> None:
        """Take a garment as a candidate, or among those without advice."""
        garment = candidate.garment
        mapped = category_of(category)
        if mapped.without:
            self._leave(garment, "category", mapped.reason or "")
        elif garment.sizes and all(size.in_stock is False for size in garment.sizes):
            self._leave(garment, "out_of_stock", "no size of it is in stock")
        else:
            self.candidates.append(candidate)

    def _leave(self, garment: Garment, code: Any, reason: str) -> None:
        self.without_advice.append(WithoutAdviceOut(garment_id=garment.id, code=code, reason=reason))


async def selected(wanted: RecommendationsIn, service: Any, own: GarmentFeatures, timings: Timings) -> Selection:
    """Return the garments of a request, with what is known of them.

    Args:
        service: the ingress: its store, recommender and settings.

    Raises:
        InputError: a garment comes twice, or there are more than may be; a picture or a chart is wrong.
        StoreError: garments of the catalogue are named, and the store does not answer.
    """
    _require_few(wanted, service)
    selection = Selection()
    if wanted.garment_ids:
        records = await service.store.garments.get_many(wanted.garment_ids)
        selection.unknown = [garment_id for garment_id in wanted.garment_ids if garment_id not in records]
        kept = [records[garment_id] for garment_id in wanted.garment_ids if garment_id in records]
        found = await _features(kept, service.recommender, own, timings, selection)
        for record in kept:
            selection.add(Candidate(record.garment(), features=found[record.id]), record.data.get("category"))
    for at, garment in enumerate(wanted.garments):
        selection.add(_inline(garment, at), garment.category)
    return selection


def _require_few(wanted: RecommendationsIn, service: Any) -> None:
    ids = [*((own, f"/garment_ids/{at}") for at, own in enumerate(wanted.garment_ids))]
    ids += [(garment.id, f"/garments/{at}/id") for at, garment in enumerate(wanted.garments)]
    for name, most in (("garments", service.settings.max_garments), ("garment_ids", service.settings.max_garment_ids)):
        if (num := len(getattr(wanted, name))) > most:
            raise InputError(f"expected at most {most} garments, got {num}", f"/{name}")
    seen = set[str]()
    for garment_id, pointer in ids:
        if garment_id in seen:
            raise InputError(f"expected each garment once, got {garment_id!r} twice", pointer)
        seen.add(garment_id)


async def _features(
    records: Sequence[GarmentRecord], recommender: Recommender, kept: GarmentFeatures, timings: Timings, selection: Selection
) -> dict[str, dict[str, Feature]]:
    """Return what is known of garments, having encoded some of what lacks, and note of how many something is not known."""
    features = recommender.features
    with timings.stage("cache"):
        found, lacking = await kept.known(records, features)
    now = [lack for part, most in _ON_DEMAND.items() for lack in [own for own in lacking if own.part == part][:most]]
    made, _ = await kept.made(now, features, lambda asset: features.encode(asset, timings)) if now else ({}, None)
    without = {lack.record.id for lack in lacking if (lack.record.id, lack.part) not in made}
    if without:
        selection.notes["encodings_unavailable"] = {"count": len(without)}
    return by_garment(found | made, records)


def _inline(garment: GarmentIn, at: int) -> Candidate:
    pointer = f"/garments/{at}"
    own = garment.to_garment()
    require_sense(chart_problems(own), pointer)
    image = from_base64(garment.image_base64, f"{pointer}/image_base64")
    return Candidate(own, image, f"{pointer}/image_base64", pointer)

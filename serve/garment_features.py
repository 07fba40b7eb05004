"""What encoders say of the catalogue's garments: kept in the store for every encoder, so that none is asked twice.

A row belongs to a garment, a part and an encoder's fingerprint, and to the content that the encoder was given. A new model's
encoders have rows of their own, and a garment that is told otherwise has none until it is encoded again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tryon_core.batch import part_named
from tryon_core.garment import garment_words

from .cache import LocalTier
from .errors import UnavailableError
from .features import Asset, Features
from .garment_intake import Blobs
from .records import EmbeddingRow, GarmentRecord
from .store import Store
from .wire import Feature

logger = logging.getLogger(__name__)
Encode = Callable[[Asset], Awaitable[Feature]]
_TTL_S = 24 * 3600.0


@dataclass(frozen=True)
class Lacking:
    """A part of a garment of which an encoder has not been asked."""

    record: GarmentRecord
    part: str


class GarmentFeatures:
    """Features of garments by (garment id, part).

    Args:
        max_bytes: of those that are held in this process beside the store.
    """

    def __init__(self, store: Callable[[], Store], blobs: Blobs, max_bytes: int) -> None:
        self._store, self._blobs, self._near = store, blobs, LocalTier(max_bytes)

    async def known(
        self, records: Sequence[GarmentRecord], features: Features
    ) -> tuple[dict[tuple[str, str], Feature], list[Lacking]]:
        """Return what the model's encoders have said of garments, and of which parts they have not been asked.

        Raises:
            StoreError: the store does not answer.
        """
        found: dict[tuple[str, str], Feature] = {}
        for part in garment_parts(features):
            for garment_id, feature in (await self._of_part(records, part, features)).items():
                found[garment_id, part] = feature
        parts = garment_parts(features)
        asked = [Lacking(record, part) for part in parts for record in records if part in record.contents]
        return found, [lack for lack in asked if (lack.record.id, lack.part) not in found]

    async def made(
        self, lacking: Sequence[Lacking], features: Features, encode: Encode
    ) -> tuple[dict[tuple[str, str], Feature], UnavailableError | None]:
        """Have parts encoded and keep what is said of them; return that, and why some could not be encoded now.

        Raises:
            StoreError: the store or the pictures' folder does not answer.
        """
        outcomes = await asyncio.gather(*(self._encoded(lack, encode) for lack in lacking))
        new = [(lack, feature) for lack, feature in zip(lacking, outcomes, strict=True) if isinstance(feature, Feature)]
        await self.keep(new, features)
        failed = next((outcome for outcome in outcomes if isinstance(outcome, UnavailableError)), None)
        return {(lack.record.id, lack.part): feature for lack, feature in new}, failed

    async def keep(self, new: Sequence[tuple[Lacking, Feature]], features: Features) -> None:
        """Keep what the model's encoders said of parts.

        Raises:
            StoreError: the store does not answer.
        """
        for lack, feature in new:
            self._near.put(_name(lack.record, lack.part, features), feature, _TTL_S)
        if new:
            await self._store().embeddings.put_many([_row(lack, feature, features) for lack, feature in new])

    async def _of_part(self, records: Sequence[GarmentRecord], part: str, features: Features) -> dict[str, Feature]:
        own = [record for record in records if part in record.contents]
        near = {r.id: known for r in own if (known := self._near.get(_name(r, part, features))) is not None}
        encoder, dim = features.encoder(part)
        rest = {record.id: record for record in own if record.id not in near}
        rows = await self._store().embeddings.get_many(list(rest), part, encoder) if rest else {}
        for garment_id, row in rows.items():
            feature = Feature.from_bytes(row.value, dim) if row.content == rest[garment_id].contents[part] else None
            if feature is not None:
                near[garment_id] = feature
                self._near.put(_name(rest[garment_id], part, features), feature, _TTL_S)
        return near

    async def _encoded(self, lack: Lacking, encode: Encode) -> Feature | UnavailableError | None:
        content = await content_of(lack, self._blobs)
        if content is None:
            logger.warning("garment %s has no %s where it should be", ascii(lack.record.id), lack.part)
            return None
        try:
            return await encode(Asset(lack.part, content))
        except UnavailableError as err:
            return err
        except RuntimeError as err:  # a stage failed; what it said is for the log alone
            logger.warning("a garment was not encoded: %s", err)
            return UnavailableError("a stage of the graph failed")


def garment_parts(features: Features) -> list[str]:
    """Return the parts of garments that a model encodes."""
    return [part for part in features.parts if part_named(part).owner == "garment"]


def by_garment(found: Mapping[tuple[str, str], Feature], records: Sequence[GarmentRecord]) -> dict[str, dict[str, Feature]]:
    """Return features by garment id and part."""
    own: dict[str, dict[str, Feature]] = {record.id: {} for record in records}
    for (garment_id, part), feature in found.items():
        own[garment_id][part] = feature
    return own


async def content_of(lack: Lacking, blobs: Blobs) -> bytes | str | None:
    """Return what an encoder is given for a part of a garment; None where it is not there."""
    if lack.part == "garment_words":
        return garment_words(lack.record.garment())
    return await blobs.get(lack.record.image) if lack.record.image else None


def _name(record: GarmentRecord, part: str, features: Features) -> str:
    return f"{part}:{features.encoder(part)[0]}:{record.contents[part]}"


def _row(lack: Lacking, feature: Feature, features: Features) -> EmbeddingRow:
    encoder, _ = features.encoder(lack.part)
    return EmbeddingRow(lack.record.id, lack.part, encoder, lack.record.contents[lack.part], feature.to_bytes())

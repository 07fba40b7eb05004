"""`python -m serve reencode`: what a checkpoint's encoders say of the whole catalogue, into the store, in this process.

Only what lacks is encoded and each page is kept as it is done, so that a run that was stopped is gone on with by running it
again; a service may go on serving from the store meanwhile, under the old model or the new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tqdm import tqdm

from tryon_core.batch import part_named
from tryon_core.checkpoint import Checkpoint, load_checkpoint
from tryon_core.config import ImageTower, TextTower
from tryon_core.encoding import Refused, encode_images, encode_texts
from tryon_core.errors import InputError

from .blobs import Blobs
from .config import Settings
from .garment_features import Lacking, content_of
from .records import EmbeddingRow, GarmentRecord
from .store import Store, open_store
from .wire import Feature, feature_of

_PAGE = 64


async def reencode(settings: Settings, *, prune: bool = False, show: bool = True) -> dict[str, Any]:
    """Encode what the catalogue lacks under a checkpoint; return how many parts were encoded, refused and missing.

    Args:
        settings: checkpoint, store and blobs, in their places.
        prune: whether to forget afterwards what other encoders have said.
        show: whether to show a progress bar.

    Raises:
        CheckpointError: the checkpoint does not load.
        ConfigError: the store is not fit.
        StoreError: the store or the pictures' folder does not answer; what was kept stays.
    """
    checkpoint = await asyncio.to_thread(load_checkpoint, settings.checkpoint)
    blobs = Blobs(settings.blobs)
    async with _opened(settings.store) as store:
        work = [_Part(part, encoder, checkpoint, store, blobs) for part, encoder in _encoders(checkpoint).items()]
        total = await _num_lacking(store, work)
        report: dict[str, Any] = {
            "model": checkpoint.manifest.fingerprint,
            "encoded": 0,
            "refused": 0,
            "missing": 0,
            "pruned": 0,
        }
        with tqdm(total=total, unit="part", disable=not show, dynamic_ncols=True) as bar:
            for own in work:
                async for encoded, refused, missing in own.pages():
                    report["encoded"] += encoded
                    report["refused"] += refused
                    report["missing"] += missing
                    bar.set_description(own.part)
                    bar.update(encoded + refused + missing)
        if prune:
            report["pruned"] = await _pruned(store, {(own.part, own.encoder) for own in work})
        return report


class _Part:
    """One part of all garments under one encoder."""

    def __init__(self, part: str, encoder: str, checkpoint: Checkpoint, store: Store, blobs: Blobs) -> None:
        self.part, self.encoder = part, encoder
        self._model, self._store, self._blobs = checkpoint.model, store, blobs

    async def pages(self) -> AsyncIterator[tuple[int, int, int]]:
        """Yield, page by page once it is kept, how many were encoded, refused, and without their content."""
        cursor = ""
        while True:
            records, cursor = await self._store.embeddings.lacking(self.part, self.encoder, cursor, _PAGE)
            contents = [await content_of(Lacking(record, self.part), self._blobs) for record in records]
            there = [(record, content) for record, content in zip(records, contents, strict=True) if content is not None]
            features = await asyncio.to_thread(self._features, [content for _, content in there])
            rows = [self._row(record, feature) for (record, _), feature in zip(there, features, strict=True)]
            await self._store.embeddings.put_many(rows)
            encoded = sum(feature.status == "ok" for feature in features)
            yield encoded, len(features) - encoded, len(records) - len(there)
            if not cursor:
                return

    def _features(self, contents: Sequence[bytes | str]) -> list[Feature]:
        """Return what the encoder says, as the encoder deployments have it."""
        if not contents:
            return []
        if part_named(self.part).kind == "text":
            texts = [str(content) for content in contents]
            return [Feature("ok", "", embedding) for embedding in encode_texts(self._model, self.part, texts)]
        images = [content for content in contents if isinstance(content, bytes)]
        return [_feature(entry) for entry in encode_images(self._model, self.part, images)]

    def _row(self, record: GarmentRecord, feature: Feature) -> EmbeddingRow:
        return EmbeddingRow(record.id, self.part, self.encoder, record.contents[self.part], feature.to_bytes())


def _feature(encoded: Any) -> Feature:
    if isinstance(encoded, InputError):
        return feature_of(encoded)
    return Feature("refused", encoded.reason) if isinstance(encoded, Refused) else Feature("ok", "", encoded)


def _encoders(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the parts of garments that a checkpoint encodes, with their encoders' fingerprints."""
    manifest = checkpoint.manifest
    towers = manifest.config.towers
    return {
        part: manifest.towers[tower]
        for part, tower in manifest.config.parts.items()
        if part_named(part).owner == "garment" and isinstance(towers[tower], (ImageTower, TextTower))
    }


async def _num_lacking(store: Store, work: Sequence[_Part]) -> int:
    """Return how many parts lack, at most: garments that have no such part are among them."""
    num, done = await store.garments.count(), await store.embeddings.encoders()
    return sum(max(0, num - done.get((own.part, own.encoder), 0)) for own in work)


async def _pruned(store: Store, used: set[tuple[str, str]]) -> int:
    others = [key for key in await store.embeddings.encoders() if key not in used]
    return sum([await store.embeddings.drop(part, encoder) for part, encoder in others])


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Store]:
    store = await open_store(url)
    try:
        yield store
    finally:
        await store.close()

"""Shoppers who are kept: made once, found by id, answered under any model, forgotten when they ask or their time is over.

What a shopper told is one record of the store and what their photo told another, which ends sooner; from then on they are
answered from words. Photos and masks themselves, and hashes of them, are in no record.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tryon_core.errors import InputError
from tryon_core.fingerprint import content_key
from tryon_core.shopper import shopper_words

from .advised import advice_of
from .config import Settings
from .errors import DeletedError, NotFoundError, StoreError
from .metrics import Timings
from .recommender import Recommender
from .records import Consent, ShopperRecord
from .schema import RecommendationsOut
from .schema_shoppers import SHOPPER_ID
from .shopper_encoding import Sight, encode_shopper, encode_words
from .shopper_memory import ShopperMemory
from .shopper_parts import Kept, Known, profile_of, seen_by
from .store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Told:
    """What a shop tells of a shopper; `profile` is the HTTP API's JSON, checked."""

    text: str | None = field(default=None, repr=False)
    profile: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sight: Sight = field(default_factory=Sight, repr=False)
    consent: Consent | None = None


class Shoppers:
    """All of them, in one store.

    Args:
        models: gives the model that serves, and behind it any that is about to.
        secret: makes ids from idempotency keys; the same in all replicas.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        models: Callable[[], Sequence[Recommender]],
        secret: bytes,
        settings: Settings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._models, self._secret, self._settings, self._clock = store, models, secret, settings, clock
        self.memory = ShopperMemory(store.tombstones, settings.forget_within_s)
        self._background: set[asyncio.Task[None]] = set()
        self._writes: set[asyncio.Task[None]] = set()

    async def create(self, told: Told, idempotency_key: str | None, timings: Timings) -> Kept:
        """Keep a new shopper; one that was made with the same key and told the same is returned as they are.

        Raises:
            InputError: the photo or mask is wrong, or the key was used for somebody else.
            DeletedError: the key's shopper was deleted.
            UnavailableError: an encoder or the store is overloaded or not there.
        """
        shopper_id = self._new_id(idempotency_key)
        if idempotency_key is not None and (known := await self._read(shopper_id)) is not None:
            return _same(known, told)
        now = self._clock()
        words = shopper_words(told.text or "", profile_of(told.profile))
        encoded = await encode_shopper(self._models(), words, told.sight, timings)
        record = ShopperRecord(
            id=shopper_id,
            created_at=now,
            expires_at=now + self._settings.shopper_ttl_s,
            profile=told.profile,
            words=told.text,
            photo=encoded.photo,
            consent=told.consent,
            embeddings=encoded.said,
        )
        seen = None
        if encoded.seen:
            until = now + min(self._settings.shopper_ttl_s, self._settings.shopper_photo_ttl_s)
            seen = ShopperRecord(_seen_id(shopper_id), now, until, photo=encoded.photo, embeddings=encoded.seen)
            await self._store.shoppers.put(seen)
        if not await self._store.shoppers.put(record):
            return await self._first(shopper_id, told)
        kept = Kept(record, seen)
        self.memory.put(kept)
        return kept

    async def get(self, shopper_id: str) -> Kept:
        """Return a shopper.

        Raises:
            NotFoundError: there is none of that id, or their time is over.
            StoreError: the store does not answer.
        """
        kept = self.memory.get(shopper_id, now=self._clock())
        if kept is None and re.fullmatch(SHOPPER_ID, shopper_id):
            kept = await self._read(shopper_id)
            if kept is not None:
                self.memory.put(kept)
        if kept is None:
            raise NotFoundError("expected the id of a shopper who is kept: none has it, or their time is over")
        return kept

    async def known_to(self, model: Recommender, kept: Kept, timings: Timings) -> Known:
        """Return what a model knows of a shopper; words that it has not encoded yet are encoded, once.

        Raises:
            UnavailableError: the text encoder is overloaded or not there.
        """
        known = seen_by(model.manifest, kept)
        if "shopper_words" in known.embeddings or not kept.words or "shopper_words" not in model.manifest.config.parts:
            return known
        said = await encode_words(model, kept.words, timings)
        if await self._store.shoppers.add_embeddings(kept.told.id, said, now=self._clock()):
            kept = replace(kept, told=replace(kept.told, embeddings={**kept.told.embeddings, **said}))
            self.memory.put(kept)
        return seen_by(model.manifest, replace(kept, told=replace(kept.told, embeddings=said)))

    async def delete(self, shopper_id: str) -> None:
        """Forget a shopper here, in the store and in every replica, with their advice and the orders that came from it.

        Raises:
            NotFoundError: there is none of that id.
            StoreError: the store does not answer, or could not make sure of it; then it is to be asked once more.
        """
        if not re.fullmatch(SHOPPER_ID, shopper_id):
            raise NotFoundError("expected the id of a shopper who is kept: none has it")
        self.memory.forget([shopper_id])
        now = self._clock()
        gone = [await self._store.shoppers.delete(own, now=now) for own in (_seen_id(shopper_id), shopper_id)]
        numbers = [deletion.tombstone for deletion in gone if deletion is not None]
        if not numbers:
            raise NotFoundError("expected the id of a shopper who is kept: none has it")
        for customer in {customer for deletion in gone if deletion is not None for customer in deletion.customers}:
            await self._store.lines.delete_customer(customer)
        if not await self.memory.wait_until_forgotten(max(numbers)):
            logger.warning("a replica has not told within %g s that it forgot a shopper", self._settings.forget_within_s)

    def advised(self, kept: Kept, answer: RecommendationsOut) -> None:
        """Keep what was recommended, off the request's path, where the shopper has agreed to that."""
        if kept.told.consent is None or not kept.told.consent.advice:
            return
        advice = advice_of(kept, answer, now=self._clock(), ttl_s=self._settings.advice_ttl_s)
        self._run(self._writes, self._store.shoppers.put_advice(advice))

    def start(self) -> None:
        """Follow the deletions of other replicas until closed."""
        self._run(self._background, self.memory.follow())

    async def close(self) -> None:
        """Stop that, and wait for what is being written."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, *self._writes, return_exceptions=True)

    def _run(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, Any]) -> None:
        async def quiet() -> None:
            try:
                await work
            except StoreError as err:
                logger.warning("what was recommended is not kept: %s", err)

        # In one request's context, Serve would cancel it as soon as that request ends.
        task = asyncio.get_running_loop().create_task(quiet(), context=contextvars.Context())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _read(self, shopper_id: str) -> Kept | None:
        now = self._clock()
        told = await self._store.shoppers.get(shopper_id, now=now)
        if told is None:
            return None
        seen = None if told.photo is None else await self._store.shoppers.get(_seen_id(shopper_id), now=now)
        return Kept(told, seen)

    async def _first(self, shopper_id: str, told: Told) -> Kept:
        """Return the shopper that another request has made meanwhile with the same key."""
        known = await self._read(shopper_id)
        if known is None:
            raise DeletedError("expected another Idempotency-Key: the shopper of this one was deleted")
        return _same(known, told)

    def _new_id(self, idempotency_key: str | None) -> str:
        if idempotency_key is None:
            return secrets.token_hex(16)
        return content_key(self._secret, b"shopper", idempotency_key.encode())


def _same(known: Kept, told: Told) -> Kept:
    was = known.told
    now = (told.text, dict(told.profile), told.consent, bool(told.sight))
    if now != (was.words, dict(was.profile), was.consent, was.photo is not None):
        raise InputError("expected another Idempotency-Key: this one was used for a shopper of whom other things were told")
    return known


def _seen_id(shopper_id: str) -> str:
    """Return the id of the record of what a shopper's photo told."""
    return hashlib.blake2b(bytes.fromhex(shopper_id), digest_size=16, person=b"photo").hexdigest()

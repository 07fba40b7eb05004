"""The keys as one replica knows them: read again every few seconds, so that a new one works and a revoked one stops."""

from __future__ import annotations

import asyncio
import hmac
import logging
import math
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from tryon_core.errors import TryonError

from .errors import KeyMissingError, KeyRefusedError, UnavailableError
from .key_source import KeySource
from .keys import KEY, Key, digest_of

logger = logging.getLogger(__name__)
_PATIENCE_S = 1.0
"""How long requests wait for one reading."""
_NOBODY = digest_of("", secrets.token_hex(32))
"""What a secret is compared with whose id is nobody's."""


class KeyRing:
    """Finds who calls.

    Args:
        every_s: how old what was read may become before it is read again; a request waits for that once it is twice as old.
        stale_s: how old it may become while the source does not answer; then nobody is let in.
        count: told ok or failed of every reading.
    """

    def __init__(
        self,
        source: KeySource,
        *,
        every_s: float,
        stale_s: float,
        count: Callable[[str], None] = lambda outcome: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._source, self._every_s, self._stale_s, self._count = source, every_s, stale_s, count
        self._clock, self._now = clock, now
        self._keys: Mapping[str, Key] = {}
        self._read_at, self._asked_at = -math.inf, -math.inf
        self._reading: asyncio.Task[None] | None = None
        self.origins: frozenset[str] = frozenset()
        """Of the pages that hold a key, as last read."""

    async def find(self, token: str | None) -> Key:
        """Return the key that a caller shows.

        Args:
            token: what stands after `Bearer` in Authorization; None where there is nothing of the kind.

        Raises:
            KeyMissingError: there is none.
            KeyRefusedError: it is nobody's, or has been revoked.
            UnavailableError: the keys could not be read for too long.
        """
        await self.refresh()
        if token is None:
            raise KeyMissingError("expected a key as Authorization: Bearer tryon_…, got none")
        shape = KEY.fullmatch(token)
        key = self._keys.get(shape[1]) if shape else None
        if shape is None or key is None:
            hmac.compare_digest(_NOBODY, digest_of("", token[:100]))  # as much work as for an id that somebody has
            raise KeyRefusedError("expected a key that is known, got another")
        if not key.opens_with(shape[2], self._now()):
            raise KeyRefusedError("expected a key that is known, got another")
        if key.revoked is not None:
            raise KeyRefusedError(f"expected a key that is good, got {key.id}, which was revoked")
        return key

    async def refresh(self) -> None:
        """Return once what is known is young enough.

        Raises:
            UnavailableError: the source has not answered for too long.
        """
        if self._age() >= self._every_s and self._reading is None and self._clock() - self._asked_at >= self._every_s:
            self._asked_at = self._clock()
            self._reading = asyncio.create_task(self._read())
        patience_s = self._asked_at + _PATIENCE_S - self._clock()
        if self._reading is not None and self._age() >= 2 * self._every_s and patience_s > 0:
            await asyncio.wait({self._reading}, timeout=patience_s)
        if self._age() > self._stale_s:
            raise UnavailableError("the keys cannot be read now")

    async def _read(self) -> None:
        begun = self._clock()
        try:
            keys = await self._source.read()
        except (TryonError, OSError) as err:
            self._count("failed")
            logger.error("the keys stay as they were read %.0f s ago: %s", self._age(), err)
        else:
            self._count("ok")
            self._keys = {key.id: key for key in keys}
            self.origins = frozenset(origin for key in keys if key.revoked is None for origin in key.origins)
            self._read_at = begun
        finally:
            self._reading = None

    def _age(self) -> float:
        return self._clock() - self._read_at

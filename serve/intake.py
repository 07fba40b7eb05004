"""From what a shop tells of an order line to the line that is kept: whose style it is, what it says of the fit, by whom.

What a line says is decided as fitting decides it for a table: `fit` where it is told, else what the reason means; a garment
that was kept without a word counts as a fit, one that came back without a word that is known says nothing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from tryon_core.errors import InputError
from tryon_core.reasons import Reasons

from .metrics import Metrics
from .records import OrderLine, Verdict
from .schema_feedback import FeedbackIn, seconds_of
from .store import LineOutcome, Store

_AHEAD_S = 86_400.0
"""How far ahead of this machine's clock an outcome may be: zones and clocks differ."""


class Intake:
    """Takes order lines.

    Args:
        store: keeps them.
        reasons: what a shop's reasons mean.
        secret: 1 to 64 bytes, the key of customers' hashes; who has another cannot tell whose a line is.
        clock: seconds since 1970-01-01 UTC.
    """

    def __init__(
        self, store: Store, reasons: Reasons, secret: bytes, metrics: Metrics, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._reasons, self._secret, self._metrics, self._clock = store, reasons, secret, metrics, clock

    def customer(self, key: str | None) -> str:
        """Return what is kept in place of a customer's key, 32 hex digits; empty for none."""
        return customer_hash(key, self._secret) if key else ""

    def check(self, told: FeedbackIn) -> None:
        """Check what depends on the moment.

        Raises:
            InputError: the outcome is of the future.
        """
        if seconds_of(told.occurred_at) > self._clock() + _AHEAD_S:
            raise InputError(f"expected occurred_at not to be of the future, got {told.occurred_at}", "/occurred_at")

    async def take(self, told: Sequence[FeedbackIn]) -> list[LineOutcome]:
        """Keep lines that have been checked; when it returns they are durable and the counts hold them.

        Raises:
            StoreError: the store does not answer; each line is kept whole or not at all, and may be told again.
        """
        garments = await self._store.garments.get_many(sorted({line.garment_id for line in told}))
        styles = {garment_id: record.history_id for garment_id, record in garments.items()}
        outcomes = await self._store.lines.put_many([self._line(line, styles) for line in told])
        for outcome in outcomes:
            self._metrics.order_lines.labels(outcome).inc()
        return outcomes

    def _line(self, told: FeedbackIn, styles: dict[str, str]) -> OrderLine:
        return OrderLine(
            order_line_id=told.order_line_id,
            garment_id=told.garment_id,
            history_id=styles.get(told.garment_id, told.garment_id),
            size=told.size,
            outcome=told.outcome,
            ordered_at=seconds_of(told.ordered_at),
            occurred_at=seconds_of(told.occurred_at),
            fit=told.fit or said(told.reason, self._reasons),
            reason=told.reason or None,
            customer=self.customer(told.customer_key),
            recommendation_id=told.recommendation_id,
        )


def said(reason: str | None, reasons: Reasons) -> Verdict | None:
    """Return what a reason says of the fit, small or large; None where it says nothing of it, or is not known."""
    meaning = reasons.find(reason) if reason else ""
    return cast(Any, meaning) if meaning in ("small", "large") else None


def customer_hash(key: str, secret: bytes) -> str:
    """Return a keyed hash of a customer's key, 32 hex digits."""
    return hashlib.blake2b(key.encode(), digest_size=16, key=secret, person=b"tryon customer").hexdigest()

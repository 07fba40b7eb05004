"""Order lines and the counts of their verdicts in Redis, changed by one script for each handful of lines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tryon_core.batch import FIT_CLASSES
from tryon_core.history import HistoryConfig

from ..record_json import read_line, write_line
from ..records import Counts, OrderLine, Told
from ..store import LineOutcome
from ..verdicts import agreed, seen_from, settings_of, weight
from .client import Client

_IN_SCRIPT = 50
"""Lines in one run of a script, during which the server serves nobody else."""
_BUCKETS = 16**3
_AT_ONCE = 64
"""Buckets that are looked into at once."""


class RedisLines:
    """See `store.OrderLines`."""

    def __init__(self, client: Client) -> None:
        self._client, self.history = client, HistoryConfig()

    async def open(self, history: HistoryConfig | None) -> None:
        """Note how verdicts age here, or take over how they do.

        Raises:
            ConfigError: the store's counts were made otherwise.
        """
        meta, ours = self._client.key("meta"), settings_of(history or HistoryConfig())
        noting = [("HSETNX", meta, "history", ours), ("HGET", meta, "history")]
        _, theirs = await self._client.ask_all(noting, whole=True)
        self.history = agreed(history, theirs.decode())

    @property
    def settings(self) -> tuple[float, int]:
        """What scripts that count are told: half life in days, cap."""
        return self.history.half_life_days, self.history.shopper_cap

    async def put_many(self, lines: Sequence[OrderLine]) -> list[LineOutcome]:
        """See `store.OrderLines`."""
        rows = [write_line(line) for line in lines]
        runs = [(*self.settings, *rows[start : start + _IN_SCRIPT]) for start in range(0, len(rows), _IN_SCRIPT)]
        return [outcome.decode() for outcomes in await self._client.run_all("put_lines", runs) for outcome in outcomes]

    async def get_many(self, order_line_ids: Sequence[str]) -> dict[str, OrderLine]:
        """See `store.OrderLines`."""
        texts = await self._client.fields([(_bucket(found), found) for found in order_line_ids])
        return {found: read_line(text) for found, text in zip(order_line_ids, texts, strict=True) if text is not None}

    async def of_customer(self, customer: str) -> list[OrderLine]:
        """See `store.OrderLines`."""
        members = await self._client.ask("ZRANGE", self._client.key("customer", customer), 0, -1)
        lines = await self.get_many([member[24:].decode() for member in members])
        return sorted(lines.values(), key=lambda line: (line.occurred_at, line.order_line_id))

    async def page(self, cursor: str = "", limit: int = 1000) -> tuple[list[OrderLine], str]:
        """See `store.OrderLines`."""
        start, chosen, num = int(cursor or 0), list[int](), 0
        while start < _BUCKETS and num < limit:
            buckets = range(start, min(start + _AT_ONCE, _BUCKETS))
            sizes = await self._client.ask_all([("HLEN", self._client.key("lines", f"{n:03x}")) for n in buckets])
            for start, size in zip(buckets, sizes, strict=True):
                if num >= limit:
                    break
                chosen, num = [*chosen, start] if size else chosen, num + size
            else:
                start = buckets.stop
        found = await self._client.ask_all([("HVALS", self._client.key("lines", f"{n:03x}")) for n in chosen])
        return [read_line(text) for texts in found for text in texts], str(start) if start < _BUCKETS else ""

    async def delete_customer(self, customer: str) -> int:
        """See `store.OrderLines`."""
        return int(await self._client.run("delete_customer", *self.settings, customer)) if customer else 0

    async def counts(self, history_ids: Sequence[str], *, day: float) -> Counts:
        """See `store.OrderLines`."""
        return {key: own.aged for key, own in (await self.told(history_ids, day=day)).items()}

    async def told(self, history_ids: Sequence[str], *, day: float) -> dict[tuple[str, str], Told]:
        """See `store.OrderLines`."""
        distinct = list(dict.fromkeys(history_ids))
        sums: dict[tuple[str, str], Any] = {}
        tallies: dict[tuple[str, str], tuple[int, int, int] | None] = {}
        for place, flat in enumerate(json.loads(await self._client.run("read_counts", *distinct))):
            for size, numbers in zip(flat[::2], flat[1::2], strict=True) if flat else ():
                key = (distinct[place // 2], size)
                *counted, small, fit, large = (float(number) for number in numbers.split())
                before = sums.get(key, (0.0, 0.0, 0.0))
                sums[key] = [a + b for a, b in zip(before, (small, fit, large), strict=True)]
                tallies[key] = _tally(counted) if key not in tallies else None  # what was seeded comes without one
        seen = seen_from(np.array(list(sums.values())).reshape(-1, 3), day, self.history.half_life_days)
        return {key: Told(own, tallies[key]) for key, own in zip(sums, seen, strict=True)}

    async def seed(self, rows: Iterable[tuple[str, str, Sequence[float]]], *, day: float) -> bool:
        """See `store.OrderLines`."""
        meta, scale = self._client.key("meta"), weight(day, self.history.half_life_days)
        if any(await self._client.ask("HMGET", meta, "seeded", "lines")):
            return False
        commands: list[tuple[Any, ...]] = [("HSET", meta, "seeded", day)]
        for history_id, size, counts in rows:
            numbers = " ".join(repr(scale * float(count)) for count in counts)
            commands.append(("HSET", self._client.key("seeds", history_id), size, numbers))
        await self._client.ask_all(commands, whole=True)
        return True


def _bucket(order_line_id: str) -> str:
    digest = hashlib.sha1(order_line_id.encode(), usedforsecurity=False).hexdigest()
    return f"lines:{digest[:3]}"


def _tally(counted: Sequence[float]) -> tuple[int, int, int] | None:
    """Return small, fit, large of [number of verdicts, small, fit, large]; None where that is not told of all of them."""
    if len(counted) != 1 + len(FIT_CLASSES) or sum(counted[1:]) != counted[0]:
        return None
    small, fit, large = (int(number) for number in counted[1:])
    return small, fit, large

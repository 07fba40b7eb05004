"""How records lie in Redis, and the steps that bring an older store to it.

| key | type | what |
|---|---|---|
| `meta` | hash | `schema`, `history`, `tombstones` (the last number), `lines`, `seeded`, `deleted`, `rewritten` |
| `garment:ID` | hash | `etag`, `image`, `contents`, `record` |
| `garments` | sorted set | ids, in the order of their bytes |
| `images` | hash | blob key to how many garments have it |
| `embeddings:ID` | hash | part and encoder to content and value |
| `shopper:ID` | hash, expires | `record`, `expires_at`, and part and encoder to value |
| `advice:ID`, `advices:SHOPPER` | string, set, expire | an advice; the ids of a shopper's |
| `advised-lines:ID` | set, expires | the order lines that came from an advice |
| `tombstones`, `tombstone-times` | sorted sets | deleted shoppers by number and by moment |
| `replicas` | hash | name to the number it has reached and when |
| `lines:000` … `lines:fff` | hashes | order line id to line, spread by the id's hash |
| `customer:KEY` | sorted set | a customer's lines by garment and moment, see lines.lua |
| `counts:HISTORY`, `seeds:HISTORY` | hashes | size to sums of weights, see verdicts.py |
| `keys` | hash | name to API key record |
| `counter:BUCKET:NUMBER` | string, expires | a window's count |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tryon_core.errors import ConfigError

from .client import Client

Step = Callable[[Client], Awaitable[None]]
"""What brings a store from one version to the next. It may run twice, when it was cut off, and beside itself."""


async def _first(client: Client) -> None:
    """Version 1 needs nothing to be there."""


STEPS: tuple[Step, ...] = (_first,)
"""Step N, from 1 on, leads from version N - 1 to N; version 0 is an empty store. Steps are added and never changed."""


async def migrate(client: Client, steps: Sequence[Step] = STEPS) -> None:
    """Bring a store to the latest version.

    Raises:
        ConfigError: it is of a version not known here.
    """
    version = int(await client.ask("HGET", client.key("meta"), "schema") or 0)
    if version > len(steps):
        told = f"at most version {len(steps)}, got version {version}: it was written by a later release, which is needed"
        raise ConfigError(f"expected a store of {told}")
    for number in range(version, len(steps)):
        await steps[number](client)
        await client.ask("HSET", client.key("meta"), "schema", number + 1)

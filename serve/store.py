"""The store's interface: what must not be lost, by noun. `open_store` opens the one that a URL names.

Whatever a coroutine here acknowledges by returning is durable and whole, or not there at all; several processes may use
one store at the same time. Every coroutine raises `StoreError` (503, worth a retry) where the store cannot be reached.
Cursors are opaque; the empty one is the beginning, and a page whose cursor is empty is the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from tryon_core.errors import ConfigError
from tryon_core.history import HistoryConfig

from .records import Advice, Counts, EmbeddingRow, GarmentRecord, OrderLine, ShopperRecord, Told, Window

PutOutcome = Literal["created", "updated", "unchanged"]
LineOutcome = Literal["new", "same", "superseded", "older"]
"""Of a reported order line: not known before; as it is kept; later than what was kept, whose place it takes in the counts;
earlier than what is kept, so that it changes nothing."""

TOMBSTONE_S = 25 * 3600.0
"""How long a deletion of a shopper is told of: longer than any shopper lives."""


@dataclass(frozen=True)
class Deletion:
    """What a deletion of a shopper took away."""

    tombstone: int
    """Its number in the log that replicas follow, see `Tombstones`."""
    num_advices: int
    num_lines: int
    customers: tuple[str, ...]
    """The customers (keyed hashes) whose order lines came from this shopper's advice; other lines of theirs are kept."""


class Garments(Protocol):
    """Garments by id."""

    async def put(self, record: GarmentRecord, *, if_match: str | None = None) -> PutOutcome:
        """Keep a garment; one with the etag that is kept changes nothing.

        Args:
            if_match: the etag that the kept garment must have, or `*` for any.

        Raises:
            PreconditionError: it has another, or there is none.
        """
        ...

    async def put_many(self, records: Sequence[GarmentRecord]) -> list[PutOutcome]:
        """Keep some thousands of garments, each whole; of equal ids the last one stays."""
        ...

    async def patch(
        self,
        garment_id: str,
        *,
        in_stock: Mapping[str, bool | None] | None = None,
        price: Any = None,
        if_match: str | None = None,
        now: float,
    ) -> GarmentRecord | None:
        """Change what is in stock, by size label, and the price; return the garment, None where there is none.

        Raises:
            InputError: the garment has no such size.
            PreconditionError: the kept garment has another etag.
        """
        ...

    async def get_many(self, garment_ids: Sequence[str]) -> dict[str, GarmentRecord]:
        """Return the garments that are known, by id."""
        ...

    async def delete(self, garment_id: str, *, if_match: str | None = None) -> bool:
        """Forget a garment and its embeddings; return whether there was one. Its history stays.

        Raises:
            PreconditionError: the kept garment has another etag.
        """
        ...

    async def page(self, cursor: str = "", limit: int = 100) -> tuple[list[GarmentRecord], str]:
        """Return garments by ascending id, and the cursor of the next page."""
        ...

    async def count(self) -> int:
        """Return how many there are."""
        ...

    async def images_in_use(self, keys: Sequence[str]) -> set[str]:
        """Return those blob keys that some garment has."""
        ...


class Embeddings(Protocol):
    """What encoders said of garments: one row per garment, part and encoder, of the content that it was last given."""

    async def put_many(self, rows: Sequence[EmbeddingRow]) -> None:
        """Keep rows; those of garments that are gone are dropped."""
        ...

    async def get_many(self, garment_ids: Sequence[str], part: str, encoder: str) -> dict[str, EmbeddingRow]:
        """Return the rows that are up to date, by garment id."""
        ...

    async def lacking(self, part: str, encoder: str, cursor: str = "", limit: int = 100) -> tuple[list[GarmentRecord], str]:
        """Return garments that have a part but no up-to-date row of it, by ascending id, and the cursor of the next page.

        A page may be empty and not the last.
        """
        ...

    async def encoders(self) -> dict[tuple[str, str], int]:
        """Return how many rows there are by (part, encoder); it looks at every row."""
        ...

    async def drop(self, part: str, encoder: str) -> int:
        """Forget an encoder's rows of a part; return how many."""
        ...


class Shoppers(Protocol):
    """Shoppers until they expire or are deleted, and the advice they got."""

    async def put(self, record: ShopperRecord) -> bool:
        """Keep a new shopper; return False, and keep nothing, where there is one of that id, or one was deleted."""
        ...

    async def add_embeddings(self, shopper_id: str, embeddings: Mapping[tuple[str, str], bytes], *, now: float) -> bool:
        """Add what encoders said of a shopper; return False, and keep nothing, where the shopper is gone."""
        ...

    async def get(self, shopper_id: str, *, now: float) -> ShopperRecord | None:
        """Return a shopper who has not expired."""
        ...

    async def delete(self, shopper_id: str, *, now: float) -> Deletion | None:
        """Forget a shopper, the advice they got and the order lines that came from it, which the counts lose.

        Afterwards nothing of them can be read back from the store's files. None where there was nothing.
        """
        ...

    async def put_advice(self, advice: Advice) -> bool:
        """Keep an advice; return False, and keep nothing, where its shopper was deleted."""
        ...

    async def get_advices(self, recommendation_ids: Sequence[str], *, now: float) -> dict[str, Advice]:
        """Return the advices that have not expired, by recommendation id."""
        ...

    async def purge(self, *, now: float) -> int:
        """Remove shoppers, advices and tombstones whose time has come; return how many."""
        ...


class Tombstones(Protocol):
    """The log of deleted shoppers, by which replicas forget what they hold in memory. It is kept for a day."""

    async def since(self, number: int) -> tuple[list[str], int]:
        """Return the ids of shoppers deleted after a number of the log, and the log's last number."""
        ...

    async def acknowledge(self, replica: str, number: int, *, now: float) -> None:
        """Note that a replica lives and has forgotten all shoppers up to a number."""
        ...

    async def reached(self, *, now: float, live_s: float) -> int | None:
        """Return up to which number all replicas heard of in the last `live_s` have forgotten; None where there are none."""
        ...


class OrderLines(Protocol):
    """Order lines by id, and what they say of garments' fit: `tryon_core.history.History` made durable."""

    history: HistoryConfig
    """How verdicts age here, and how strongly few of them are drawn to the prior."""

    async def put_many(self, lines: Sequence[OrderLine]) -> list[LineOutcome]:
        """Keep reports of order lines and change the counts, each report whole; see `LineOutcome`."""
        ...

    async def get_many(self, order_line_ids: Sequence[str]) -> dict[str, OrderLine]:
        """Return the lines that are known, by id."""
        ...

    async def of_customer(self, customer: str) -> list[OrderLine]:
        """Return a customer's lines, the latest outcome last."""
        ...

    async def page(self, cursor: str = "", limit: int = 1000) -> tuple[list[OrderLine], str]:
        """Return about as many lines as asked for, and the cursor of the next page; in all pages, every line once."""
        ...

    async def delete_customer(self, customer: str) -> int:
        """Forget a customer's lines, which the counts lose; return how many."""
        ...

    async def counts(self, history_ids: Sequence[str], *, day: float) -> Counts:
        """Return the counts of garments by size, as of a day from the latest outcome's on; without verdicts none.

        A garment's own count is the sum over its sizes.
        """
        ...

    async def told(self, history_ids: Sequence[str], *, day: float) -> Mapping[tuple[str, str], Told]:
        """Return what `counts` returns, (history id, size) to counts as of a day, with the whole numbers behind them."""
        ...

    async def seed(self, rows: Iterable[tuple[str, str, Sequence[float]]], *, day: float) -> bool:
        """Add counts that fitting found to an empty history, (history id, size, [small, fit, large]) as of a day.

        Returns:
            False, and changes nothing, where there are lines already or it was done before.
        """
        ...


class Keys(Protocol):
    """API keys: small JSON records under names that are no secrets (an id, or a hash)."""

    async def put(self, name: str, data: Mapping[str, Any]) -> None:
        """Keep a record."""
        ...

    async def get(self, name: str) -> dict[str, Any] | None:
        """Return a record."""
        ...

    async def all(self) -> dict[str, dict[str, Any]]:
        """Return every record by its name."""
        ...

    async def delete(self, name: str) -> bool:
        """Forget a record; return whether there was one."""
        ...


class Counters(Protocol):
    """Counters that all replicas share, for rates and quotas; the last second of them may be lost in a crash."""

    async def increment(self, bucket: str, window_s: float, by: float = 1.0, *, now: float) -> Window:
        """Add to a bucket's count of the window that a moment is in; windows start at multiples of their length."""
        ...


class Store(Protocol):
    """All of it."""

    garments: Garments
    embeddings: Embeddings
    shoppers: Shoppers
    tombstones: Tombstones
    lines: OrderLines
    keys: Keys
    counters: Counters

    async def check(self) -> None:
        """Return where the store answers.

        Raises:
            StoreError: it does not.
        """
        ...

    async def close(self) -> None:
        """Let go of files and connections; what was acknowledged stays."""
        ...


async def open_store(url: str, history: HistoryConfig | None = None) -> Store:
    """Open a store, making it where it is new and bringing it to the present schema where it is older.

    Args:
        url: `sqlite:///PATH` (four slashes before an absolute path), or redis://, rediss:// or unix:// URL.
        history: how verdicts age; as it is in the store where it is not given, and never otherwise than there.

    Raises:
        ConfigError: the URL is of no kind known, or the store is not fit to keep things or was made with another history;
            it says what mends it.
        StoreError: it does not answer.
    """
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        from .sqlite_store import SqliteStore

        return await SqliteStore.open(url.removeprefix("sqlite:///"), history)
    if url.startswith(("redis://", "rediss://", "unix://")):
        from .redis_store import RedisStore

        return await RedisStore.open(url, history)
    raise ConfigError(f"expected store sqlite:///PATH, redis://…, rediss://… or unix://…, got {url!r}")

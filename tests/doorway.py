"""The real application behind its real guard, without a model: what tests of callers share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serve.addresses import Addresses, networks_of
from serve.admission import Admission
from serve.app import build_app
from serve.blobs import Blobs
from serve.config import Settings
from serve.errors import UnavailableError
from serve.garment_intake import NoLinks
from serve.guard import Guard
from serve.key_source import FileKeys, KeySource
from serve.keyring import KeyRing
from serve.keys import Key, create_key
from serve.limits import Limits, LocalCounters
from serve.metrics import Metrics
from serve.store import Counters, Keys, Store, open_store

SHOP = "https://shop.example"


class Opening:
    """A store that is opened when it is first asked for."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._store: Store | None = None

    async def store(self) -> Store:
        if self._store is None:
            self._store = await open_store(self._url)
        return self._store

    async def keys(self) -> Keys:
        return (await self.store()).keys

    async def counters(self) -> Counters:
        return (await self.store()).counters

    async def close(self) -> None:
        if self._store is not None:
            await self._store.close()


class Clock:
    """Time that passes when a test says so."""

    def __init__(self, at: float = 1_000_000_020.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class Doorway:
    """A service that has a door and nothing behind it."""

    def __init__(
        self,
        source: KeySource | None,
        *,
        counters: Counters | None = None,
        clock: Clock | None = None,
        hidden: bool = False,
        **settings: Any,
    ) -> None:
        clock = clock or Clock()
        self.settings = Settings.from_args(settings)
        self.metrics, self.admission = Metrics(""), Admission(100, 2**20)
        own = self.settings
        self.ring = (
            None if source is None else KeyRing(source, every_s=own.keys_every_s, stale_s=own.keys_stale_s, clock=clock)
        )
        limits = Limits(counters or LocalCounters(), b"secret", clock)
        self.guard = Guard(own, self.ring, limits, Addresses(networks_of(own.trusted_proxies), hidden=hidden), self.metrics)

        self.blobs, self.links = Blobs(own.placed().blobs), NoLinks()

    @property
    def store(self) -> Any:
        raise UnavailableError("the store is not open yet")

    @property
    def shoppers(self) -> Any:
        raise UnavailableError("the store is not open yet")

    @property
    def intake(self) -> Any:
        raise UnavailableError("the store is not open yet")

    @property
    def recommender(self) -> Any:
        raise UnavailableError("no model is loaded yet")

    def client(self, peer: str = "198.51.100.7") -> httpx.AsyncClient:
        """A client that comes from an address."""
        transport = httpx.ASGITransport(app=build_app(self), raise_app_exceptions=False, client=(peer, 1234))
        return httpx.AsyncClient(transport=transport, base_url="http://tryon.example")


@dataclass(frozen=True)
class Caller:
    """What a caller sends with every request."""

    key: str = ""
    origin: str = ""

    @property
    def headers(self) -> Mapping[str, str]:
        told = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return told | ({"Origin": self.origin} if self.origin else {})


async def make(source: KeySource, *scopes: str, **told: Any) -> tuple[Key, str]:
    """A new key in a source; one for browsers is the shop's."""
    origins = frozenset({SHOP}) if scopes == ("shopper",) else frozenset()
    key, whole = create_key("a caller", frozenset(scopes), told.pop("origins", origins), **told)
    await source.change(key.id, lambda _: key)
    return key, whole


@asynccontextmanager
async def doorway(folder: Path, *scopes: str, peer: str = "198.51.100.7", **told: Any) -> AsyncIterator[tuple[Any, Caller]]:
    """A client of a doorway and a caller with a key of the scopes."""
    limits = {name: told.pop(name) for name in ("requests", "garments") if name in told}
    source = FileKeys(folder / "keys.json")
    _, key = await make(source, *scopes, **limits)
    async with Doorway(source, **told).client(peer) as http:
        yield http, Caller(key, SHOP if scopes == ("shopper",) else "")

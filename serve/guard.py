"""Who calls, whether they may, and how much of their share is left: asked of every request before its body is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tryon_core.errors import InputError

from .access import Rule, rules_of
from .addresses import Addresses, networks_of
from .browsers import is_preflight, preflight_answer
from .config import NO_KEYS, Settings
from .environment import behind_haproxy
from .errors import CallerError, OriginError, RateError, RouteError, ScopeError
from .key_source import FileKeys, StoreKeys
from .keyring import KeyRing
from .keys import Key
from .limits import WINDOW_S, FallbackCounters, Limit, Limits, LocalCounters, Standing
from .metrics import Metrics
from .origins import comes_from, is_own, origins_of
from .store import Counters, Keys, Store

_BEARER = "bearer "


class Caller:
    """Who makes a request, and what they have asked for so far.

    Args:
        shares: (name, limits) of everybody on whose account it goes: a key, an address, both, nobody.
    """

    def __init__(self, limits: Limits, key: Key | None, shares: Iterable[tuple[str, Iterable[Limit]]]) -> None:
        self.key = key
        self._limits = limits
        self._shares = [(name, limit) for name, owned in shares for limit in owned]
        self._standings: dict[str, Standing] = {}

    async def charge(self, unit: str, num: int, pointer: str = "") -> None:
        """Count what the request asks for.

        Args:
            unit: requests or garments.
            pointer: where the body asks for it.

        Raises:
            InputError: it is more at once than anybody may ask for in a minute.
            RateError: it is more than the caller's share.
        """
        for name, limit in self._shares:
            if limit.unit != unit:
                continue
            if num > limit.num:
                raise InputError(f"expected at most {limit.num} {unit}, which is a minute's share, got {num}", pointer)
            standing = await self._limits.take(name, limit, num)
            known = self._standings.get(unit, standing)
            self._standings[unit] = min(standing, known, key=lambda one: one.remaining)
            if standing.wait_s:
                self._standings[unit] = standing
                told = f"expected at most {limit.num} {unit} a minute, got more"
                raise RateError(told, self.headers() | {"Retry-After": str(standing.wait_s)})

    def headers(self) -> dict[str, str]:
        """Return what the answer tells of the caller's shares (draft-ietf-httpapi-ratelimit-headers)."""
        if not self._standings:
            return {}
        limits = [(unit, standing.limit.num) for unit, standing in self._standings.items()]
        left = [f'"{unit}";r={standing.remaining};t={standing.reset_s}' for unit, standing in self._standings.items()]
        policy = [f'"{unit}";q={num};w={WINDOW_S:.0f}' for unit, num in limits]
        return {"RateLimit-Policy": ", ".join(policy), "RateLimit": ", ".join(left)}


class Guard:
    """Decides about requests.

    Args:
        ring: the keys; None where none are configured, and then everybody is let in, and nobody is counted.
    """

    def __init__(
        self, settings: Settings, ring: KeyRing | None, limits: Limits, addresses: Addresses, metrics: Metrics
    ) -> None:
        self._settings, self._ring, self._limits = settings, ring, limits
        self._addresses, self._metrics = addresses, metrics
        self._origins = origins_of(settings.origins)

    def is_listed(self, origin: str) -> bool:
        """Tell whether pages of an origin may read answers: it is set, or some key's."""
        return origin in self._origins or (self._ring is not None and origin in self._ring.origins)

    async def asks_listed(self, headers: Headers) -> bool:
        """Tell the same of a browser that asks before it sends a key."""
        if self._ring is not None:
            await self._ring.refresh()
        return self.is_listed(headers["origin"])

    async def admit(self, rule: Rule, peer: str | None, headers: Headers) -> Caller:
        """Return who calls, with this request counted.

        Args:
            peer: the other end of the connection.

        Raises:
            KeyMissingError, KeyRefusedError: no key that is known.
            ScopeError: the key is for something else.
            OriginError: a page asks that may not.
            RateError: the caller's share is used up.
            UnavailableError: the keys could not be read for too long.
        """
        if rule.is_open:
            return Caller(self._limits, None, ())
        try:
            return await self._admitted(rule, peer, headers)
        except CallerError as err:
            self._metrics.refused.labels(err.reason).inc()
            raise

    async def _admitted(self, rule: Rule, peer: str | None, headers: Headers) -> Caller:
        if self._ring is None:
            self._check_origin(headers)
            return Caller(self._limits, None, ())
        address = self._addresses.of(peer, headers)
        try:
            key = await self._ring.find(_token(headers))
        except CallerError:
            # Without a key that is known, an address has no more than a browser's share.
            await Caller(self._limits, None, self._of_address(address)).charge("requests", 1)
            raise
        caller = Caller(self._limits, key, self._of(key, address))
        await caller.charge("requests", 1)
        if not key.scopes & rule.scopes:
            needed = " or ".join(sorted(rule.scopes))
            raise ScopeError(f"expected a key with scope {needed}, got {' and '.join(sorted(key.scopes))}")
        if key.is_publishable and not comes_from(headers, key.origins):
            raise OriginError("expected a page of an origin that the key is bound to")
        if not key.is_publishable:
            self._check_origin(headers)
        return caller

    def _check_origin(self, headers: Headers) -> None:
        """Refuse what a page of another site sends, whether or not it could read the answer."""
        origin = headers.get("origin")
        if origin is not None and not self.is_listed(origin) and not is_own(origin, headers):
            raise OriginError("expected a page of this service or of an origin that is listed")

    def _of(self, key: Key, address: str | None) -> list[tuple[str, Iterable[Limit]]]:
        own = self._settings
        limits = _limits(key.requests or own.key_requests, key.garments or own.key_garments)
        # The address first: somebody who is over their own share takes nothing of what a browser's key has for all.
        return [*(self._of_address(address) if key.is_publishable else ()), (f"key {key.id}", limits)]

    def _of_address(self, address: str | None) -> list[tuple[str, Iterable[Limit]]]:
        if address is None:
            return []
        return [(f"address {address}", _limits(self._settings.address_requests, self._settings.address_garments))]


def new_guard(settings: Settings, metrics: Metrics, secret: bytes, store: Callable[[], Store]) -> Guard:
    """Return the guard that settings ask for.

    Args:
        secret: key of the digests by which callers are called in the counters, the same for all replicas.
        store: returns the store, or raises while it is not open.
    """

    async def keys() -> Keys:
        return store().keys

    async def counters() -> Counters:
        return store().counters

    def count(outcome: str) -> None:
        metrics.key_reads.labels(outcome).inc()

    ring = None
    if settings.keys not in NO_KEYS:
        source = StoreKeys(keys) if settings.keys == "store" else FileKeys(Path(settings.keys))
        ring = KeyRing(source, every_s=settings.keys_every_s, stale_s=settings.keys_stale_s, count=count)
    limits = Limits(FallbackCounters(counters, LocalCounters()), secret)
    return Guard(settings, ring, limits, Addresses(networks_of(settings.trusted_proxies), hidden=behind_haproxy()), metrics)


def _limits(requests: int, garments: int) -> list[Limit]:
    return [Limit(unit, num) for unit, num in (("requests", requests), ("garments", garments)) if num]


def _token(headers: Headers) -> str | None:
    told = headers.get("authorization", "")
    return told[len(_BEARER) :].strip() if told[: len(_BEARER)].lower() == _BEARER else None


class Gate:
    """ASGI middleware before the routes; `request.state.caller` is who was let in."""

    def __init__(self, app: ASGIApp, *, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if is_preflight(scope["method"], headers):
            await preflight_answer(listed=await self._guard.asks_listed(headers))(scope, receive, send)
            return
        rule = _rule(scope)
        scope["state"]["rule"] = rule
        peer = scope.get("client")
        caller = await self._guard.admit(rule, peer[0] if peer else None, headers)
        scope["state"]["caller"] = caller

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(caller.headers())
            await send(message)

        await self._app(scope, receive, told)


def _rule(scope: Scope) -> Rule:
    """Return the rule of a request's route.

    Raises:
        RouteError: the table has no such route, or not by this method; then nobody may call it.
    """
    rules = rules_of(scope["path"])
    rule = rules.get("GET" if scope["method"] == "HEAD" else scope["method"])
    if rule is not None:
        return rule
    if rules:
        raise RouteError(405, "Method Not Allowed", {"Allow": ", ".join(sorted(rules))})
    raise RouteError(404, "Not Found")


async def charge_garments(request: Request, num: int, pointer: str = "") -> None:
    """Count the garments that a request asks to be scored.

    Raises:
        InputError: they are more than anybody may ask for in a minute.
        RateError: they are more than the caller's share.
    """
    caller: Caller = request.state.caller
    await caller.charge("garments", num, pointer)


def require_back_end(request: Request, what: str) -> None:
    """Refuse what a key for browsers may not tell, since anybody can read such a key off a page.

    Raises:
        ScopeError: the caller's key is one.
    """
    caller: Caller = request.state.caller
    if caller.key is not None and caller.key.is_publishable:
        raise ScopeError(f"expected {what} from a shop's own back end, got it with a key for browsers")

"""Whose address a request comes from, and which pages are the service's own: what strangers write is not believed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.datastructures import Headers

from serve.addresses import Addresses, is_loopback, networks_of
from serve.config import Settings
from serve.environment import fast_flags
from serve.origins import comes_from, is_own
from tests.doorway import Caller, doorway
from tryon_core.errors import ConfigError

TRUSTED = "10.0.0.0/8, 127.0.0.1, fd00::/8"


def address(peer: str | None, *forwarded: str, trusted: str = TRUSTED, hidden: bool = False) -> str | None:
    headers = Headers(raw=[(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded])
    return Addresses(networks_of(trusted), hidden=hidden).of(peer, headers)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.7", (), "198.51.100.7"),
        ("198.51.100.7", ("203.0.113.9",), "198.51.100.7"),  # a stranger's word
        ("10.1.2.3", ("203.0.113.9",), "203.0.113.9"),
        ("10.1.2.3", ("1.1.1.1, 203.0.113.9",), "203.0.113.9"),  # what the client wrote stands further left
        ("10.1.2.3", ("1.1.1.1", "203.0.113.9"), "203.0.113.9"),  # in two headers
        ("10.1.2.3", ("1.1.1.1, 203.0.113.9, 10.9.9.9",), "203.0.113.9"),  # two proxies
        ("10.1.2.3", ("203.0.113.9:4711",), "203.0.113.9"),
        ("10.1.2.3", ("[2001:db8::1]:4711",), "2001:db8::"),
        ("10.1.2.3", ("2001:db8:1:2:3:4:5:6",), "2001:db8:1:2::"),
        ("::ffff:198.51.100.7", (), "198.51.100.7"),
        ("::ffff:10.1.2.3", ("203.0.113.9",), "203.0.113.9"),
        ("fe80::1%eth0", (), "fe80::"),
        ("10.1.2.3", (), None),  # a proxy that tells nothing
        ("10.1.2.3", ("10.4.4.4",), None),  # a machine of one's own
        ("10.1.2.3", ("203.0.113.9, unknown",), None),
        ("10.1.2.3", ("203.0.113.9, 999.1.1.1",), None),
        ("10.1.2.3", ("203.0.113.9,",), None),
        ("10.1.2.3", ("203.0.113.9\x00",), None),
        ("10.1.2.3", ("1.1.1.1," * 10_000 + "203.0.113.9",), "203.0.113.9"),
        (None, ("203.0.113.9",), None),
        ("unix", (), None),
    ],
)
def test_the_last_word_of_those_who_are_trusted_counts(
    peer: str | None, forwarded: tuple[str, ...], client: str | None
) -> None:
    assert address(peer, *forwarded) == client


def test_behind_a_proxy_that_tells_nobodys_address_nobody_has_one() -> None:
    assert address("10.1.2.3", hidden=True, trusted="") is None
    assert address("10.1.2.3", "203.0.113.9", hidden=True, trusted="") is None
    assert address("127.0.0.1", "203.0.113.9", hidden=True) == "203.0.113.9"


@pytest.mark.parametrize("wrong", ["10.0.0.0/33", "10.0.0.1/8", "shop.example", "10.0.0.0/8;127.0.0.1", "*"])
def test_networks_that_are_none_are_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(ConfigError, match="expected trusted_proxies as"):
        Settings(trusted_proxies=wrong)


def test_the_server_below_would_believe_a_header_from_the_loopback_and_is_told_not_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def seen() -> str:
        clients: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            clients.append(scope["client"][0])

        config = uvicorn.Config(app, lifespan="off", log_config=None)
        config.load()
        scope = {"type": "http", "client": ("127.0.0.1", 9), "headers": [(b"x-forwarded-for", b"203.0.113.9")]}
        asyncio.run(config.loaded_app(scope, None, None))
        return clients[0]

    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    assert seen() == "203.0.113.9"
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", fast_flags()["FORWARDED_ALLOW_IPS"])
    assert seen() == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_a_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example", "localhost.example", ""])
def test_what_others_reach_is_no_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_a_forged_header_gives_no_second_share(tmp_path: Path) -> None:
    async def test() -> None:
        async with doorway(tmp_path, "shopper", address_requests=2, trusted_proxies="10.0.0.0/8") as (http, caller):

            async def ask(forwarded: str) -> int:
                headers = {**caller.headers, "X-Forwarded-For": forwarded}
                return int((await http.post("/v1/recommendations", headers=headers)).status_code)

            assert [await ask(f"203.0.113.{n}") for n in range(4)] == [400, 400, 429, 429]
        async with doorway(tmp_path, "shopper", address_requests=2, trusted_proxies="10.0.0.0/8", peer="10.0.0.9") as (
            http,
            caller,
        ):
            assert [await ask(f"203.0.113.{n}") for n in range(4)] == [400] * 4  # four clients of a trusted proxy
            assert [await ask(f"{n}.1.1.1, 203.0.113.200") for n in range(4)] == [400, 400, 429, 429]

    asyncio.run(test())


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://tryon.example", "tryon.example", True),
        ("https://tryon.example", "tryon.example", True),
        ("http://tryon.example:8000", "tryon.example:8000", True),
        ("https://tryon.example", "tryon.example:443", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://tryon.example", "tryon.example:8000", False),
        ("http://tryon.example.elsewhere.example", "tryon.example", False),
        ("null", "tryon.example", False),
        ("", "", False),
        ("file://tryon.example", "tryon.example", False),
    ],
)
def test_a_page_is_the_services_own_if_it_comes_from_the_very_host(origin: str, host: str, own: bool) -> None:
    assert is_own(origin, Headers({"host": host})) is own


def test_a_page_that_only_reads_from_its_own_host_is_known_without_an_origin() -> None:
    shop = {"https://shop.example"}
    assert comes_from(Headers({"host": "shop.example", "sec-fetch-site": "same-origin"}), shop)
    assert not comes_from(Headers({"host": "shop.example", "sec-fetch-site": "cross-site"}), shop)
    assert not comes_from(Headers({"host": "elsewhere.example", "sec-fetch-site": "same-origin"}), shop)
    assert not comes_from(
        Headers({"host": "shop.example", "sec-fetch-site": "same-origin", "origin": "https://elsewhere.example"}), shop
    )


def test_a_callers_headers_are_what_the_tests_think() -> None:
    assert Caller("k", "o").headers == {"Authorization": "Bearer k", "Origin": "o"}

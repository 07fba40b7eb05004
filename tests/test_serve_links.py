"""Links to images: which are followed, to which addresses, and how far, against real servers on this machine."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from serve.config import Settings
from serve.link_hosts import Address, Hosts, checked_addresses, is_public
from serve.links import Links
from tests.drawn import photo
from tryon_core.errors import ConfigError, InputError, TooLargeError

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A server of raw answers; it remembers what it was asked."""

    def __init__(self, answers: dict[str, bytes | Handler]) -> None:
        self.answers, self.asked, self.port = answers, [], 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        answer = self.answers[head.split()[1].decode()]
        try:
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(head, writer)
        except OSError:
            pass  # the other side has had enough
        finally:
            writer.close()


@asynccontextmanager
async def serving(**answers: Any) -> AsyncIterator[Server]:
    server = Server({f"/{path}": answer for path, answer in answers.items()})
    listening = await asyncio.start_server(server, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


def links(server: Server, **settings: Any) -> Links:
    """Links for which the server here stands for every listed host, as if it were on the open internet."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    def check(host: str, found: Sequence[str]) -> list[Address]:
        return [ipaddress.ip_address(address) for address in found]

    told: dict[str, Any] = {"resolve": resolve, "check": check, "ports": {"http": server.port}, "timeout_s": 2.0}
    return Links("cdn.shop.com,*.images.shop.com", **told | settings)


def ok(content: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", *headers)) + b"\r\n\r\n" + content


def redirect(to: str) -> bytes:
    return b"HTTP/1.1 302 Found\r\nLocation: " + to.encode() + b"\r\nContent-Length: 0\r\n\r\n"


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))


async def refused(own: Links, link: str, kind: type[InputError] = InputError) -> str:
    with pytest.raises(kind) as told:
        await own.fetch(link, "/image_link")
    assert told.value.pointer == "/image_link"
    assert told.value.detail.isprintable()
    return told.value.detail


@pytest.mark.parametrize("length", [True, False])
def test_an_image_of_a_listed_host_is_fetched_by_name_at_the_address_that_was_checked(length: bool) -> None:
    async def test() -> None:
        headers = [b"Content-Length: %d" % len(photo())] if length else []
        async with serving(**{"a.jpg?w=2": ok(photo(), *headers)}) as server:
            assert await links(server).fetch("http://cdn.shop.com/a.jpg?w=2") == photo()
            assert await links(server).fetch("http://n7.images.shop.com/a.jpg?w=2#part") == photo()
            assert b"Host: cdn.shop.com\r\n" in server.asked[0]

    run(test)


def test_a_chunked_answer_is_put_together() -> None:
    async def test() -> None:
        chunks = b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
        async with serving(x=ok(chunks, b"Transfer-Encoding: chunked")) as server:
            assert await links(server).fetch("http://cdn.shop.com/x") == b"abcdefg"

    run(test)


@pytest.mark.parametrize(
    "link",
    [
        "http://elsewhere.com/x",
        "http://cdn.shop.com.elsewhere.com/x",
        "http://images.shop.com/x",
        "http://xcdn.shop.com/x",
        "http://127.0.0.1/x",
        "http://[::1]/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "http://cdn.shop.com@elsewhere.com/x",
        "http://user:word@cdn.shop.com/x",
        "http://cdn.shop.com:22/x",
        "http://cdn.shop.com:port/x",
        "http://elsewhere.com\\@cdn.shop.com/x",
        "http://cdn.shop.com/x\r\nHost: elsewhere.com",
        "http://cdn.shop.com/x y",
        "http://cdn.shop.cоm/x",
        "https://cdn.shop.com/x" + "y" * 2_000,
        "file:///etc/passwd",
        "ftp://cdn.shop.com/x",
        "gopher://cdn.shop.com/x",
        "data:image/png;base64,AAAA",
        "//cdn.shop.com/x",
        "cdn.shop.com/x",
        "",
    ],
)
def test_a_link_that_leads_elsewhere_is_refused_unasked(link: str) -> None:
    async def test() -> None:
        async with serving(x=ok(b"x")) as server:
            await refused(links(server), link)
            assert server.asked == []

    run(test)


def test_without_a_list_every_link_is_refused() -> None:
    async def test() -> None:
        detail = await refused(Links(""), "https://cdn.shop.com/x")
        assert "image_hosts lists" in detail

    run(test)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)
def test_an_inner_address_is_never_connected_to(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    for found in ([address], ["93.184.216.34", address], []):
        with pytest.raises(InputError, match="host of the open internet"):
            checked_addresses("cdn.shop.com", found)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_an_address_of_the_open_internet_is(address: str) -> None:
    assert checked_addresses("cdn.shop.com", [address]) == [ipaddress.ip_address(address)]


def test_a_name_that_changes_its_meaning_gains_nothing() -> None:
    async def test() -> None:
        asked: list[str] = []

        async def rebinding(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]

        def check(host: str, found: Sequence[str]) -> list[Address]:
            checked_addresses(host, found)
            return [ipaddress.ip_address("127.0.0.1")]  # where the server is that stands for the outer address

        async with serving(x=ok(b"outer"), again=redirect("http://cdn.shop.com/x")) as server:
            own = links(server, resolve=rebinding, check=check)
            assert await own.fetch("http://cdn.shop.com/x") == b"outer"
            assert asked == ["cdn.shop.com"]
            await refused(own, "http://cdn.shop.com/x")
            asked.clear()
            await refused(own, "http://cdn.shop.com/again")
            assert asked == ["cdn.shop.com", "cdn.shop.com"]

    run(test)


def test_the_real_resolver_and_check_refuse_this_machine() -> None:
    async def test() -> None:
        async with serving(x=ok(b"x")) as server:
            own = Links("localhost", ports={"http": server.port})
            assert "open internet" in await refused(own, "http://localhost/x")
            assert server.asked == []

    run(test)


def test_a_redirect_is_followed_within_the_list_and_not_out_of_it() -> None:
    async def test() -> None:
        async with serving(
            a=redirect("/b"),
            b=redirect("http://n1.images.shop.com/c"),
            c=ok(b"there"),
            out=redirect("http://elsewhere.com/c"),
            inner=redirect("http://169.254.169.254/latest/meta-data"),
            file=redirect("file:///etc/passwd"),
            round=redirect("/round"),
            nowhere=b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        ) as server:
            assert await links(server).fetch("http://cdn.shop.com/a") == b"there"
            for path, said in (
                ("out", "image_hosts lists"),
                ("inner", "image_hosts lists"),
                ("file", "https://host/path"),
                ("round", "at most 3 redirects"),
                ("nowhere", "status 302"),
            ):
                assert said in await refused(links(server), f"http://cdn.shop.com/{path}")

    run(test)


async def _endless(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(ok(b""))
    while True:
        writer.write(bytes(64 * 1024))
        await writer.drain()


async def _dripping_head(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _silent(head: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (ok(b"", b"Content-Length: 999999999999"), TooLargeError, "at most 100000 bytes"),
        (_endless, TooLargeError, "at most 100000 bytes"),
        (_silent, InputError, "within 0.5 s"),
        (_dripping_head, InputError, "within 0.5 s"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000, InputError, "got RemoteProtocolError"),
        (b"not http at all\r\n\r\n", InputError, "got RemoteProtocolError"),
        (ok(b"abc", b"Content-Length: 10"), InputError, "got RemoteProtocolError"),
        (ok(b"abc", b"Content-Length: ten"), InputError, "got RemoteProtocolError"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", InputError, "status 404"),
        (b"", InputError, "expected an image behind the link"),
    ],
)
def test_a_server_that_misbehaves_costs_little_and_is_told(answer: Any, kind: type[InputError], said: str) -> None:
    async def test() -> None:
        async with serving(x=answer) as server:
            own = links(server, max_bytes=100_000, timeout_s=0.5)
            assert said in await refused(own, "http://cdn.shop.com/x", kind)

    run(test)


def test_a_host_that_takes_no_connection_is_told() -> None:
    async def test() -> None:
        async with serving() as server:
            own = links(server, ports={"http": 1})
        assert "got ConnectionRefusedError" in await refused(own, "http://cdn.shop.com/x")

    run(test)


@pytest.mark.parametrize(
    "told", ["https://cdn.shop.com", "cdn.shop.com/x", "*", "*.*.com", "10.0.0.1", "a b", "cdn.shop.com:80"]
)
def test_a_list_of_anything_but_names_is_refused_at_the_start(told: str) -> None:
    with pytest.raises(ConfigError, match="expected image_hosts as names"):
        Settings(image_hosts=told)


def test_a_list_is_read_with_spaces_and_capitals() -> None:
    hosts = Hosts.read(" CDN.shop.com , *.x.org,")
    hosts.check("cdn.shop.com")
    hosts.check("a.b.x.org")
    with pytest.raises(InputError):
        hosts.check("x.org")

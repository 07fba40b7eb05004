"""Images behind links: fetched from listed hosts only, at the address that was checked, within bounds of size and time.

A name is resolved once; what it resolves to is checked, and that very address is connected to, so that a name which changes
its meaning between check and connection gains nothing. A redirect is a new link, with the same checks.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

import h11

from tryon_core.errors import InputError, TooLargeError

from .link_hosts import Address, Hosts, checked_addresses

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses."""
_PORTS = {"https": 443, "http": 80}
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 3
_MAX_URL = 2_000
_PIECE_BYTES = 64 * 1024
_ACCEPT = "image/jpeg, image/png, image/webp"


@dataclass(frozen=True)
class _Answer:
    status: int
    location: str
    content: bytes


async def resolved(host: str, port: int) -> list[str]:
    """Return the addresses that the system's resolver has for a host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Links:
    """Fetches images by link.

    Args:
        hosts: setting `image_hosts`; empty refuses every link.
        max_bytes: of one image.
        timeout_s: for one image, redirects and all.
        at_once: fetched at the same time; the others wait.
        resolve: host and port to addresses.
        check: host and its addresses to those that may be connected to.
        ports: scheme to port.
    """

    def __init__(
        self,
        hosts: str,
        *,
        max_bytes: int = 20 * 2**20,
        timeout_s: float = 10.0,
        at_once: int = 8,
        resolve: Resolve = resolved,
        check: Callable[[str, Sequence[str]], Sequence[Address]] = checked_addresses,
        ports: dict[str, int] | None = None,
    ) -> None:
        self._hosts, self._max_bytes, self._timeout_s = Hosts.read(hosts), max_bytes, timeout_s
        self._resolve, self._check, self._ports = resolve, check, ports or _PORTS
        self._turns = asyncio.Semaphore(at_once)
        self._tls = ssl.create_default_context()

    async def fetch(self, link: str, pointer: str = "") -> bytes:
        """Return the bytes behind a link; whether they are an image, decoding tells.

        Args:
            pointer: where the link stands in the request.

        Raises:
            InputError: the link is none that may be followed, or nothing came of it in time.
            TooLargeError: there are over `max_bytes` bytes.
        """
        async with self._turns:
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._followed(link)
            except InputError as err:
                raise type(err)(err.detail, pointer) from err
            except TimeoutError as err:
                raise InputError(f"expected an image within {self._timeout_s:g} s, got none", pointer) from err
            except (OSError, h11.ProtocolError, ValueError) as err:
                raise InputError(f"expected an image behind the link, got {type(err).__name__}", pointer) from err

    async def _followed(self, link: str) -> bytes:
        for _ in range(1 + _MAX_REDIRECTS):
            answer = await self._get(self._checked(link))
            if answer.status == 200:
                return answer.content
            if answer.status not in _REDIRECTS or not answer.location:
                raise InputError(f"expected an image behind the link, got status {answer.status}")
            link = urljoin(link, answer.location)
        raise InputError(f"expected a link of at most {_MAX_REDIRECTS} redirects, got more")

    def _checked(self, link: str) -> SplitResult:
        if len(link) > _MAX_URL or not link.isascii() or not link.isprintable() or " " in link or "\\" in link:
            raise InputError(f"expected a link of at most {_MAX_URL} ASCII characters, percent-encoded, got another")
        parts = urlsplit(link)
        if parts.scheme not in self._ports or "@" in parts.netloc or not parts.hostname:
            raise InputError("expected a link as https://host/path, without a user's name, got another")
        if parts.port not in (None, self._ports[parts.scheme]):
            raise InputError(f"expected a link to the usual port, got {parts.port}")
        self._hosts.check(parts.hostname)
        return parts

    async def _get(self, link: SplitResult) -> _Answer:
        host, port = link.hostname or "", self._ports[link.scheme]
        addresses = self._check(host, await self._resolve(host, port))
        reader, writer = await self._connected(addresses, port, host if link.scheme == "https" else None)
        try:
            client = h11.Connection(h11.CLIENT, max_incomplete_event_size=16 * 1024)
            headers = [("Host", link.netloc), ("Accept", _ACCEPT), ("Accept-Encoding", "identity"), ("Connection", "close")]
            target = (link.path or "/") + (f"?{link.query}" if link.query else "")
            request = h11.Request(method="GET", target=target, headers=headers)
            writer.write(client.send(request) or b"")
            writer.write(client.send(h11.EndOfMessage()) or b"")
            return await self._read(client, reader)
        finally:
            writer.close()

    async def _connected(
        self, addresses: Sequence[Address], port: int, name: str | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection to the first address that takes one, encrypted for a host of that name if there is one."""
        last, tls = OSError("no address"), self._tls if name else None
        for address in addresses:
            try:
                return await asyncio.open_connection(str(address), port, ssl=tls, server_hostname=name)
            except OSError as err:
                last = err
        raise last

    async def _read(self, client: h11.Connection, reader: asyncio.StreamReader) -> _Answer:
        status, location, pieces, total = 0, "", [], 0
        while True:
            event = client.next_event()
            if event is h11.NEED_DATA:
                client.receive_data(await reader.read(_PIECE_BYTES))
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = dict(event.headers)
                location = headers.get(b"location", b"").decode("latin-1")
                if status != 200:
                    return _Answer(status, location, b"")
                self._require_fitting(int(headers.get(b"content-length", b"0")))
            elif isinstance(event, h11.Data):
                total += len(event.data)
                self._require_fitting(total)
                pieces.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                return _Answer(status, location, b"".join(pieces))
            elif not isinstance(event, h11.InformationalResponse):
                raise InputError("expected an image behind the link, got a connection that ends early")

    def _require_fitting(self, num_bytes: int) -> None:
        if num_bytes > self._max_bytes:
            raise TooLargeError(f"expected an image file of at most {self._max_bytes} bytes, got more")

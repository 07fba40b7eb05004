"""Whose address a request comes from; a header says it, and only proxies that are known are believed."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers

from tryon_core.errors import ConfigError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_MAX_HOPS = 32
_IPV6_PREFIX = 64
"""Bits of an IPv6 address that one customer of a provider holds; the rest they choose as they like."""


def networks_of(text: str) -> tuple[Network, ...]:
    """Return networks and addresses that commas part.

    Raises:
        ConfigError: one of them is none.
    """
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as err:
        raise ConfigError(f"expected trusted_proxies as 10.0.0.0/8,192.0.2.7,…, got {text!r}: {err}") from err


class Addresses:
    """Finds the client behind the proxies.

    Args:
        trusted: proxies that write the address they see at the end of X-Forwarded-For.
        hidden: whether a proxy stands before every replica that tells nobody's address, as Serve's HAProxy does; then the
            peer is nobody's address.
    """

    def __init__(self, trusted: Sequence[Network], *, hidden: bool) -> None:
        self._trusted, self._hidden = trusted, hidden

    def of(self, peer: str | None, headers: Headers) -> str | None:
        """Return the client's address, of IPv6 the first 64 bits; None where nobody who is believed tells it.

        From the right, X-Forwarded-For is read as long as the one who wrote it is trusted; what stands further left anybody
        may have written.

        Args:
            peer: the other end of the connection, as the server below tells it.
        """
        at = _address(peer or "")
        hops = [hop for line in headers.getlist("x-forwarded-for") for hop in line.split(",")]
        forwarded = False
        for hop in reversed(hops[-_MAX_HOPS:]):
            if at is None or not self._is_trusted(at):
                break
            at, forwarded = _address(hop), True
        if at is None or self._is_trusted(at) or (self._hidden and not forwarded):
            return None
        return _as_client(at)

    def _is_trusted(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a host's address."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _address(text: str) -> _Address | None:
    """Return the address in an entry, which may have a port; None where there is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _as_client(address: _Address) -> str:
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False).network_address)

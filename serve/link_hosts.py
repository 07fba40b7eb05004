"""Which addresses of the network a stranger's link may lead to, and which hosts the shop has listed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tryon_core.errors import ConfigError, InputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48")
"""IPv6 addresses that stand for IPv4 ones (RFC 6052, RFC 8215)."""
_ENTRY = re.compile(r"(\*\.)?([a-z0-9_-]+\.)*[a-z0-9_-]+")
_HOST = re.compile(r"[a-z0-9._-]{1,253}")


def is_public(address: Address) -> bool:
    """Return whether an address is one of the open internet, in whichever way it is written.

    Loopback, private, link-local (a cloud's metadata service), shared, reserved and multicast addresses are not, nor is an
    IPv6 address that carries one of them.
    """
    if isinstance(address, ipaddress.IPv6Address):
        carried = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
        if any(inner is not None for inner in carried) or any(address in network for network in _NAT64):
            return address.ipv4_mapped is not None and is_public(address.ipv4_mapped)
    return address.is_global and not address.is_multicast


@dataclass(frozen=True)
class Hosts:
    """The hosts that a shop lists: names, or `*.name` for all names below one."""

    entries: tuple[str, ...]

    @classmethod
    def read(cls, told: str) -> Hosts:
        """Return the hosts of a list with commas.

        Raises:
            ConfigError: an entry is no name of a host.
        """
        entries = tuple(entry.strip().lower() for entry in told.split(",") if entry.strip())
        for entry in entries:
            if not _ENTRY.fullmatch(entry) or entry.rpartition(".")[2].isdecimal():
                raise ConfigError(f"expected image_hosts as names of hosts or *.names with commas, got {entry!r}")
        return cls(entries)

    def check(self, host: str) -> None:
        """Check that a host is listed.

        Raises:
            InputError: it is not.
        """
        below = (entry[1:] for entry in self.entries if entry.startswith("*."))
        if not _HOST.fullmatch(host) or not (host in self.entries or any(host.endswith(end) for end in below)):
            raise InputError(f"expected a link to a host that image_hosts lists, got {host[:100]!r}")


def checked_addresses(host: str, found: Iterable[str]) -> list[Address]:
    """Return a host's addresses, each of the open internet.

    Raises:
        InputError: there is none, or one of them is not: a name with an inner address beside an outer one is an attack.
    """
    addresses = [ipaddress.ip_address(address.partition("%")[0]) for address in found]
    if not addresses or not all(map(is_public, addresses)):
        raise InputError(f"expected {host[:100]!r} to be a host of the open internet, got one that is not")
    return addresses

"""Where a browser's request comes from: origins as browsers write them, and whether a page is the service's own."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable

from starlette.datastructures import Headers

from tryon_core.errors import ConfigError

_HOST = re.compile(r"[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\]")
_PORTS = {"http": 80, "https": 443}


def origin_of(text: str) -> str:
    """Return an origin as browsers write it: scheme and host in small letters, and the port unless it is the usual one.

    Raises:
        ConfigError: it is no http or https origin, or holds more than one: a path, a user, a wildcard.
    """
    told = f"expected an origin as https://shop.example, got {text!r}"
    try:
        parts = urllib.parse.urlsplit(text.strip().lower())
        host, port = parts.hostname or "", parts.port
    except ValueError as err:
        raise ConfigError(told) from err
    host = f"[{host}]" if ":" in host else host
    bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in _PORTS or not bare or not _HOST.fullmatch(host):
        raise ConfigError(told)
    return f"{parts.scheme}://{host}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")


def origins_of(text: str) -> frozenset[str]:
    """Return origins that commas part.

    Raises:
        ConfigError: one of them is none.
    """
    return frozenset(origin_of(part) for part in text.split(",") if part.strip())


def is_own(origin: str, headers: Headers) -> bool:
    """Tell whether a page of this origin came from the very host that the request asks for.

    The scheme is not compared: what ends TLS in front of the service is all that knows it.
    """
    scheme, _, host = origin.partition("://")
    return scheme in _PORTS and _with_port(host, scheme) == _with_port(headers.get("host", "").lower(), scheme)


def _with_port(host: str, scheme: str) -> str:
    return host if re.search(r":\d+$", host) else f"{host}:{_PORTS[scheme]}"


def comes_from(headers: Headers, origins: Iterable[str]) -> bool:
    """Tell whether a request comes from a page of one of the origins.

    A browser leaves Origin out where a page only reads from its own host; then Sec-Fetch-Site says so, which no script sets.
    """
    told = headers.get("origin")
    if told is not None:
        return told in origins
    return headers.get("sec-fetch-site") == "same-origin" and any(is_own(origin, headers) for origin in origins)

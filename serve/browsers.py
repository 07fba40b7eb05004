"""What browsers are told: which pages may read an answer (CORS), and what no page may do with one."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = "GET, POST, PUT, PATCH, DELETE"
_ASKED = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id, X-Request-Timeout-Ms"
_TOLD = "ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, Server-Timing, X-Request-Id"
_REMEMBERED_S = 600
_EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_API = {"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"}
"""Of answers that may be about somebody."""


class Browsers:
    """ASGI middleware around everything else; no cookie is ever set or read, so credentials are never allowed.

    Args:
        is_listed: tells whether pages of an origin may read answers.
    """

    def __init__(self, app: ASGIApp, *, is_listed: Callable[[str], bool]) -> None:
        self._app, self._is_listed = app, is_listed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = Headers(scope=scope).get("origin")

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (_EVERYWHERE | (_API if scope["path"].startswith("/v1/") else {})).items():
                    headers.setdefault(name, value)
                headers.add_vary_header("Origin")
                if origin is not None and self._is_listed(origin):
                    headers["Access-Control-Allow-Origin"] = origin
                    headers["Access-Control-Expose-Headers"] = _TOLD
            await send(message)

        await self._app(scope, receive, told)


def is_preflight(method: str, headers: Headers) -> bool:
    """Tell whether a browser asks what a page may send."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def preflight_answer(*, listed: bool) -> Response:
    """Return the answer to a browser that asks what a page may send, which it does without a key."""
    if not listed:
        return Response(status_code=204)  # without the headers that it looks for
    allowed = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _ASKED,
        "Access-Control-Max-Age": str(_REMEMBERED_S),
        "Vary": "Access-Control-Request-Method, Access-Control-Request-Headers",
    }
    return Response(status_code=204, headers=allowed)

"""What surrounds every request: its id, deadline, timings, metrics and, where it fails, its problem document."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tryon_core.errors import InputError, TryonError

from .admission import Admission
from .errors import CallerError, DeadlineError, FieldsError, RouteError, UnavailableError, status_of
from .metrics import Metrics, Timings

logger = logging.getLogger(__name__)
_EXEMPT = ("/livez", "/readyz", "/metrics")
_IMPORTS = ("/v1/garments/import", "/v1/feedback/import")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Envelope:
    """ASGI middleware around the whole application.

    Args:
        admission: counts requests; those for the service's own state are taken on whatever it says.
        timeout_ms: a request's deadline, unless its header X-Request-Timeout-Ms asks for a shorter one.
        import_timeout_ms: the same of an import, which is read as it comes; as `timeout_ms` where it is not given.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        admission: Admission,
        timeout_ms: float,
        import_timeout_ms: float | None = None,
    ) -> None:
        self._app, self._metrics, self._admission, self._timeout_ms = app, metrics, admission, timeout_ms
        self._import_timeout_ms = import_timeout_ms or timeout_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        own_id = headers.get("x-request-id")
        request_id = own_id if own_id and _REQUEST_ID.fullmatch(own_id) else secrets.token_hex(8)
        timings, begun = Timings(), perf_counter()
        scope.setdefault("state", {})
        scope["state"] |= {"request_id": request_id, "timings": timings}
        # Ray Serve, where it hosts the application, has set an id and echoes it itself.
        answer = _Answer(send, timings, request_id if own_id is None else None)
        try:
            if own_id not in (None, request_id):
                raise InputError(f"expected X-Request-Id of 1 to 64 letters, digits, _, . or -, got {own_id[:40]!r}")
            await self._admitted(scope, receive, answer, headers)
        except ClientDisconnect:
            pass  # nobody is there to be told
        except Exception as err:
            if answer.status:
                raise
            told = DeadlineError("the deadline has passed") if isinstance(err, TimeoutError) else err
            await problem(told, request_id)(scope, receive, answer)
        finally:
            self._count(scope, answer.status, perf_counter() - begun, timings)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        """Let the application answer, within the request's deadline and what the service takes on at once."""
        with self._admission.request(exempt=scope["path"] in _EXEMPT) as held:
            deadline_s = self._deadline_ms(scope["path"], headers) / 1000
            scope["state"] |= {"held": held, "deadline_s": deadline_s}
            async with asyncio.timeout(deadline_s):
                await self._app(scope, receive, send)

    def _deadline_ms(self, path: str, headers: Headers) -> float:
        most = self._import_timeout_ms if path in _IMPORTS else self._timeout_ms
        told = headers.get("x-request-timeout-ms")
        if told is None:
            return most
        if not told.isdecimal() or len(told) > 9 or int(told) == 0:
            raise InputError(f"expected X-Request-Timeout-Ms as a whole number of ms over 0, got {told[:40]!r}")
        return min(float(told), most)

    def _count(self, scope: Scope, status: int, seconds: float, timings: Timings) -> None:
        route = getattr(scope["state"].get("rule"), "path", "other")
        self._metrics.requests.labels(route, str(status or 499)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        for stage, ms in timings.ms.items():
            if ms:
                self._metrics.stage_seconds.labels(stage).observe(ms / 1000)


class _Answer:
    """Sends what is answered with the headers that every answer has, and remembers its status, 0 until it is sent."""

    def __init__(self, send: Send, timings: Timings, request_id: str | None) -> None:
        self._send, self._timings, self._request_id = send, timings, request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            more = MutableHeaders(scope=message)
            if self._request_id is not None:
                more["X-Request-Id"] = self._request_id
            more["Server-Timing"] = self._timings.header()
        await self._send(message)


def patience_s(request: Request) -> float:
    """Return how long the answer to a request may wait for what it can do without, in seconds."""
    deadline_s: float = request.state.deadline_s
    most_s: float = request.app.state.service.settings.degrade_after_ms / 1000
    return min(most_s, deadline_s / 2)


def problem(error: Exception, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the RFC 9457 answer to an error; what is not the caller's doing is logged and not told."""
    status, title = status_of(error)
    if status == 500:
        logger.error("request %s failed", request_id, exc_info=error)
    detail = str(error) if isinstance(error, TryonError) else title
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    body["request_id"] = request_id
    if isinstance(error, FieldsError):
        body["errors"] = [{"pointer": pointer, "detail": text} for pointer, text in error.fields]
    elif isinstance(error, InputError) and error.pointer:
        body["errors"] = [{"pointer": error.pointer, "detail": error.detail}]
    retry = {"Retry-After": str(UnavailableError.retry_after_s)} if status == 503 else {}
    own = error.headers if isinstance(error, CallerError | RouteError) else {}
    return Response(json.dumps(body), status, {**(headers or {}), **retry, **own}, "application/problem+json")

"""What can go wrong in serving, and the one table that turns every error into an HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tryon_core.errors import InputError, TooLargeError, TryonError, UnsupportedImageError


class NotParseableError(InputError):
    """A body is not what its content type says."""


class SlowBodyError(TryonError):
    """A caller stopped sending in the middle of a body."""


class FieldsError(InputError):
    """Several fields of a body are wrong.

    Args:
        fields: (JSON pointer, what is wrong) of each; the pointer is empty for the body as a whole.
    """

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        pointer, detail = fields[0]
        super().__init__(f"{pointer}: {detail}" if pointer else detail, pointer)
        self.fields = fields


class UnavailableError(TryonError):
    """A stage is overloaded, not ready, or serves another model than the request was begun with; worth a retry."""

    retry_after_s = 1


class OverloadedError(UnavailableError):
    """More is asked than the service takes on now; nothing is broken."""


class StoreError(UnavailableError):
    """The store does not answer, or is too busy; nothing was kept of what was asked, or all of it."""


class PreconditionError(TryonError):
    """What is kept is not what the caller takes it for (If-Match)."""


class NotFoundError(TryonError):
    """What a caller names is not there, or not any more."""


class DeletedError(TryonError):
    """What a caller asks for once more was deleted since."""


class DeadlineError(TryonError):
    """The caller's deadline has passed."""


class CallerError(TryonError):
    """The caller may not have this, or not now.

    Attributes:
        reason: in a word, for metrics.
        headers: of the answer.
    """

    reason = ""
    headers: Mapping[str, str] = MappingProxyType({})


class KeyMissingError(CallerError):
    """A key is needed and none was shown."""

    reason = "no_key"
    headers = MappingProxyType({"WWW-Authenticate": 'Bearer realm="tryon"'})


class KeyRefusedError(CallerError):
    """A key was shown that opens nothing."""

    reason = "wrong_key"
    headers = MappingProxyType({"WWW-Authenticate": 'Bearer realm="tryon", error="invalid_token"'})


class ScopeError(CallerError):
    """The key is good, for something else."""

    reason = "scope"


class OriginError(CallerError):
    """A page asks that may not."""

    reason = "origin"


class RateError(CallerError):
    """The caller asks for more a minute than their share.

    Args:
        detail: one sentence.
        headers: of the answer, Retry-After among them.
    """

    reason = "rate"

    def __init__(self, detail: str, headers: Mapping[str, str]) -> None:
        super().__init__(detail)
        self.headers = headers


class RouteError(TryonError):
    """There is no such route, or not by this method.

    Args:
        status: 404 or 405.
        headers: of the answer.
    """

    def __init__(self, status: int, title: str, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(title)
        self.status, self.headers = status, headers


STATUS: tuple[tuple[type[TryonError], int, str], ...] = (
    (NotParseableError, 400, "Not parseable"),
    (SlowBodyError, 408, "The body comes too slowly"),
    (KeyMissingError, 401, "A key is needed"),
    (KeyRefusedError, 401, "A key is needed"),
    (ScopeError, 403, "Not allowed"),
    (OriginError, 403, "Not allowed"),
    (TooLargeError, 413, "Too large"),
    (UnsupportedImageError, 415, "Not an image that is read here"),
    (NotFoundError, 404, "Not found"),
    (DeletedError, 409, "Deleted since"),
    (PreconditionError, 412, "Changed since"),
    (InputError, 422, "A field is wrong"),
    (RateError, 429, "Too much for a minute"),
    (UnavailableError, 503, "Not available now"),
    (DeadlineError, 504, "The deadline has passed"),
)
"""Error class, status, title; the first that fits, anything else is 500."""


def status_of(error: Exception) -> tuple[int, str]:
    """Return an error's HTTP status and title."""
    if isinstance(error, RouteError):
        return error.status, str(error)
    for kind, status, title in STATUS:
        if isinstance(error, kind):
            return status, title
    return 500, "Internal error"

"""Entity tags in requests and answers (RFC 9110, 8.8.3 and 13.1): If-Match and If-None-Match."""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.datastructures import Headers

from .errors import NotParseableError, PreconditionError

_TAGS = re.compile(r'\s*(?:(?:W/)?"[\x21\x23-\x7e]*"\s*(?:,\s*|$))+')
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_MOST = 50


def tag(etag: str) -> str:
    """Return the value of an ETag header."""
    return f'"{etag}"'


def is_known(headers: Headers, etag: str) -> bool:
    """Whether the caller has what has this etag (If-None-Match of a GET): then 304 is the answer."""
    tags = _tags(headers, "if-none-match", weak=True)
    return tags is not None and ("*" in tags or etag in tags)


def required(headers: Headers, kept: str | None) -> str | None:
    """Return what the store is to require of the kept etag, None where the caller requires nothing.

    Args:
        kept: the etag that is kept now; None where there is nothing.

    Raises:
        PreconditionError: what is kept now is already not what the caller takes it for.
        NotParseableError: a header is not written as the standard has it.
    """
    none = _tags(headers, "if-none-match", weak=True)
    if none is not None and kept is not None and ("*" in none or kept in none):
        raise PreconditionError(f"expected nothing with etag {', '.join(sorted(none))}, got {kept}")
    wanted = _tags(headers, "if-match", weak=False)
    if wanted is None:
        return None
    if kept is None or not ("*" in wanted or kept in wanted):
        raise PreconditionError(f"expected the garment with etag {' or '.join(sorted(wanted))}, got {kept or 'none'}")
    return "*" if "*" in wanted else kept


def _tags(headers: Headers, name: str, *, weak: bool) -> Collection[str] | None:
    """Return the tags of a header, None where it is not there; weak ones count only where they may."""
    told = headers.get(name)
    if told is None:
        return None
    if told.strip() == "*":
        return {"*"}
    if not _TAGS.fullmatch(told) or len(found := _TAG.findall(told)) > _MOST:
        raise NotParseableError(f'expected {name} as * or at most {_MOST} tags "…", got {told[:80]!a}')
    return {value for is_weak, value in found if weak or not is_weak}

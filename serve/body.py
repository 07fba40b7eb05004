"""Request bodies, read in memory under a hard cap; nothing is spilled to disk, since a part may be somebody's photo."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from tryon_core.errors import InputError, TooLargeError

from .errors import FieldsError, NotParseableError, SlowBodyError
from .logs import shown

M = TypeVar("M", bound=BaseModel)
_MAX_TEXT_BYTES = 64 * 1024
_MAX_POINTER = 200
"""Characters of a pointer that an answer shows."""
_MAX_TOLD = 100
"""Wrong fields that an answer names."""


@dataclass(frozen=True)
class Form:
    """A multipart body's parts."""

    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    texts: dict[str, str] = field(default_factory=dict, repr=False)


async def read_json(request: Request, model: type[M], max_bytes: int) -> M:
    """Return a JSON body as a checked model.

    Raises:
        TooLargeError: over `max_bytes`.
        OverloadedError: too many bytes are in flight.
        SlowBodyError: the caller sent nothing for too long.
        NotParseableError: not JSON.
        FieldsError: a field is unknown, missing, of another type or out of range.
    """
    return checked(await _read(request, max_bytes), model)


def checked(content: bytes | str, model: type[M], below: str = "") -> M:
    """Return JSON as a checked model.

    Args:
        below: JSON pointer of where it stands.

    Raises:
        NotParseableError: not JSON.
        FieldsError: a field is unknown, missing, of another type or out of range.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError as err:
        problems = err.errors(include_url=False, include_context=False, include_input=False)
        if problems[0]["type"] == "json_invalid":
            raise NotParseableError(f"expected JSON: {problems[0]['msg']}", below) from err
        told = [(below + _pointer(p["loc"]), p["msg"].removeprefix("Value error, ")) for p in problems[:_MAX_TOLD]]
        raise FieldsError(told) from err


async def read_form(request: Request, max_bytes: int, files: tuple[str, ...], texts: tuple[str, ...]) -> Form:
    """Return a multipart body with the named parts, each at most once.

    Raises:
        TooLargeError: over `max_bytes`, or a text over 64 KiB.
        NotParseableError: not multipart, or a text that is not UTF-8.
        OverloadedError: too many bytes are in flight.
        SlowBodyError: the caller sent nothing for too long.
        InputError: a part is unknown, comes twice, or is a file where a text belongs or the other way round.
    """
    content = await _read(request, max_bytes)
    data = await _parse(content, _boundary(request, content))
    try:
        return await _form(data, files, texts)
    finally:
        await data.close()


async def _form(data: FormData, files: tuple[str, ...], texts: tuple[str, ...]) -> Form:
    form = Form()
    for told, value in data.multi_items():
        name = _utf8(told)
        pointer = _pointer((name,))
        if name not in files + texts:
            raise InputError(f"expected parts {', '.join(files + texts)}, got {name[:_MAX_POINTER]!r}", pointer)
        if name in form.files or name in form.texts:
            raise InputError("expected the part once, got it twice", pointer)
        if isinstance(value, UploadFile) != (name in files):
            raise InputError(f"expected a {'file' if name in files else 'text'}", pointer)
        if isinstance(value, UploadFile):
            form.files[name] = await value.read()
        else:
            form.texts[name] = _utf8(value)
    return form


def _boundary(request: Request, content: bytes) -> bytes:
    """Return what stands between the parts of a multipart body that is whole."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind.lower() != b"multipart/form-data":
        raise NotParseableError("expected a multipart/form-data body")
    boundary = options.get(b"boundary", b"")
    if not re.fullmatch(rb"[!#-\[\]-~ ]{1,70}", boundary):
        raise NotParseableError("expected a multipart/form-data body whose header names its boundary, 1 to 70 characters")
    end = b"--" + boundary + b"--"
    if not content.rstrip().endswith(b"\r\n" + end) and content.strip() != end:
        raise NotParseableError("expected a multipart/form-data body that ends with its boundary, got one cut short")
    return boundary


async def _parse(content: bytes, boundary: bytes) -> FormData:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield content

    # The parser believes the charset that a caller names and reads as Latin-1 what does not fit it. Told that everything
    # is Latin-1, it keeps every byte, and what they mean is decided by `_utf8`.
    kind = b'multipart/form-data; charset=latin-1; boundary="' + boundary + b'"'
    headers = Headers(raw=[(b"content-type", kind)])
    parser = MultiPartParser(headers, stream(), max_files=8, max_fields=8, max_part_size=_MAX_TEXT_BYTES)
    parser.spool_max_size = len(content) + 1  # never to disk
    try:
        return await parser.parse()
    except MultiPartException as err:
        if "maximum size" in err.message:
            raise TooLargeError(f"expected a text of at most {_MAX_TEXT_BYTES} bytes") from err
        raise NotParseableError(f"expected a multipart/form-data body: {err.message}") from err
    except (KeyError, ValueError) as err:
        raise NotParseableError(f"expected a multipart/form-data body: {err}") from err


def _utf8(latin: str) -> str:
    try:
        return latin.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError as err:
        raise NotParseableError(f"expected texts and names in UTF-8: {err.reason} at byte {err.start}") from err


async def _read(request: Request, max_bytes: int) -> bytes:
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > max_bytes:
        raise TooLargeError(f"expected a body of at most {max_bytes} bytes, got {told}")
    chunks, total = [], 0
    async for chunk in paced(request.stream(), request.app.state.service.settings.body_gap_s):
        total += len(chunk)
        if total > max_bytes:
            raise TooLargeError(f"expected a body of at most {max_bytes} bytes, got more")
        request.state.held.add(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


async def paced(stream: AsyncGenerator[bytes, None], most_s: float) -> AsyncGenerator[bytes, None]:
    """Yield a body's pieces as long as each comes soon after the one before.

    The request's deadline bounds how long all of them take together.
    """
    async with contextlib.aclosing(stream):
        while True:
            try:
                async with asyncio.timeout(most_s) as limit:
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError as err:
                if not limit.expired():
                    raise
                raise SlowBodyError(f"expected more of the body within {most_s:g} s, got nothing") from err
            yield chunk


def _pointer(location: tuple[int | str, ...]) -> str:
    """Return a JSON pointer that fits one line, whatever a caller named a field."""
    whole = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in location)
    return shown(whole[:_MAX_POINTER])[:_MAX_POINTER]

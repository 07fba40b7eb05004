"""Request bodies, read in memory under a hard cap; nothing is spilled to disk, since a part may be somebody's photo."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from tryon_core.errors import InputError, TooLargeError

from .errors import FieldsError, NotParseableError

M = TypeVar("M", bound=BaseModel)
_MAX_TEXT_BYTES = 64 * 1024
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
        NotParseableError: not JSON.
        FieldsError: a field is unknown, missing, of another type or out of range.
    """
    content = await _read(request, max_bytes)
    try:
        return model.model_validate_json(content)
    except ValidationError as err:
        problems = err.errors(include_url=False, include_context=False, include_input=False)
        if problems[0]["type"] == "json_invalid":
            raise NotParseableError(f"expected JSON: {problems[0]['msg']}") from err
        raise FieldsError([(_pointer(p["loc"]), p["msg"]) for p in problems[:_MAX_TOLD]]) from err


async def read_form(request: Request, max_bytes: int, files: tuple[str, ...], texts: tuple[str, ...]) -> Form:
    """Return a multipart body with the named parts, each at most once.

    Raises:
        TooLargeError: over `max_bytes`, or a text over 64 KiB.
        NotParseableError: not multipart.
        InputError: a part is unknown, comes twice, or is a file where a text belongs or the other way round.
    """
    content = await _read(request, max_bytes)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise NotParseableError("expected a multipart/form-data body")
    data = await _parse(request, content)
    form = Form()
    for name, value in data.multi_items():
        if name not in files + texts:
            raise InputError(f"expected parts {', '.join(files + texts)}, got {name!r}", f"/{name[:100]}")
        if name in form.files or name in form.texts:
            raise InputError("expected the part once, got it twice", f"/{name}")
        if isinstance(value, UploadFile) != (name in files):
            raise InputError(f"expected a {'file' if name in files else 'text'}", f"/{name}")
        if isinstance(value, UploadFile):
            form.files[name] = await value.read()
        else:
            form.texts[name] = value
    return form


async def _parse(request: Request, content: bytes) -> FormData:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield content

    _, options = parse_options_header(request.headers["content-type"])
    if b"--" + options.get(b"boundary", b"") + b"--" not in content:
        raise NotParseableError("expected a multipart/form-data body that ends with its boundary, got one cut short")
    parser = MultiPartParser(request.headers, stream(), max_files=8, max_fields=8, max_part_size=_MAX_TEXT_BYTES)
    parser.spool_max_size = len(content) + 1  # never to disk
    try:
        return await parser.parse()
    except MultiPartException as err:
        if "maximum size" in err.message:
            raise TooLargeError(f"expected a text of at most {_MAX_TEXT_BYTES} bytes") from err
        raise NotParseableError(f"expected a multipart/form-data body: {err.message}") from err
    except (KeyError, ValueError) as err:
        raise NotParseableError(f"expected a multipart/form-data body: {err}") from err


async def _read(request: Request, max_bytes: int) -> bytes:
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > max_bytes:
        raise TooLargeError(f"expected a body of at most {max_bytes} bytes, got {told}")
    chunks, total = [], 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > max_bytes:
            raise TooLargeError(f"expected a body of at most {max_bytes} bytes, got more")
        chunks.append(chunk)
    return b"".join(chunks)


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in location)

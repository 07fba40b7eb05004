"""What a shop tells of a garment to what is kept: charts that can be meant, words that can be read, pictures as blobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tryon_core.errors import InputError, TooLargeError
from tryon_core.garment import garment_words
from tryon_core.words import MAX_CHARACTERS

from .charts import chart_problems
from .errors import FieldsError
from .records import GarmentRecord
from .schema_garments import GarmentBody

MAX_IMAGE_BYTES = 20 * 2**20
_SIGNATURES = ((0, b"\xff\xd8\xff"), (0, b"\x89PNG\r\n\x1a\n"), (8, b"WEBP"))
"""Where and how files that are read here begin: JPEG, PNG, WebP."""


class Blobs(Protocol):
    """Pictures by what they are."""

    async def put(self, content: bytes) -> str:
        """Keep a content; return its key, which is a hash of it."""
        ...

    async def get(self, key: str) -> bytes | None:
        """Return a content, None where it is not there."""
        ...


class Links(Protocol):
    """Fetches pictures by link."""

    async def fetch(self, link: str, pointer: str = "") -> bytes:
        """Return the bytes behind a link.

        Raises:
            InputError: the link is none that may be followed, or nothing came of it.
        """
        ...


class NoLinks:
    """Follows no link: where no host is listed."""

    async def fetch(self, link: str, pointer: str = "") -> bytes:
        """Refuse the link.

        Raises:
            InputError: always.
        """
        raise InputError("expected image_base64: links are not followed here, as no host of pictures is set", pointer)


def record_of(garment_id: str, body: GarmentBody, image: str | None, now: float) -> GarmentRecord:
    """Return what is kept of a garment.

    Args:
        image: the blob key of its picture.
        now: seconds since 1970.

    Raises:
        FieldsError: lines of its chart cannot be meant.
        TooLargeError: its texts are too long together.
    """
    record = GarmentRecord.of(garment_id, body.data(), image=image, now=now)
    garment = record.garment()
    require_sense(chart_problems(garment))
    if len(garment_words(garment) or "") > MAX_CHARACTERS:
        raise TooLargeError(f"expected words of at most {MAX_CHARACTERS} characters together, got more", "/description")
    return record


def require_sense(problems: Sequence[tuple[str, str]], below: str = "") -> None:
    """Check that nothing is wrong with a garment.

    Args:
        below: JSON pointer of the garment.

    Raises:
        FieldsError: something is.
    """
    if problems:
        raise FieldsError([(below + pointer, detail) for pointer, detail in problems])


def require_image(content: bytes, pointer: str = "") -> bytes:
    """Return a file that begins as a picture does that is read here; whether it is one, the encoder tells.

    Raises:
        InputError: it does not.
        TooLargeError: it has too many bytes.
    """
    if len(content) > MAX_IMAGE_BYTES:
        raise TooLargeError(f"expected an image file of at most {MAX_IMAGE_BYTES} bytes, got {len(content)}", pointer)
    if not any(content[at : at + len(start)] == start for at, start in _SIGNATURES):
        raise InputError(f"expected a JPEG, PNG or WebP file, got {len(content)} bytes of another kind", pointer)
    return content

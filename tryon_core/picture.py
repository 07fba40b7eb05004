"""An image file taken apart before anything decodes it: its kind, its size, which way up it is, and what its pixels need.

A decoder gets only what is kept here, so it never sees what else a file may hold: comments, thumbnails, profiles, EXIF with
thousands of tags, compressed texts, other files behind the last pixel. The work is bounded by the file's bytes, of which
most are skipped, and by a number of segments. It needs neither numpy nor a decoder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import UnsupportedImageError
from .exif import orientation_of
from .jpeg import MAX_SEGMENTS, read_jpeg

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_WEBP_PIXELS = (b"VP8 ", b"VP8L")
_ALPHA, _ANIMATION = 0x10, 0x02
"""Flags of a VP8X chunk."""


@dataclass(frozen=True)
class Picture:
    """A JPEG, PNG or WebP file."""

    kind: str
    """JPEG, PNG or WEBP."""
    width: int
    """In pixels, as stored; so is the height."""
    height: int
    orientation: int
    """How it is turned upright, 1 to 8 (Exif 2.32, tag 274)."""
    reducible: bool
    """Whether it can be decoded at a reduced scale without the whole of it ever being in memory."""
    content: bytes = field(repr=False)
    """The file, of it only what its pixels need."""


def read_picture(content: bytes) -> Picture:
    """Return what an image file says of itself.

    Args:
        content: the file.

    Raises:
        UnsupportedImageError: not a JPEG, PNG or WebP file, one that moves, or one that is cut off or damaged.
    """
    try:
        if content.startswith(b"\xff\xd8\xff"):
            jpeg = read_jpeg(content)
            return Picture("JPEG", jpeg.width, jpeg.height, jpeg.orientation, not jpeg.buffered, jpeg.content)
        if content.startswith(_PNG):
            return _png(content)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _webp(content)
    except (struct.error, IndexError) as err:
        raise UnsupportedImageError("expected a whole image, got one that is cut off or damaged") from err
    raise UnsupportedImageError(f"expected a JPEG, PNG or WebP image, got {_kind(content[:8])}")


def _png(content: bytes) -> Picture:
    kept, orientation, kinds = [_PNG], 1, []
    for kind, start, size in _png_chunks(content):
        kinds.append(kind)
        if kind in _PNG_KEPT:
            kept.append(content[start - 8 : start + size + 4])
        elif kind == b"eXIf":
            orientation = orientation_of(content[start : start + min(size, 65_536)])
        elif kind == b"acTL" and struct.unpack_from(">L", content, start)[0] > 1:
            raise UnsupportedImageError("expected a still image, got a PNG that moves")
        elif kind[:1].isupper():
            raise UnsupportedImageError(f"expected a PNG of the standard's chunks, got a chunk {kind.decode('latin-1')!r}")
        if kind == b"IEND":
            break
    if kinds[:1] != [b"IHDR"] or kinds.count(b"IHDR") > 1 or kinds[-1] != b"IEND":
        raise UnsupportedImageError("expected a whole PNG, got one that is cut off or damaged")
    width, height = struct.unpack_from(">LL", content, 16)
    return Picture("PNG", width, height, orientation, False, b"".join(kept))


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield each chunk's kind, and where in the file its data begin and how many bytes they are."""
    place = len(_PNG)
    for _ in range(MAX_SEGMENTS):
        if place >= len(content):
            return
        size, kind = struct.unpack_from(">L4s", content, place)
        if place + size + 12 > len(content) or not kind.isalpha():
            raise UnsupportedImageError("expected a whole PNG, got one that is cut off or damaged")
        yield kind, place + 8, size
        place += size + 12
    raise UnsupportedImageError(f"expected a PNG of at most {MAX_SEGMENTS} chunks, got more")


def _webp(content: bytes) -> Picture:
    chunks: dict[bytes, bytes] = {}
    for kind, start, size in _webp_chunks(content):
        if kind == b"ANMF" or (kind == b"VP8X" and content[start] & _ANIMATION):
            raise UnsupportedImageError("expected a still image, got a WebP that moves")
        if kind in (b"VP8X", b"ALPH", b"EXIF", *_WEBP_PIXELS):
            chunks.setdefault(kind, content[start : start + size])
    pixels = next((kind for kind in chunks if kind in _WEBP_PIXELS), None)
    if pixels is None:
        raise UnsupportedImageError("expected a whole WebP, got one that is cut off or damaged")
    width, height = _webp_size(pixels, chunks[pixels])
    kept = {pixels: chunks[pixels]}
    if b"ALPH" in chunks and pixels == b"VP8 ":
        canvas = struct.pack("<L", width - 1)[:3] + struct.pack("<L", height - 1)[:3]
        kept = {b"VP8X": bytes((_ALPHA, 0, 0, 0)) + canvas, b"ALPH": chunks[b"ALPH"], **kept}
    exif = chunks.get(b"EXIF", b"")[:65_536].removeprefix(b"Exif\0\0")
    body = b"WEBP" + b"".join(_webp_chunk(kind, data) for kind, data in kept.items())
    return Picture("WEBP", width, height, orientation_of(exif), False, b"RIFF" + struct.pack("<L", len(body)) + body)


def _webp_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield each chunk's kind, and where in the file its data begin and how many bytes they are."""
    place, end = 12, 8 + struct.unpack_from("<L", content, 4)[0]
    if end > len(content):
        raise UnsupportedImageError("expected a whole WebP, got one that is cut off or damaged")
    for _ in range(MAX_SEGMENTS):
        if place + 8 > end:
            return
        kind, size = struct.unpack_from("<4sL", content, place)
        if place + 8 + size > end:
            raise UnsupportedImageError("expected a whole WebP, got one that is cut off or damaged")
        yield kind, place + 8, size
        place += 8 + size + size % 2
    raise UnsupportedImageError(f"expected a WebP of at most {MAX_SEGMENTS} chunks, got more")


def _webp_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<L", len(data)) + data + b"\0" * (len(data) % 2)


def _webp_size(kind: bytes, data: bytes) -> tuple[int, int]:
    """Return width and height of a lossy (RFC 6386, 9.1) or lossless (RFC 9649, 3.4) bit stream."""
    if kind == b"VP8L":
        mark, bits = struct.unpack_from("<BL", data)
        size, good = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), mark == 0x2F
    else:
        start, width, height = struct.unpack_from("<3x3sHH", data)
        size, good = (width & 0x3FFF, height & 0x3FFF), start == b"\x9d\x01\x2a"
    if not good:
        raise UnsupportedImageError("expected a whole WebP, got one that is cut off or damaged")
    return size


def _kind(start: bytes) -> str:
    if not start:
        return "an empty file"
    return "text" if start.isascii() and start.decode("ascii").isprintable() else f"bytes that begin {start.hex()}"

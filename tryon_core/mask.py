"""From a mask file, sent in place of a photo, to the silhouette that the encoder of people sees."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, UnidentifiedImageError

from .errors import InputError, TooLargeError, UnsupportedImageError
from .photo import Mask
from .regions import main_regions

MAX_MASK_BYTES = 2 * 2**20
MAX_MASK_PIXELS = 16_000_000
"""A mask tells no more at a higher resolution; checked from the header."""
_MIN_SIDE_PX = 32
_LONGEST_PX = 512
_MOST_RUNS = 16
"""Separate pieces of a person in one row of pixels; a mask with more is noise."""
_MAX_CHUNKS = 4096
_LEAST_SHARE = 0.03
"""As in `person`: smaller regions, as a share of the largest, are no part of the person."""
_PNG = b"\x89PNG\r\n\x1a\n"


def decode_mask(content: bytes) -> Mask | None:
    """Return the person of a mask file, uint8[H, W], 255 where they are; None where it shows nobody.

    Its longer side is at most 512 pixels; a larger mask is averaged.

    Args:
        content: a PNG of 1 bit a pixel, grey, white where the person is.

    Raises:
        UnsupportedImageError: no such file, or cut off or damaged.
        TooLargeError: over `MAX_MASK_BYTES` or `MAX_MASK_PIXELS`.
        InputError: a side is under 32 pixels.
    """
    if len(content) > MAX_MASK_BYTES:
        raise TooLargeError(f"expected a mask of at most {MAX_MASK_BYTES} bytes, got {len(content)}")
    try:
        opened = Image.open(io.BytesIO(_bare(content)), formats=("PNG",))
        image = opened.convert("L").reduce(max(1, -(-max(opened.size) // _LONGEST_PX)))
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, UnidentifiedImageError) as err:
        raise UnsupportedImageError("expected a whole PNG as mask, got one that is cut off or damaged") from err
    inside = np.asarray(image) >= 128
    runs = np.diff(inside.astype(np.int8), axis=1, prepend=0) == 1
    if not 1 <= runs.sum(axis=1).max() <= _MOST_RUNS:
        return None
    person = main_regions(inside, _LEAST_SHARE)
    rows, columns = np.flatnonzero(person.any(axis=1)), np.flatnonzero(person.any(axis=0))
    box = person[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # Nobody reaches both upper corners of the rectangle around them; a picture that is white or inverted does.
    if box.shape[0] < max(_MIN_SIDE_PX, box.shape[1]) or (box[0, 0] and box[0, -1]):
        return None
    return person.astype(np.uint8) * np.uint8(255)


def _bare(content: bytes) -> bytes:
    """Return a mask's file without all that is not its pixels, so that a decoder reads nothing else.

    Raises:
        UnsupportedImageError: no PNG, or one of other pixels.
        TooLargeError: it has too many pixels.
        InputError: it has too few.
    """
    if not content.startswith(_PNG):
        raise UnsupportedImageError("expected a 1-bit PNG as mask, got another file")
    header, data, whole = b"", [], False
    for kind, own in _chunks(content):
        if kind == b"IHDR" and not header:
            header = own
            _check_header(header)
        elif kind == b"IDAT":
            data.append(own[8:-4])
        whole = kind == b"IEND"
    if not (header and data and whole):
        raise UnsupportedImageError("expected a whole PNG as mask, got one that is cut off or damaged")
    return _PNG + header + _chunk(b"IDAT", b"".join(data)) + _chunk(b"IEND", b"")


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each chunk's kind and its whole bytes, up to the end that the file tells."""
    place = len(_PNG)
    for _ in range(_MAX_CHUNKS):
        size, kind = struct.unpack_from(">L4s", content, place) if place + 12 <= len(content) else (0, b"")
        if not kind or place + size + 12 > len(content):
            return
        yield kind, content[place : place + size + 12]
        place += size + 12
        if kind == b"IEND":
            return
    raise UnsupportedImageError(f"expected a PNG of at most {_MAX_CHUNKS} chunks as mask, got more")


def _check_header(chunk: bytes) -> None:
    if len(chunk) != 25:
        raise UnsupportedImageError("expected a whole PNG as mask, got one that is cut off or damaged")
    width, height, depth, colour = struct.unpack_from(">LLBB", chunk, 8)
    if (depth, colour) != (1, 0):
        raise UnsupportedImageError(
            f"expected a PNG of 1 bit a pixel as mask, grey, got {depth} bits of colour type {colour}"
        )
    if width * height > MAX_MASK_PIXELS:
        raise TooLargeError(f"expected a mask of at most {MAX_MASK_PIXELS} pixels, got {width} x {height}")
    if min(width, height) < _MIN_SIDE_PX:
        raise InputError(f"expected a mask of at least {_MIN_SIDE_PX} x {_MIN_SIDE_PX} pixels, got {width} x {height}")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

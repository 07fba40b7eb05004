"""A JPEG file's segments: its size, which way up it is, how it has to be decoded, and what its pixels need (ITU-T T.81)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import UnsupportedImageError
from .exif import orientation_of

MAX_SEGMENTS = 10_000
"""Segments or chunks of any image file."""
MAX_SCANS = 64
"""Passes over the whole picture that a file may ask for; encoders make 10, and each may cost as much as a picture."""

_MARKER = re.compile(rb".{0,64}?\xff([\x01-\xfe])", re.DOTALL)
"""The next marker, a few stray or filling bytes before it allowed."""
_PROGRESSIVE = 0xC2
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_HUFFMAN, _QUANTISATION, _RESTART, _SCAN = 0xC4, 0xDB, 0xDD, 0xDA
_JFIF, _EXIF, _ADOBE = (0xE0, b"JFIF\0"), (0xE1, b"Exif\0\0"), (0xEE, b"Adobe")
"""Application segments that say how colours are stored, and which way up."""
_BARE = (0x01, *range(0xD0, 0xDA))
"""Markers without a length, none of which belongs before the first scan."""


@dataclass(frozen=True)
class Jpeg:
    """What a JPEG file says of itself."""

    width: int
    height: int
    orientation: int
    """How it is turned upright, 1 to 8."""
    buffered: bool
    """Whether a decoder has to hold the whole picture at its full size, as it does one that comes in several scans."""
    content: bytes = field(repr=False)
    """The file, of it only what its pixels need."""


@dataclass(frozen=True)
class _Segment:
    marker: int
    start: int
    """Of its marker."""
    data: bytes


def read_jpeg(content: bytes) -> Jpeg:
    """Return what a JPEG file says of itself.

    Raises:
        UnsupportedImageError: of a coding that is not read here, of too many scans or segments, cut off or damaged.
        struct.error: a segment is too short for what it has to hold.
        IndexError: the same.
    """
    kept, orientation, frame = [b"\xff\xd8"], 1, None
    for segment in _segments(content, 2):
        if segment.marker == _SCAN:
            if frame is None:
                break
            return _whole(content, segment, frame, orientation, kept)
        if segment.marker in _FRAMES:
            if frame is not None or segment.marker > _PROGRESSIVE:
                raise UnsupportedImageError("expected a JPEG of one frame, baseline or progressive, got another")
            frame = segment
        if segment.marker == _EXIF[0] and segment.data.startswith(_EXIF[1]):
            orientation = orientation_of(segment.data[len(_EXIF[1]) :])
        elif _is_kept(segment):
            kept.append(b"\xff%c%b%b" % (segment.marker, struct.pack(">H", len(segment.data) + 2), segment.data))
    raise UnsupportedImageError("expected a whole JPEG, got one that is cut off or damaged")


def _is_kept(segment: _Segment) -> bool:
    if segment.marker in (*_FRAMES, _HUFFMAN, _QUANTISATION, _RESTART):
        return True
    return any(segment.marker == marker and segment.data.startswith(name) for marker, name in (_JFIF, _ADOBE))


def _whole(content: bytes, scan: _Segment, frame: _Segment, orientation: int, kept: list[bytes]) -> Jpeg:
    height, width, channels = struct.unpack_from(">xHHB", frame.data)
    buffered = frame.marker == _PROGRESSIVE or scan.data[0] < channels
    # Neither mark can stand in a scan or in tables between scans: what follows the first end is not of the picture.
    end = content.find(b"\xff\xd9", scan.start)
    scans = content[scan.start : None if end < 0 else end + 2]
    if buffered and scans.count(b"\xff\xda") > MAX_SCANS:
        raise UnsupportedImageError(f"expected a JPEG of at most {MAX_SCANS} scans, got more")
    return Jpeg(width, height, orientation, buffered, b"".join(kept) + scans)


def _segments(content: bytes, place: int) -> Iterator[_Segment]:
    """Yield the segments from a place on, up to and with the first scan's head."""
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.match(content, place)
        if found is None or found[1][0] in _BARE:
            return
        start, marker = found.end() - 2, found[1][0]
        (size,) = struct.unpack_from(">H", content, found.end())
        data = content[found.end() + 2 : found.end() + size]
        if size < 2 or len(data) < size - 2:
            return
        yield _Segment(marker, start, data)
        if marker == _SCAN:
            return
        place = found.end() + size
    raise UnsupportedImageError(f"expected a JPEG of at most {MAX_SEGMENTS} segments, got more")

"""Which way up a picture was taken, read from its EXIF data; nothing else of EXIF is looked at."""

from __future__ import annotations

import struct

_ORDERS = {b"II": "<", b"MM": ">"}
_ORIENTATION = 274
_KINDS = {3: "H", 4: "L"}
"""Types of a value, SHORT and LONG, to how they are unpacked (TIFF 6.0, section 2)."""
_MAX_TAGS = 512


def orientation_of(tiff: bytes) -> int:
    """Return the orientation that EXIF data tells, 1 to 8 (Exif 2.32, tag 274); 1, upright, where it tells none.

    Only the first directory is read, and of it no value that lies elsewhere: a file that refers to the same bytes from
    thousands of tags costs nothing.

    Args:
        tiff: EXIF data from its byte order mark on.
    """
    order = _ORDERS.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "L", tiff, 4)
        (num,) = struct.unpack_from(order + "H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * min(num, _MAX_TAGS), 12):
            tag, kind, count = struct.unpack_from(order + "HHL", tiff, place)
            if tag == _ORIENTATION and kind in _KINDS and count == 1:
                (told,) = struct.unpack_from(order + _KINDS[kind], tiff, place + 8)
                return told if 1 <= told <= 8 else 1
    except struct.error:
        return 1
    return 1

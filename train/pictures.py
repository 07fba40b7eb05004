"""Image files as a part's values, each distinct file read and decoded once; it knows no table."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import fsspec
import numpy as np
import numpy.typing as npt

from tryon_core.batch import Column
from tryon_core.config import ImageTower
from tryon_core.encoding import NoPersonError, prepared_image
from tryon_core.errors import InputError, TooLargeError, UnsupportedImageError
from tryon_core.person import frame_mask
from tryon_core.photo import MAX_BYTES, decode

from .rows import Array, used_by

Read = Callable[[bytes, ImageTower], Array]
"""From a file's content to a value of the part; raises InputError with why there is none."""


@dataclass
class Pictures:
    """Reads files for one part, and keeps what it has read."""

    tower: ImageTower
    values: list[Array] = field(default_factory=list)
    places: dict[tuple[str, Read], int] = field(default_factory=dict)
    """File and how it is read to its place among `values`; −1 where it gives no picture."""
    faults: dict[str, str] = field(default_factory=dict)
    """File to why it gives no picture."""

    def column(self, files: Sequence[tuple[str, Read] | None]) -> Column[Array]:
        """Return the pictures of N rows; a row without a file, or with one that gives no picture, lacks the part."""
        places = np.array([-1 if file is None else self._place(*file) for file in files], dtype=np.int64)
        used, index = used_by(places)
        channels = (3,) if self.tower.channels == 3 else ()
        none = np.zeros((0, self.tower.height, self.tower.width, *channels), dtype=np.uint8)
        return Column(np.stack([self.values[at] for at in used]) if len(used) else none, index)

    def _place(self, file: str, read: Read) -> int:
        if (file, read) not in self.places:
            self.places[file, read] = self._read(file, read)
        return self.places[file, read]

    def _read(self, file: str, read: Read) -> int:
        try:
            self.values.append(read(_content(file), self.tower))
            return len(self.values) - 1
        except UnsupportedImageError:  # its text may quote what is in the file, which need not be a picture
            self.faults[file] = "expected a JPEG, PNG or WebP image, got another file or one that is cut off or damaged"
        except InputError as err:
            self.faults[file] = err.detail
        except (OSError, ImportError, ValueError) as err:
            self.faults[file] = f"expected an image file, got none that opens: {err}"
        return -1


def _content(file: str) -> bytes:
    """Return the content of a path or fsspec URL, no more of it than an image may have."""
    if "://" in file:
        with fsspec.open(file, "rb") as opened:
            content = bytes(opened.read(MAX_BYTES + 1))
    else:
        if not stat.S_ISREG(os.stat(file).st_mode):
            raise InputError("expected an image file, got a folder, pipe or device")
        with open(file, "rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise TooLargeError(f"expected an image file of at most {MAX_BYTES} bytes, got more")
    return content


def picture(content: bytes, tower: ImageTower) -> Array:
    """Return a picture as serving prepares it."""
    return prepared_image(content, "photo", tower)


def silhouette(content: bytes, tower: ImageTower) -> Array:
    """Return the mask of the person in a photo, as serving prepares it.

    Raises:
        InputError: no usable person is in it.
    """
    try:
        return prepared_image(content, "person_mask", tower)
    except NoPersonError as err:
        raise InputError(f"expected a photo of one person, got one of which is said: {err.detail}") from err


def mask(content: bytes, tower: ImageTower) -> Array:
    """Return a mask that a file holds, what is brighter than half being the person.

    Raises:
        InputError: nobody is in it.
    """
    person: npt.NDArray[np.uint8] = (decode(content).mean(axis=2) > 127).astype(np.uint8) * np.uint8(255)
    if not person.any():
        raise InputError("expected a mask with a person in white, got one that is black")
    framed = frame_mask(person, tower.height, tower.width)
    if not framed.any():
        raise InputError("expected a mask with a person in white, got one with a few specks far apart")
    return framed

"""What travels between the stages and lies in the cache: features as small arrays of half-precision numbers."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from tryon_core.errors import InputError, TooLargeError, UnsupportedImageError

Status = Literal["ok", "refused", "unsupported", "too_large", "invalid"]
_STATUSES: tuple[Status, ...] = get_args(Status)
_HEADER = struct.Struct("<4sBHH")
_MAGIC = b"TRY1"


@dataclass(frozen=True)
class Feature:
    """What an encoder says of one asset."""

    status: Status
    """ok: there is an embedding; refused: a good image that shows no usable person; else what is wrong with it."""
    reason: str = ""
    embedding: npt.NDArray[np.float16] | None = None
    """float16[dim], contiguous; None unless ok."""

    def check(self, pointer: str) -> None:
        """Raise the error that a wrong asset deserves.

        Raises:
            InputError: the asset is no image, too large or too small; `pointer` says which field held it.
        """
        errors = {"unsupported": UnsupportedImageError, "too_large": TooLargeError, "invalid": InputError}
        if self.status in errors:
            raise errors[self.status](self.reason, pointer)

    def to_bytes(self) -> bytes:
        """Return the cache's form: magic, status, lengths, reason, float16 numbers, little-endian."""
        reason = self.reason.encode()[:1000]
        numbers = b"" if self.embedding is None else self.embedding.astype("<f2").tobytes()
        return _HEADER.pack(_MAGIC, _STATUSES.index(self.status), len(reason), len(numbers) // 2) + reason + numbers

    @classmethod
    def from_bytes(cls, content: bytes, dim: int) -> Feature | None:
        """Return the feature in a cache's value; None where the value is not one of ours or not of this length."""
        if len(content) < _HEADER.size:
            return None
        magic, status, reason, num = _HEADER.unpack_from(content)
        whole = len(content) == _HEADER.size + reason + 2 * num
        if magic != _MAGIC or not whole or status >= len(_STATUSES) or num != (dim if status == 0 else 0):
            return None
        numbers = np.frombuffer(content, "<f2", num, _HEADER.size + reason).astype(np.float16)
        if not np.isfinite(numbers).all():
            return None
        text = content[_HEADER.size : _HEADER.size + reason].decode("utf-8", "replace")
        return cls(_STATUSES[status], text, numbers if status == 0 else None)


def feature_of(error: InputError) -> Feature:
    """Return the feature that stands for a wrong asset."""
    status: Status = "invalid"
    if isinstance(error, UnsupportedImageError):
        status = "unsupported"
    elif isinstance(error, TooLargeError):
        status = "too_large"
    return Feature(status, error.detail)

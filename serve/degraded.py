"""What an answer had to do without, as codes for programs and metrics and as sentences for people."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from .errors import UnavailableError
from .features import Asset
from .languages import Language
from .sentences import refusal, say

logger = logging.getLogger(__name__)
_PHOTO_PARTS = ("person_mask", "photo")


class Degraded:
    """Gathers it for one answer.

    Args:
        lost: assets that could not be had, and why.
    """

    def __init__(self, language: Language, lost: Mapping[Asset, Exception]) -> None:
        self._language = language
        self._noted: dict[str, Mapping[str, Any]] = {}
        for asset, error in lost.items():
            self._lose(asset.part, error)

    def note(self, code: str, **values: Any) -> None:
        """Note one thing that is missing, once; its code is that of the message, and `values` what stands in it."""
        self._noted.setdefault(code, values)

    @property
    def codes(self) -> list[str]:
        """The code of each."""
        return list(self._noted)

    @property
    def photo_reason(self) -> str:
        """Why a photo of which nothing was found was not used."""
        return refusal(self._language, "unavailable" if "photo_unavailable" in self._noted else "unseen")

    def sentences(self) -> list[str]:
        """Return the sentence of each."""
        return [say(self._language, code, values) for code, values in self._noted.items()]

    def _lose(self, part: str, error: Exception) -> None:
        if part in _PHOTO_PARTS:
            self.note("photo_unavailable", refusal="unavailable")
        else:
            self.note(f"{part}_unavailable")
        if not isinstance(error, UnavailableError):
            logger.error("an answer does without %s, whose stage failed", part, exc_info=error)

"""What is asked of a recommender: a shopper, garments, and what of them has to be encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tryon_core.garment import Garment, garment_words
from tryon_core.shopper import Owned

from .features import Asset, Found
from .languages import DEFAULT, Language
from .shopper_parts import PHOTO_PARTS, Known
from .wire import Feature


@dataclass(frozen=True)
class Candidate:
    """A garment to consider, with where it stands in the request."""

    garment: Garment
    image: bytes | None = None
    pointer: str = ""
    """JSON pointer or form field of the image."""
    words_pointer: str = ""
    """JSON pointer or form field of the words."""
    features: Mapping[str, Feature] | None = None
    """What encoders have said of it, by part; then nothing of it is encoded for this request."""


@dataclass(frozen=True)
class Ask:
    """A shopper and the garments to compare; every part may be missing."""

    candidates: Sequence[Candidate]
    words: str | None = None
    photo: bytes | None = field(default=None, repr=False)
    photo_pointer: str = ""
    top_k: int | None = None
    explain: bool = False
    """Whether the answer tells what the shopper's body is taken for, and what moved it."""
    owned: Sequence[Owned] = ()
    """Garments that the shopper has and how they fit, the latest last."""
    customer: str = ""
    """The hash under which the shopper's own order lines are kept, see `intake.Intake.customer`; empty where unknown."""
    language: Language = DEFAULT
    """Of the sentences."""
    patience_s: float | None = None
    """How long an encoder is waited for where the answer can do without; None for as long as it may take."""
    notes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Why the answer is poorer than it could be, as far as the caller knows already: codes of messages, and their values."""
    known: Known | None = None
    """Of a shopper who is kept: what takes the place of encoding words and photo."""


def assets_of(ask: Ask) -> list[Asset]:
    """Return everything that has to be encoded."""
    return [*shopper_assets(ask), *(asset for candidate in ask.candidates for asset in garment_assets(candidate))]


def shopper_assets(ask: Ask) -> list[Asset]:
    """Return what has to be encoded of the shopper; nothing of one who is kept."""
    if ask.known is not None:
        return []
    photos = [Asset(part, ask.photo) for part in PHOTO_PARTS] if ask.photo is not None else []
    return photos + ([Asset("shopper_words", ask.words)] if ask.words else [])


def garment_assets(candidate: Candidate) -> list[Asset]:
    """Return what has to be encoded of a garment; nothing of one whose features are known."""
    if candidate.features is not None:
        return []
    words = garment_words(candidate.garment)
    image = [Asset("garment_image", candidate.image)] if candidate.image is not None else []
    return image + ([Asset("garment_words", words)] if words else [])


def require_enough(ask: Ask, found: Found) -> None:
    """Raise why an asset was lost where nothing else is known of its owner: no part, and of a garment no size either.

    Raises:
        UnavailableError: a stage is overloaded, gone or too slow.
        RuntimeError: a stage failed.
    """
    owners = [(shopper_assets(ask), False), *((garment_assets(c), bool(c.garment.sizes)) for c in ask.candidates)]
    for assets, more in owners:
        lost = [found.lost[asset] for asset in assets if asset in found.lost]
        if lost and not more and not any(found.features[a].status == "ok" for a in assets if a in found.features):
            raise lost[0]

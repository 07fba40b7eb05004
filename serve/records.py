"""What the store keeps, as records; it knows neither how they are kept nor HTTP.

Moments are seconds since 1970-01-01 UTC. Values of embeddings are what `wire.Feature.to_bytes` writes: a status and a
reason, or float16 numbers. Texts are non-empty unless said otherwise.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tryon_core.errors import InputError, expected_one_of
from tryon_core.garment import Garment, garment_from_json, garment_words

from .categories import worded

Outcome = Literal["kept", "returned", "exchanged"]
Verdict = Literal["small", "fit", "large"]

_FARTHEST = 4102444800.0
"""2100-01-01."""


@dataclass(frozen=True)
class GarmentRecord:
    """A garment as a shop told it; `of` makes one."""

    id: str
    data: Mapping[str, Any]
    """The HTTP API's JSON of a garment, without `id` and without pictures."""
    etag: str
    """A hash of `data` and `image`, 32 hex digits; it changes exactly when they do."""
    image: str | None
    """The blob key of its picture."""
    contents: Mapping[str, str]
    """Part, as `garment_image`, to the hash of what an encoder is given for it; parts that are not there are left out."""
    history_id: str
    """Its style, which colour variants share, or its own id: the name under which its verdicts are counted."""
    updated_at: float

    @classmethod
    def of(cls, garment_id: str, data: Mapping[str, Any], *, image: str | None, now: float) -> GarmentRecord:
        """Return the record of a garment whose fields have been checked.

        Args:
            data: as in `data` above.
            image: the blob key of its picture.
            now: the moment.
        """
        garment = _garment(garment_id, data)
        words = garment_words(garment)
        parts = {"garment_image": image, "garment_words": words and content_hash(words.encode())}
        contents = {part: content for part, content in parts.items() if content}
        etag = content_hash(dumps([data, image]).encode())
        return cls(garment_id, data, etag, image, contents, garment.history_id, now)

    def garment(self) -> Garment:
        """Return the core's form, whose category is in the models' own words."""
        return _garment(self.id, self.data)

    def patched(self, in_stock: Mapping[str, bool | None], price: Any, now: float) -> GarmentRecord:
        """Return the garment with other stock, by size label, and another price; None leaves the price as it is.

        Raises:
            InputError: it has no such size.
        """
        sizes = [dict(size) for size in self.data.get("sizes") or ()]
        unknown = in_stock.keys() - {size["label"] for size in sizes}
        if unknown:
            known = [size["label"] for size in sizes]
            raise InputError(expected_one_of("a size's label", min(unknown), known), "/in_stock")
        for size in sizes:
            if size["label"] in in_stock:
                size["in_stock"] = in_stock[size["label"]]
        changed = {"sizes": sizes} if in_stock else {}
        changed |= {} if price is None else {"price": price}
        return GarmentRecord.of(self.id, {**self.data, **changed}, image=self.image, now=now)


@dataclass(frozen=True)
class EmbeddingRow:
    """What one encoder said of one part of one garment."""

    garment_id: str
    part: str
    encoder: str
    """The encoder's fingerprint."""
    content: str
    """Of what it was said; where it is not the garment's own `contents[part]`, the row is out of date."""
    value: bytes


@dataclass(frozen=True)
class PhotoOutcome:
    """What became of a shopper's photo; the photo itself is kept nowhere."""

    used: bool
    reason: str | None = None
    code: str | None = None
    encoder: str | None = None
    """The fingerprint of the encoder that looked at it; None where none did."""


@dataclass(frozen=True)
class Consent:
    """To what a shopper agreed, and when."""

    version: str
    at: float
    advice: bool = False
    """Whether they also agreed that what is recommended to them is kept."""


@dataclass(frozen=True)
class ShopperRecord:
    """A shopper, until `expires_at`."""

    id: str
    """128 random bits as 32 hex digits."""
    created_at: float
    expires_at: float
    owner: str = ""
    """The id of the API key that created it; empty without keys."""
    profile: Mapping[str, Any] = field(default_factory=dict)
    """The HTTP API's JSON of a profile."""
    words: str | None = field(default=None, repr=False)
    photo: PhotoOutcome | None = None
    consent: Consent | None = None
    embeddings: Mapping[tuple[str, str], bytes] = field(default_factory=dict, repr=False)
    """(part, encoder fingerprint) to the value."""


@dataclass(frozen=True)
class AdvisedItem:
    """One garment of an advice."""

    garment_id: str
    size: str | None
    match: float
    fit: tuple[float, float, float]
    """P of small, fit, large for the size."""


@dataclass(frozen=True)
class Advice:
    """What was recommended, kept with the shopper's consent only, so that orders can be joined with it."""

    recommendation_id: str
    items: tuple[AdvisedItem, ...]
    model: str
    """The model's fingerprint."""
    created_at: float
    expires_at: float
    shopper_id: str = ""
    """Empty where the shopper came with the request."""
    height_cm: int | None = None
    """Rounded to 5, as is `weight_kg`."""
    weight_kg: int | None = None


@dataclass(frozen=True)
class OrderLine:
    """One line of an order and what became of it."""

    order_line_id: str
    garment_id: str
    history_id: str
    """See `GarmentRecord.history_id`; the garment's id where the store doesn't know the garment."""
    size: str
    outcome: Outcome
    ordered_at: float
    occurred_at: float
    """When the outcome was; of two reports of a line the one with the later counts."""
    fit: Verdict | None = None
    reason: str | None = None
    customer: str = ""
    """A keyed hash of the shop's own customer key; empty where the order came without one."""
    recommendation_id: str | None = None

    def __post_init__(self) -> None:
        for name in ("ordered_at", "occurred_at"):
            if not 0 <= getattr(self, name) < _FARTHEST:
                raise InputError(f"expected a moment from 1970 to 2100, got {getattr(self, name)}", f"/{name}")

    @property
    def verdict(self) -> Verdict | None:
        """What the line says of the fit: what was told, `fit` of a garment that was kept, else nothing."""
        return self.fit or ("fit" if self.outcome == "kept" else None)

    @property
    def day(self) -> float:
        """Days since 1970-01-01 UTC of the outcome, as `tryon_core.history.FitEvent.day`."""
        return self.occurred_at / 86400

    def supersedes(self, other: OrderLine) -> bool:
        """Whether this report of a line takes the place of another; of two at the same moment always the same one."""
        return (self.occurred_at, dumps(self.to_row())) > (other.occurred_at, dumps(other.to_row()))

    def to_row(self) -> list[str | float | None]:
        """Return the fields in their order, moments as floats."""
        return [float(v) if isinstance(v, (int, float)) else v for v in vars(self).values()]


Counts = Mapping[tuple[str, str], npt.NDArray[np.float64]]
"""(history id, size) to float64[3], decayed counts of small, fit, large."""


@dataclass(frozen=True)
class Told:
    """What is known of a garment's fit in a size."""

    aged: npt.NDArray[np.float64]
    """float64[3], decayed counts of small, fit, large."""
    tally: tuple[int, int, int] | None
    """The verdicts behind them in whole numbers, none of them aged; None where some are known as decayed counts only."""


@dataclass(frozen=True)
class Window:
    """A counter's window, for limits."""

    count: float
    """Of this window, with what was just added."""
    previous: float
    """Of the window before; with `elapsed` it gives a sliding estimate."""
    elapsed: float
    """The share of this window that has passed, in [0, 1)."""


def _garment(garment_id: str, data: Mapping[str, Any]) -> Garment:
    return garment_from_json({**data, "id": garment_id, "category": worded(data.get("category"))})


def content_hash(content: bytes) -> str:
    """Return a hash of bytes, 32 hex digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def dumps(data: Any) -> str:
    """Return JSON in its one canonical form, of records as of mappings."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False, default=vars)

"""A recommendation in this process, without a service: what `python -m tryon_core predict` runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .batch import FIT_CLASSES, MEASUREMENTS, Column
from .catalogue import CatalogueItem
from .checkpoint import load_checkpoint
from .encoding import Embedding, Refused, encode_ablated, encode_images, encode_texts
from .errors import CheckpointError, InputError
from .explain import Explanation, explanations, question
from .garment import garment_words
from .manifest import read_history
from .offers import ScoreJob, choose, offers_of, score_job
from .scoring import score


@dataclass(frozen=True)
class Prediction:
    """The garment and size of a catalogue that suit a shopper best."""

    prediction: float
    """P(kept) of that garment in that size."""
    garment_id: str
    size: str
    """Empty where the garment lists no sizes."""
    fit: dict[str, float]
    """P(small), P(fit), P(large); empty where the model does not tell fit."""
    measurements: dict[str, float]
    """What the model takes the shopper's body for, cm and kg; empty where it does not tell."""
    measurements_half_width: dict[str, float]
    """Half of the interval around each in which 80 % of people lie, of whom as much is known; empty where not told."""
    photo: str
    """`used`, `none given`, or why it was not used."""
    model: str
    explanation: dict[str, Explanation] = field(default_factory=dict)
    """What moved `match` and `confidence`, in log-odds, where it was asked for; see `explain.Explanation`."""
    read: dict[str, str] = field(default_factory=dict)
    """Part name to the text in which the explanation's words have their places."""


class Predictor:
    """A loaded model and a catalogue.

    Args:
        url: a checkpoint folder.
        catalogue: garments to choose from, at least one.

    Raises:
        CheckpointError: the checkpoint does not load.
    """

    def __init__(self, url: str, catalogue: Sequence[CatalogueItem]) -> None:
        self._checkpoint = load_checkpoint(url)
        self._history = read_history(url)
        self._garments = [item.garment for item in catalogue]
        self._columns = self._encode(catalogue)

    def predict(self, photo: bytes | None, words: str | None, *, explain: bool = False) -> Prediction:
        """Return the best garment and size for one shopper; either may be None.

        Args:
            explain: whether to tell what moved the answer.

        Raises:
            InputError: the photo is no image, or too large or small; the words are too long.
        """
        shopper, said = self._shopper(photo, words)
        history, day = self._history or (None, 0.0)
        offers = offers_of(self._garments, history, None, day, words=words)
        job = score_job(offers, shopper, self._columns)
        (scores,) = score(self._checkpoint, [job])
        if not len(scores.match):
            raise CheckpointError("expected a model with task match, got one without")
        best = choose(offers, scores)[0]
        garment = self._garments[best.garment]
        fit = dict(zip(FIT_CLASSES, map(float, scores.fit[best.row]), strict=True)) if len(scores.fit) else {}
        body = dict(zip(MEASUREMENTS, map(float, scores.body[best.row]), strict=True)) if len(scores.body) else {}
        place = int(offers.size[best.row])
        size = garment.sizes[place].label if place >= 0 else ""
        match, manifest = float(scores.match[best.row]), self._checkpoint.manifest
        widths = manifest.half_widths(shopper)
        texts = {"shopper_words": words or "", "garment_words": garment_words(garment) or ""} if explain else {}
        read = {part: text for part, text in texts.items() if text and part in self._checkpoint.model.config.parts}
        why = self._explained(job, best.row, read) if explain else {}
        return Prediction(match, garment.id, size, fit, body, widths, said, manifest.fingerprint, why, read)

    def _explained(self, job: ScoreJob, row: int, texts: Mapping[str, str]) -> dict[str, Explanation]:
        model = self._checkpoint.model
        words = {part: encode_ablated(model, part, [text])[0] for part, text in texts.items()}
        asked = question(job, row, model.config.parts, words)
        return explanations(asked, score(self._checkpoint, [asked.job])[0])

    def _shopper(self, photo: bytes | None, words: str | None) -> tuple[dict[str, Embedding], str]:
        model = self._checkpoint.model
        parts = [p for p in ("person_mask", "photo") if p in model.config.parts]
        found: dict[str, Embedding] = {}
        said = "none given" if photo is None else "this model does not look at photos"
        for part in parts if photo is not None else ():
            (encoded,) = encode_images(model, part, [photo or b""])
            if isinstance(encoded, InputError):
                raise encoded
            said = encoded.reason if isinstance(encoded, Refused) else "used"
            if not isinstance(encoded, Refused):
                found[part] = encoded
        if words and "shopper_words" in model.config.parts:
            found["shopper_words"] = encode_texts(model, "shopper_words", [words])[0]
        return found, said

    def _encode(self, catalogue: Sequence[CatalogueItem]) -> dict[str, Column[Embedding]]:
        """Return the garments' embeddings by part."""
        model, every = self._checkpoint.model, np.arange(len(catalogue))
        columns: dict[str, Column[Embedding]] = {}
        if "garment_image" in model.config.parts:
            encoded = encode_images(model, "garment_image", [item.image for item in catalogue])
            for item, entry in zip(catalogue, encoded, strict=True):
                if isinstance(entry, InputError):
                    raise InputError(f"expected a readable image of garment {item.garment.id}: {entry.detail}")
            columns["garment_image"] = Column(np.stack([e for e in encoded if isinstance(e, np.ndarray)]), every)
        if "garment_words" in model.config.parts:
            words = [garment_words(item.garment) or "" for item in catalogue]
            columns["garment_words"] = Column(np.stack(encode_texts(model, "garment_words", words)), every)
        return columns

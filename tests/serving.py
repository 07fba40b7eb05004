"""What the serving tests share: small checkpoints of every kind, requests with parts left out, and the reference answer."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import numpy as np
import torch

from serve.ask import Ask, Candidate
from tests.drawn import garment_image, photo, pixels_of
from tryon_core.batch import Column, distinct, part_named
from tryon_core.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, save_history
from tryon_core.config import ImageTower, ModelConfig, TextTower, Tower
from tryon_core.garment import Garment, Size, garment_words
from tryon_core.history import FitEvent, History
from tryon_core.manifest import read_history
from tryon_core.model import Model
from tryon_core.offers import offers_of
from tryon_core.presets import preset
from tryon_core.tasks import TASKS

PARTS = ("person_mask", "shopper_words", "garment_image", "garment_words", "history")
"""What the tests leave out in turn."""
Reference = dict[tuple[str, str], tuple[float, list[float]]]
"""(garment, size) to (match, [small, fit, large])."""
SHOPPERS = ["165 cm, 55 kg, usually M, likes loose blue dresses", "190 cm, 110 kg, usually XXL, slim black jeans"]
SHOPPERS += ["172 cm, 81 kg", "5'4\" 130 lb, size 8", "身高一米六五", "loves green, wide hips"]
GARMENTS = [
    f"{cut} {colour} {what}"
    for cut, colour in (("Loose", "blue"), ("Slim", "red"), ("Regular", "black"))
    for what in ("dress", "jeans, high waist", "shirt")
]


def variant(image: str, text: str, fusion: str) -> ModelConfig:
    """The tiny preset with other encoders and another fusion, small enough to be built in a blink."""
    tiny = preset("tiny")

    def chosen(tower: Tower) -> Tower:
        if isinstance(tower, ImageTower):
            size = {"height": 32, "width": 32} if image != "cnn" else {}
            return replace(tower, encoder=image, depth=1, hidden_dim=32, num_heads=2, **size)
        return replace(tower, encoder=text) if isinstance(tower, TextTower) else tower

    towers = {name: chosen(tower) for name, tower in tiny.towers.items()}
    return replace(tiny, towers=towers, fusion=replace(tiny.fusion, kind=fusion))


def untrained_checkpoint(
    folder: Path,
    config: ModelConfig,
    *,
    history: bool = True,
    seed: int = 0,
    calibration: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Write a checkpoint of random weights, each part of which moves the answers; return its path."""
    torch.manual_seed(seed)
    model = Model(config)
    make_telling(model)
    save_checkpoint(
        str(folder),
        model,
        calibration={"temperature": {"fit": 1.3, "match": 0.8}, **calibration},
        metrics={},
        card="untrained",
    )
    if history:
        events = History()
        for n in range(12):
            events.add(FitEvent("style-0", "M", f"s{n}", "small" if n % 3 else "fit", float(n)))
        save_history(str(folder), events, 12.0)
    return str(folder)


@torch.no_grad()
def make_telling(model: Model) -> None:
    """Give random weights the statistics of trained ones: without them, layers that normalise hide what differs.

    Embeddings are standardised over a few drawn inputs by their last layer, and so is every output of every head (as in
    Mishkin and Matas, "All you need is a good init", 2016); parts weigh unequally.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # statistics of all that is seen, not of the latest
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(std=0.2)
    batch = _drawn(model.config)
    for tower, encoder in model.towers.items():
        parts = [part for part, own in model.config.parts.items() if own == tower and part in batch]
        if isinstance(getattr(encoder, "project", None), torch.nn.Linear):
            for part in parts:
                model.train().encode(part, batch[part].values)
            model.eval()
            _standardise(encoder.project, lambda p=parts: torch.cat([model.encode(n, batch[n].values) for n in p]))
    for fusion in model.fusions.values():
        fusion.log_weights.normal_()
    for _ in range(2):  # some parts are derived from other heads' outputs
        for task, head in model.heads.items():
            _standardise(head, lambda t=task: model.eval()(batch)[t])


def _standardise(layer: torch.nn.Linear, outputs: Callable[[], torch.Tensor]) -> None:
    """Let each of a layer's outputs have a mean of 0 and a deviation of 1.5."""
    std, mean = torch.std_mean(outputs(), dim=0)
    scale = 1.5 / std.clamp_min(1e-6)
    layer.weight.mul_(scale.unsqueeze(1))
    layer.bias.copy_((layer.bias - mean) * scale)


def _drawn(config: ModelConfig) -> dict[str, Column[Any]]:
    """Return a batch of drawn shoppers before drawn garments, the same on every call."""
    rng, rows, batch = np.random.default_rng(0), 48, {}
    for name, tower in config.parts.items():
        part, settings = part_named(name), config.towers[tower]
        if part.kind == "text":
            values: Any = SHOPPERS if part.owner == "shopper" else GARMENTS
        elif isinstance(settings, ImageTower):
            files = [photo(build=0.7 + 0.1 * n) if part.owner == "shopper" else garment_image(n) for n in range(8)]
            values = np.stack([pixels_of(name, file, settings) for file in files])
        elif part.owner == "derived":
            continue
        else:
            values = rng.normal(scale=2, size=(rows, part.width)).astype(np.float32)
        batch[name] = Column(values, rng.integers(0, len(values), rows))
    return batch


@dataclass(frozen=True)
class Case:
    """One request, and which part it leaves out."""

    without: str = ""
    said: str = "165 cm, 55 kg, usually M, likes loose blue dresses"
    build: float = 1.0
    """Of the person in the photo."""
    colours: tuple[str, str] = ("blue", "red")
    """In the garments' words."""
    drawn: tuple[int, int] = (0, 1)
    """Which drawn image each garment has."""

    @property
    def words(self) -> str | None:
        """The shopper's."""
        return None if self.without == "shopper_words" else self.said

    @property
    def photo(self) -> bytes | None:
        """The shopper's."""
        return None if self.without == "person_mask" else photo(build=self.build)

    def garments(self) -> list[Garment]:
        """Two garments with sizes and charts; the first has fit history."""
        said = self.without != "garment_words"
        return [
            Garment(
                id=f"g{n}",
                title=f"Loose {self.colours[n]} dress" if said else "",
                category="dress" if said else "",
                style_id=f"style-{n}",
                sizes=tuple(
                    Size(
                        label,
                        chart={
                            "chest_cm": (80.0 + 6 * at + n, 86.0 + 6 * at + n),
                            "waist_cm": (62.0 + 6 * at, 68.0 + 6 * at),
                        },
                    )
                    for at, label in enumerate(("S", "M", "L"))
                ),
            )
            for n in range(2)
        ]

    def image(self, n: int) -> bytes | None:
        """The n-th garment's."""
        return None if self.without == "garment_image" else garment_image(self.drawn[n])

    def ask(self) -> Ask:
        """The request as the ingress's own method takes it."""
        candidates = [Candidate(garment, self.image(n)) for n, garment in enumerate(self.garments())]
        return Ask(candidates, self.words, self.photo, "/shopper/photo_base64")

    def body(self) -> dict[str, Any]:
        """The request as JSON."""
        shopper: dict[str, Any] = {}
        if self.words:
            shopper["text"] = self.words
        if self.photo:
            shopper["photo_base64"] = base64.b64encode(self.photo).decode()
        return {"shopper": shopper, "garments": [self._garment_body(n, g) for n, g in enumerate(self.garments())]}

    def _garment_body(self, n: int, garment: Garment) -> dict[str, Any]:
        sizes = [{"label": s.label, "chart": {k: list(v) for k, v in s.chart.items()}} for s in garment.sizes]
        told = {"id": garment.id, "style_id": garment.style_id, "sizes": sizes}
        if garment.title:
            told |= {"title": garment.title, "category": garment.category}
        image = self.image(n)
        return told | ({"image_base64": base64.b64encode(image).decode()} if image else {})


@lru_cache(maxsize=2)
def _loaded(url: str) -> Checkpoint:
    return load_checkpoint(url)


@torch.inference_mode()
def reference(url: str, case: Case, checkpoint: Checkpoint | None = None) -> Reference:
    """What `model(...)` says of a request in this process: (garment, size) to (match, [small, fit, large]).

    Args:
        checkpoint: the one at `url` unless given.
    """
    checkpoint = checkpoint or _loaded(url)
    config, garments = checkpoint.model.config, case.garments()
    history, day = read_history(url) or (None, 0.0)
    offers = offers_of(garments, history, None, day)
    rows = len(offers.garment)
    batch: dict[str, Column[Any]] = {"size": Column(offers.numbers, np.arange(rows))}
    if offers.history is not None:
        batch["history"] = Column(offers.history, np.arange(rows))
    if case.photo:
        batch["person_mask"] = Column(_pixels(config, "person_mask", [case.photo]), np.zeros(rows, int))
    if case.words:
        batch["shopper_words"] = Column([case.words], np.zeros(rows, int))
    images = [image for n in range(2) if (image := case.image(n))]
    if images:
        batch["garment_image"] = Column(_pixels(config, "garment_image", images), offers.garment)
    words, index = distinct([garment_words(garment) for garment in garments])
    if words:
        batch["garment_words"] = Column(words, index[offers.garment])
    outputs = checkpoint.model(batch)
    answers = {t: TASKS[t].predict(outputs[t], checkpoint.manifest.temperature(t)).numpy() for t in ("match", "fit")}
    return {
        (garments[g].id, garments[g].sizes[s].label): (float(answers["match"][row]), answers["fit"][row].tolist())
        for row, (g, s) in enumerate(zip(offers.garment, offers.size, strict=True))
    }


def _pixels(config: ModelConfig, part: str, files: list[bytes]) -> Any:
    tower = config.towers[part]
    assert isinstance(tower, ImageTower)
    return np.stack([pixels_of(part, file, tower) for file in files])


def assert_equal(answer: dict[str, Any], expected: Reference) -> None:
    """Compare every size of every garment of an answer with the reference, to 1e-3."""
    seen = {}
    for garment in answer["recommendations"]:
        for size in garment["sizes"]:
            fit = [size["fit"][name] for name in ("small", "fit", "large")]
            seen[garment["garment_id"], size["label"]] = (size["match"], fit)
    assert seen.keys() == expected.keys()
    for key, (match, fit) in expected.items():
        np.testing.assert_allclose(seen[key][0], match, atol=1e-3)
        np.testing.assert_allclose(seen[key][1], fit, atol=1e-3)


def assert_problem(answer: httpx.Response, status: int, detail: str = "", *, pointer: str = "") -> None:
    """Check that an answer is a whole problem document of one line, that it says something, and of which field."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert {"type", "title", "detail", "request_id"} <= set(body)
    assert "Traceback" not in answer.text
    assert detail in body["detail"]
    assert body["detail"].isprintable()
    if pointer:
        assert body["errors"][0]["pointer"] == pointer

"""What each choice of the model is worth: `python -m benchmarks.choices [--orders N] [--epochs N] [--only NAME …]`.

Fits the `base` preset, and then the same with one thing chosen otherwise, on the same small simulated shop from the same
seed, one thread each, and prints one Markdown table. Each choice that is done is a line of a JSON Lines file, so that a run
that was cut off goes on where it stopped; lines of other settings are not looked at, but those of other code are: begin
a new file (--out) after a change. Scores repeat; times are this machine's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from train.config import TrainConfig, with_choices
from train.data.sim import SimConfig
from train.evaluate import evaluate
from train.loop import Place, build_model, fit
from train.progress import Epoch, Event
from train.rows import Rows
from train.sources import Data, load_data
from tryon_core.augment import Augmentation
from tryon_core.config import ImageTower, ModelConfig
from tryon_core.errors import ConfigError
from tryon_core.model import Model
from tryon_core.presets import preset


@dataclass(frozen=True)
class Choice:
    """One line of the table: what differs from the preset."""

    name: str
    what: str
    model: Mapping[str, str] = field(default_factory=dict)
    """Arguments of `train.config.with_choices`."""
    run: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `train.config.TrainConfig`."""
    preset: str = ""
    """In place of the one that all others start from."""


UNMOVED = {"augmentation": {}, "looks_augmentation": Augmentation()}
LOOKS_FIRST = {"pretrained": "package", "backbone_rate": 0.3, "looks_epochs": 3, "frozen": ("garment_image",)}
AT_128 = {"image_encoder": "garment_image=mobilenet_v2", "image_size": "garment_image=128"}
CHOICES = (
    Choice("base", "concat, CNN, GRU; augmented, not denoised"),
    Choice("average", "fusion by average", {"fusion": "average"}),
    Choice("weighted", "fusion by learnt weights", {"fusion": "weighted"}),
    Choice("attention", "fusion by attention", {"fusion": "attention"}),
    Choice("lstm", "text by LSTM", {"text_encoder": "lstm"}),
    Choice("transformer", "text by Transformer", {"text_encoder": "transformer"}),
    Choice("mobilenet_v2", "images by MobileNetV2", {"image_encoder": "mobilenet_v2"}),
    Choice("pretrained", "the same, from ImageNet", {"image_encoder": "mobilenet_v2"}, {"pretrained": "package"}),
    Choice("looks_first", "garments' by MobileNetV2 at 128 px from ImageNet, looks first, then frozen", AT_128, LOOKS_FIRST),
    Choice("resnet18", "images by ResNet-18", {"image_encoder": "resnet18"}),
    Choice("denoise", "images denoised, 1 px", {"denoise_sigma": "1"}),
    Choice("unmoved", "no augmentation", run=UNMOVED),
    Choice("article", "the article's model: photo and words, match alone", preset="article"),
)


@dataclass(frozen=True)
class Settings:
    """What all choices have in common; two runs compare where these are equal."""

    preset: str = "base"
    shoppers: int = 2_000
    garments: int = 400
    brands: int = 20
    orders: int = 10_000
    epochs: int = 4
    batch_size: int = 128
    seed: int = 0


class Shop:
    """The rows of one simulated shop for any model; drawn again only where images are prepared in another way."""

    def __init__(self, settings: Settings) -> None:
        told = {name: getattr(settings, name) for name in ("shoppers", "garments", "brands", "orders", "seed")}
        self._options = SimConfig(**told)
        self._key: tuple[Any, ...] = ()
        self._data: Data | None = None

    def rows(self, model: ModelConfig) -> Mapping[str, Rows]:
        """Return the shop's rows by split."""
        images = {part: model.towers[tower] for part, tower in model.parts.items()}
        key = tuple((p, t.height, t.width, t.denoise_sigma) for p, t in images.items() if isinstance(t, ImageTower))
        if self._data is None or key != self._key:
            self._data, self._key = load_data("sim", model, self._options), key
        return self._data.splits


def measure(choice: Choice, settings: Settings, shop: Shop) -> dict[str, Any]:
    """Fit one choice and return its line."""
    model_config = with_choices(preset(choice.preset or settings.preset), **choice.model)
    run = {"epochs": settings.epochs, "batch_size": settings.batch_size, "seed": settings.seed, **choice.run}
    config = TrainConfig(model=model_config, **run)
    splits, epochs = shop.rows(model_config), list[Event]()
    model = build_model(config, splits["train"])
    begun = time.monotonic()
    fit(model, splits["train"], config, epochs.append, place=Place())
    fit_s = time.monotonic() - begun
    speed = [event.rows_per_s for event in epochs if isinstance(event, Epoch)][config.looks_epochs :]
    scores = evaluate(model, splits["val"])
    return {
        "choice": choice.name,
        "fit_auc": scores.get("fit", {}).get("auc_mean"),
        "fit_nll": scores.get("fit", {}).get("nll"),
        "match_auc": scores["match"]["auc"],
        "waist_mae_cm": scores.get("body", {}).get("mae", {}).get("waist_cm"),
        "category_accuracy": scores.get("category", {}).get("accuracy"),
        "fit_s": round(fit_s, 1),
        "s_per_epoch": round(len(splits["train"]) / statistics.median(speed), 1),
        "num_weights": sum(p.numel() for p in model.parameters()),
        "answer_ms": round(answer_ms(model, splits["val"]), 2),
    }


@torch.inference_mode()
def answer_ms(model: Model, rows: Rows, repeats: int = 20) -> float:
    """Return the median ms to encode one shopper and one garment and to fuse them, nothing cached, on one thread."""
    model.eval()
    taken = []
    for number in range(repeats):
        row = rows.take(np.array([number % len(rows)]))
        begun = time.perf_counter()
        model(row.parts)
        taken.append(time.perf_counter() - begun)
    return 1000 * statistics.median(taken)


def lines(choices: Sequence[Choice], settings: Settings, file: Path) -> Iterator[dict[str, Any]]:
    """Yield each choice's line, from the file where it is there under these settings, else measured and added to it."""
    done = {line["choice"]: line for line in _read(file) if line.get("settings") == asdict(settings)}
    shop = Shop(settings)
    for choice in choices:
        if choice.name not in done:
            try:
                line = measure(choice, settings, shop) | {"settings": asdict(settings)}
            except ConfigError as err:
                print(f"left out {choice.name}: {err}", file=sys.stderr)
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="utf-8") as out:
                out.write(f"\n{json.dumps(line)}\n")  # what a stop cut off stays on its own line
            done[choice.name] = line
        print(f"{choice.name} is done", file=sys.stderr)
        yield done[choice.name]


def table(measured: Sequence[Mapping[str, Any]]) -> str:
    """Return a Markdown table of lines."""
    what = {choice.name: choice.what for choice in CHOICES}
    columns = {
        "fit_auc": ("fit AUC", "{:.4f}"),
        "fit_nll": ("fit NLL", "{:.4f}"),
        "match_auc": ("match AUC", "{:.4f}"),
        "waist_mae_cm": ("waist MAE, cm", "{:.2f}"),
        "category_accuracy": ("category", "{:.4f}"),
        "s_per_epoch": ("s/epoch", "{:.0f}"),
        "fit_s": ("fit, s", "{:.0f}"),
        "num_weights": ("weights", "{:,}"),
        "answer_ms": ("one answer, ms", "{:.1f}"),
    }
    head = ["choice", "", *(title for title, _ in columns.values())]

    def cells(line: Mapping[str, Any]) -> list[str]:
        return ["–" if line[key] is None else how.format(line[key]) for key, (_, how) in columns.items()]

    body = [[line["choice"], what[line["choice"]], *cells(line)] for line in measured]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *body])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not measured yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("bench-out/choices.jsonl"), help="where lines are kept")
    parser.add_argument("--only", nargs="+", choices=[choice.name for choice in CHOICES], metavar="NAME")
    parser.add_argument("--preset", default=Settings.preset, help="what all choices but the article's start from")
    for name in ("shoppers", "garments", "brands", "orders", "epochs", "batch_size", "seed"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(Settings, name))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settings = replace(Settings(), **{name: getattr(options, name) for name in asdict(Settings())})
    chosen = [choice for choice in CHOICES if not options.only or choice.name in options.only]
    print(table(list(lines(chosen, settings, options.out))))


def _read(file: Path) -> list[dict[str, Any]]:
    """Return a file's whole lines; one that a stop cut off is measured again."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            found += [json.loads(line)] if line else []
        except json.JSONDecodeError:
            print(f"left out a line of {file} that was cut off", file=sys.stderr)
    return found


if __name__ == "__main__":
    main()

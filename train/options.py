"""The command line's options, and the configs that they ask for; it runs nothing."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace

from tryon_core.augment import Augmentation
from tryon_core.cli import OneLineParser
from tryon_core.config import FUSIONS, IMAGE_ENCODERS, TEXT_ENCODERS, ModelConfig
from tryon_core.manifest import read_manifest
from tryon_core.presets import PRESETS, preset

from .config import OPTIMIZERS, SCHEDULES, TrainConfig, with_choices
from .data.sim import SimConfig
from .mix import weighted
from .resample import RESAMPLES
from .sources import SOURCES, SPLITS, adapted, config_of

SMOKE_DATA = {"shoppers": 60, "garments": 20, "brands": 4, "orders": 300}
SMOKE_RUN = {"epochs": 1, "batch_size": 64}
"""What ``--smoke`` runs: the whole way in seconds, for a model that is worth nothing."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every command; which one was chosen is `command`."""
    parser = OneLineParser(prog="python -m train", description="Fit and score models of shopper and garment.")
    names = "fit|evaluate|prepare|sample|data-card|table-sample"
    commands = parser.add_subparsers(dest="command", required=True, metavar=names)
    fit = commands.add_parser("fit", help="fit a model and write a checkpoint folder")
    _add_fit(fit)
    scoring = commands.add_parser("evaluate", help="score a checkpoint; one JSON object on standard output")
    _add_scoring(scoring)
    sample = commands.add_parser("sample", help="write the sample catalogue and shopper of a checkpoint's simulated shop")
    sample.add_argument("--checkpoint", metavar="DIR", help="a checkpoint folder or URL; the shipped one unless given")
    card = commands.add_parser("data-card", help="write the data card of a simulated shop, with pictures")
    table = commands.add_parser("table-sample", help="write a small simulated shop as files that source table reads")
    table.add_argument("--images", type=int, default=96, metavar="PX", help="width of product photos; 0 for none")
    for name in SMOKE_DATA:
        table.add_argument(f"--{name}", type=int, metavar="N", help=f"number of {name} to draw")
    for command in (fit, scoring):
        _add_source(command)
    for command in (fit, scoring, card):
        _add_shop(command)
    prepare = commands.add_parser("prepare", help="make train, val and test tables from a published file")
    prepare.add_argument("source", choices=("rtr",), help="which data the file is of")
    prepare.add_argument("--raw", required=True, metavar="FILE", help="the file as published, plain or gzipped")
    prepare.add_argument("--like", metavar="DIR", help="tables whose column row says which line is of which split")
    for command in (sample, card, table, prepare):
        command.add_argument("--out", required=True, metavar="DIR", help="a new folder")
    return parser


def _add_scoring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", metavar="DIR", help="a checkpoint folder or URL; the shipped one unless given")
    parser.add_argument("--split", default="val", help=f"one of {', '.join(SPLITS)}")
    parser.add_argument(
        "--resamples", type=int, default=RESAMPLES, metavar="N", help="of shoppers, for 95 %% intervals; 0 for none"
    )
    parser.add_argument("--plots", metavar="DIR", help="a folder for pictures of the scores; needs the extra plots")


def fit_config(options: argparse.Namespace) -> TrainConfig:
    """Return the config that the command line asks for.

    Raises:
        ConfigError: a name is unknown or a number is out of range.
    """
    model = with_choices(
        _start(options),
        image_encoder=options.image_encoder,
        image_size=options.image_size,
        denoise_sigma=options.denoise_sigma,
        text_encoder=options.text_encoder,
        fusion=options.fusion,
    )
    for spec in options.data:
        model = adapted(weighted(spec).spec, model)
    told = {f.name: value for f in fields(TrainConfig) if (value := getattr(options, f.name, None)) is not None}
    told |= {"frozen": tuple(options.frozen)} if options.frozen else {}
    if not options.augment:
        told |= {"augmentation": {}, "looks_augmentation": Augmentation()}
    settled = config_of([weighted(spec).spec for spec in options.data], TrainConfig(model=model))
    return replace(settled, **{**(SMOKE_RUN if options.smoke else {}), **told})


def source_options(options: argparse.Namespace) -> SimConfig:
    """Return how much data to draw."""
    told = {f.name: value for f in fields(SimConfig) if (value := getattr(options, f.name, None)) is not None}
    return SimConfig(**{**(SMOKE_DATA if options.smoke else {}), **told})


def _start(options: argparse.Namespace) -> ModelConfig:
    """Return the named preset's config, or that of the checkpoint to start from where no preset is named."""
    if options.preset is None and options.init:
        return read_manifest(options.init).config
    return preset(options.preset or "base")


def _add_fit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", help=f"one of {', '.join(sorted(PRESETS))}; base unless given, or what --init was")
    parser.add_argument("--init", metavar="DIR", help="a checkpoint folder or URL whose weights fitting starts from")
    parser.add_argument("--out", required=True, metavar="DIR", help="a new folder or URL for the checkpoint")
    images = "in place of the preset's, of all image towers or of one by TOWER="
    parser.add_argument("--image-encoder", metavar="[TOWER=]NAME", help=f"{images}: {', '.join(IMAGE_ENCODERS)}")
    parser.add_argument("--image-size", metavar="[TOWER=]PX", help=f"{images}: rows, to which columns keep their proportion")
    parser.add_argument("--denoise-sigma", metavar="[TOWER=]PX", help=f"{images}: blur before resizing; 0 for none")
    parser.add_argument("--pretrained", metavar="FILE|package", help="what backbones start from: safetensors, or `package`")
    parser.add_argument("--frozen", nargs="+", metavar="PART", help="image parts whose tower keeps its weights")
    parser.add_argument("--no-augment", dest="augment", action="store_false", help="images as they are, not moved")
    parser.add_argument("--text-encoder", help=f"in place of the preset's: {', '.join(TEXT_ENCODERS)}")
    parser.add_argument("--fusion", help=f"in place of the preset's: {', '.join(FUSIONS)}")
    parser.add_argument("--optimizer", help=f"one of {', '.join(OPTIMIZERS)}")
    parser.add_argument("--schedule", help=f"one of {', '.join(SCHEDULES)}")
    for name in ("epochs", "batch-size", "run-length", "num-workers", "looks-epochs", "looks-batch-size", "body-epochs"):
        parser.add_argument(f"--{name}", type=int, metavar="N")
    for name in ("learning-rate", "weight-decay", "momentum", "grad-clip", "looks-rate", "body-rate", "backbone-rate"):
        parser.add_argument(f"--{name}", type=float, metavar="F")
    parser.add_argument("--use-gpu", action="store_const", const=True, help="one GPU per worker")
    parser.add_argument("--no-progress", dest="progress", action="store_false", help="no progress bar")


def _add_source(parser: argparse.ArgumentParser) -> None:
    told = f"where rows come from: {', '.join(SOURCES)}, an argument behind a colon; several with weights, as sim@0.2"
    parser.add_argument("--data", required=True, nargs="+", action="extend", metavar="SOURCE[@WEIGHT]", help=told)
    parser.add_argument("--bad-rows", metavar="FILE", help="where lines of a table that cannot be taken are written as CSV")


def _add_shop(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, metavar="N", help="of what is drawn and of the model's first weights")
    parser.add_argument("--smoke", action="store_true", help="very little data and one epoch, to try the command")
    for name in ("shoppers", "garments", "orders"):
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"number of {name} to draw")
    parser.add_argument("--bodies", metavar="DIR", help="draw people about those of a survey's female.csv and male.csv")

"""The command line: ``python -m train fit``, ``evaluate``, ``prepare`` and what writes samples and cards."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from tryon_core.augment import Augmentation
from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.cli import OneLineParser, one_line
from tryon_core.config import FUSIONS, IMAGE_ENCODERS, TEXT_ENCODERS, ModelConfig
from tryon_core.errors import ConfigError, TryonError
from tryon_core.presets import PRESETS, preset

from .config import OPTIMIZERS, SCHEDULES, TrainConfig, with_choices
from .data.rejects import told_aside
from .data.sim import SimConfig
from .mix import weighted
from .resample import RESAMPLES
from .sources import SOURCES, SPLITS, adapted

log = logging.getLogger(__name__)

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    # Threads that spin at a barrier while another program has their core make a step several times as long.
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
}
"""What workers inherit, unless it is set."""

SMOKE_DATA = {"shoppers": 60, "garments": 20, "brands": 4, "orders": 300}
SMOKE_RUN = {"epochs": 1, "batch_size": 64}
"""What ``--smoke`` runs: the whole way in seconds, for a model that is worth nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status: 0, 1 for a run that failed, 2 for bad use."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options.line = "python -m train " + shlex.join(sys.argv[1:] if arguments is None else arguments)
    try:
        options.run(options)
    except TryonError as err:
        log.error("%s", one_line(err))
        return 2
    except KeyboardInterrupt:
        log.error("interrupted")
        return 1
    except Exception as err:
        log.debug("what failed", exc_info=True)
        log.error("%s: %s", type(err).__name__, one_line(err))
        return 1
    return 0


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
    return TrainConfig(**{**(SMOKE_RUN if options.smoke else {}), **told, "model": model})


def _start(options: argparse.Namespace) -> ModelConfig:
    """Return the named preset's config, or that of the checkpoint to start from where no preset is named."""
    from tryon_core.manifest import read_manifest

    if options.preset is None and options.init:
        return read_manifest(options.init).config
    return preset(options.preset or "base")


def source_options(options: argparse.Namespace) -> SimConfig:
    """Return how much data to draw."""
    told = {f.name: value for f in fields(SimConfig) if (value := getattr(options, f.name, None)) is not None}
    return SimConfig(**{**(SMOKE_DATA if options.smoke else {}), **told})


def _fit(options: argparse.Namespace) -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from .export import check_free
    from .mix import load_mixed
    from .progress import Display, told
    from .sources import config_for
    from .trainer import cluster, train_checkpoint

    config = fit_config(options)
    for spec in options.data:
        config = config_for(weighted(spec).spec, config)
    check_free(options.out)
    with cluster(config):
        bad_rows = options.bad_rows or f"{options.out.rstrip('/')}.bad-rows.csv"
        with told_aside(bad_rows) as tell:
            data = load_mixed([weighted(spec) for spec in options.data], config.model, source_options(options))
            tell(data.rejected)
        log.info("%d rows to fit on, %d to score on", *(len(data.splits[split]) for split in SPLITS))
        display = Display(bar=options.progress)
        scores = train_checkpoint(config, data, options.out, command=options.line, listener=display)
    log.info("wrote %s: %s", options.out, told(scores))


def _sample(options: argparse.Namespace) -> None:
    from tryon_core.manifest import read_manifest

    from .export import check_free
    from .sample import write_sample

    about = read_manifest(options.checkpoint or SHIPPED_CHECKPOINT).metrics.get("data", {})
    check_free(options.out)
    log.info("wrote %s: %d garments and a shopper", options.out, write_sample(about, Path(options.out)))


def _data_card(options: argparse.Namespace) -> None:
    from .data_card import write_data_card
    from .export import check_free

    check_free(options.out)
    num_bytes = write_data_card(source_options(options), Path(options.out), options.line)
    log.info("wrote %s: DATA_CARD.md and pictures, %d kB", options.out, num_bytes // 1000)


def _table_sample(options: argparse.Namespace) -> None:
    from .data.shop_table import ExportOptions, write_shop
    from .data.sim import build_shop
    from .export import check_free

    drawn = SimConfig(
        **{**SMOKE_DATA, **{name: n for name in SMOKE_DATA if (n := getattr(options, name, None)) is not None}}
    )
    check_free(options.out)
    lines = write_shop(build_shop(drawn), Path(options.out), ExportOptions(images=options.images))
    log.info("wrote %s: %d order lines", options.out, lines)


def _prepare(options: argparse.Namespace) -> None:
    from .prepare import prepare_rtr

    sums = prepare_rtr(Path(options.raw), Path(options.out), Path(options.like) if options.like else None)
    for name, digest in sums.items():
        log.info("%s  %s", digest, name)


def _evaluate(options: argparse.Namespace) -> None:
    from tryon_core.checkpoint import load_checkpoint

    from .evaluate import evaluate
    from .export import rounded
    from .plots import check_plots, draw
    from .rows import halves
    from .sources import load_data

    if options.plots:
        check_plots()
    checkpoint = load_checkpoint(options.checkpoint or SHIPPED_CHECKPOINT)
    spec = weighted(_one(options.data)).spec
    with told_aside(options.bad_rows) as tell:
        data = load_data(spec, checkpoint.model.config, source_options(options), (options.split,))
        tell(data.rejected)
    calibration = checkpoint.manifest.calibration
    _, rows = halves(data.splits[options.split])
    scores = rounded(
        evaluate(
            checkpoint.model,
            rows,
            calibration.get("temperature", {}),
            half_widths=calibration.get("body_half_width", {}),
            offered=data.offered.get(options.split),
            num_resamples=options.resamples,
        )
    )
    answer = {"model": checkpoint.manifest.fingerprint, "split": options.split, "data": dict(data.about), **scores}
    sys.stdout.write(json.dumps(answer) + "\n")
    if options.plots:
        for path in draw(answer, Path(options.plots)):
            log.info("drew %s", path)


def _one(specs: Sequence[str]) -> str:
    if len(specs) > 1:
        raise ConfigError(f"expected one source to score on, got {' and '.join(specs)}: score each on its own")
    return specs[0]


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m train", description="Fit and score models of shopper and garment.")
    names = "fit|evaluate|prepare|sample|data-card|table-sample"
    commands = parser.add_subparsers(dest="command", required=True, metavar=names)
    fit = commands.add_parser("fit", help="fit a model and write a checkpoint folder")
    fit.set_defaults(run=_fit)
    _add_fit(fit)
    scoring = commands.add_parser("evaluate", help="score a checkpoint; one JSON object on standard output")
    scoring.set_defaults(run=_evaluate)
    scoring.add_argument("--checkpoint", metavar="DIR", help="a checkpoint folder or URL; the shipped one unless given")
    scoring.add_argument("--split", default="val", help=f"one of {', '.join(SPLITS)}")
    scoring.add_argument(
        "--resamples", type=int, default=RESAMPLES, metavar="N", help="of shoppers, for 95 %% intervals; 0 for none"
    )
    scoring.add_argument("--plots", metavar="DIR", help="a folder for pictures of the scores; needs the extra plots")
    sample = commands.add_parser("sample", help="write the sample catalogue and shopper of a checkpoint's simulated shop")
    sample.set_defaults(run=_sample)
    sample.add_argument("--checkpoint", metavar="DIR", help="a checkpoint folder or URL; the shipped one unless given")
    sample.add_argument("--out", required=True, metavar="DIR", help="a new folder")
    card = commands.add_parser("data-card", help="write the data card of a simulated shop, with pictures")
    card.set_defaults(run=_data_card)
    card.add_argument("--out", required=True, metavar="DIR", help="a new folder")
    table = commands.add_parser("table-sample", help="write a small simulated shop as files that source table reads")
    table.set_defaults(run=_table_sample)
    table.add_argument("--out", required=True, metavar="DIR", help="a new folder")
    table.add_argument("--images", type=int, default=96, metavar="PX", help="width of product photos; 0 for none")
    for name in SMOKE_DATA:
        table.add_argument(f"--{name}", type=int, metavar="N", help=f"number of {name} to draw")
    for command in (fit, scoring):
        _add_source(command)
    for command in (fit, scoring, card):
        _add_shop(command)
    prepare = commands.add_parser("prepare", help="make train, val and test tables from a published file")
    prepare.set_defaults(run=_prepare)
    prepare.add_argument("source", choices=("rtr",), help="which data the file is of")
    prepare.add_argument("--raw", required=True, metavar="FILE", help="the file as published, plain or gzipped")
    prepare.add_argument("--out", required=True, metavar="DIR", help="a new folder")
    prepare.add_argument("--like", metavar="DIR", help="tables whose column row says which line is of which split")
    return parser


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


if __name__ == "__main__":
    sys.exit(main())

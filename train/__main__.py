"""The command line: ``python -m train fit``, ``evaluate``, ``sample`` and ``prepare``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.cli import OneLineParser
from tryon_core.config import FUSIONS, IMAGE_ENCODERS, TEXT_ENCODERS
from tryon_core.errors import TryonError
from tryon_core.presets import PRESETS, preset

from .config import OPTIMIZERS, SCHEDULES, TrainConfig, with_choices
from .data.sim import SimConfig
from .sources import SPLITS, config_for

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
        log.error("%s", _one_line(err))
        return 2
    except KeyboardInterrupt:
        log.error("interrupted")
        return 1
    except Exception as err:
        log.debug("what failed", exc_info=True)
        log.error("%s: %s", type(err).__name__, _one_line(err))
        return 1
    return 0


def fit_config(options: argparse.Namespace) -> TrainConfig:
    """Return the config that the command line asks for.

    Raises:
        ConfigError: a name is unknown or a number is out of range.
    """
    model = with_choices(
        preset(options.preset),
        image_encoder=options.image_encoder,
        text_encoder=options.text_encoder,
        fusion=options.fusion,
    )
    told = {f.name: value for f in fields(TrainConfig) if (value := getattr(options, f.name, None)) is not None}
    start = config_for(options.data, TrainConfig(model=model))
    return replace(start, **{**(SMOKE_RUN if options.smoke else {}), **told})


def source_options(options: argparse.Namespace) -> SimConfig:
    """Return how much data to draw."""
    told = {f.name: value for f in fields(SimConfig) if (value := getattr(options, f.name, None)) is not None}
    return SimConfig(**{**(SMOKE_DATA if options.smoke else {}), **told})


def _fit(options: argparse.Namespace) -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from .export import check_free
    from .progress import Display, told
    from .sources import load_data
    from .trainer import cluster, train_checkpoint

    config = fit_config(options)
    check_free(options.out)
    with cluster(config):
        data = load_data(options.data, config.model, source_options(options))
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


def _prepare(options: argparse.Namespace) -> None:
    from .prepare import prepare_rtr

    sums = prepare_rtr(Path(options.raw), Path(options.out), Path(options.like) if options.like else None)
    for name, digest in sums.items():
        log.info("%s  %s", digest, name)


def _evaluate(options: argparse.Namespace) -> None:
    from tryon_core.checkpoint import load_checkpoint

    from .evaluate import evaluate
    from .export import rounded
    from .sources import load_data

    checkpoint = load_checkpoint(options.checkpoint or SHIPPED_CHECKPOINT)
    data = load_data(options.data, checkpoint.model.config, source_options(options), (options.split,))
    temperatures = checkpoint.manifest.calibration.get("temperature", {})
    scores = rounded(evaluate(checkpoint.model, data.splits[options.split], temperatures))
    answer = {"model": checkpoint.manifest.fingerprint, "split": options.split, "data": dict(data.about), **scores}
    sys.stdout.write(json.dumps(answer) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m train", description="Fit and score models of shopper and garment.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="fit|evaluate|sample|prepare")
    fit = commands.add_parser("fit", help="fit a model and write a checkpoint folder")
    fit.set_defaults(run=_fit)
    _add_fit(fit)
    scoring = commands.add_parser("evaluate", help="score a checkpoint; one JSON object on standard output")
    scoring.set_defaults(run=_evaluate)
    scoring.add_argument("--checkpoint", metavar="DIR", help="a checkpoint folder or URL; the shipped one unless given")
    scoring.add_argument("--split", default="val", help=f"one of {', '.join(SPLITS)}")
    sample = commands.add_parser("sample", help="write the sample catalogue and shopper of a checkpoint's simulated shop")
    sample.set_defaults(run=_sample)
    sample.add_argument("--checkpoint", metavar="DIR", help="a checkpoint folder or URL; the shipped one unless given")
    sample.add_argument("--out", required=True, metavar="DIR", help="a new folder")
    for command in (fit, scoring):
        _add_data(command)
    prepare = commands.add_parser("prepare", help="make train, val and test tables from a published file")
    prepare.set_defaults(run=_prepare)
    prepare.add_argument("source", choices=("rtr",), help="which data the file is of")
    prepare.add_argument("--raw", required=True, metavar="FILE", help="the file as published, plain or gzipped")
    prepare.add_argument("--out", required=True, metavar="DIR", help="a new folder")
    prepare.add_argument("--like", metavar="DIR", help="tables whose column row says which line is of which split")
    return parser


def _add_fit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", default="base", help=f"one of {', '.join(sorted(PRESETS))}")
    parser.add_argument("--out", required=True, metavar="DIR", help="a new folder or URL for the checkpoint")
    parser.add_argument("--image-encoder", help=f"in place of the preset's: {', '.join(IMAGE_ENCODERS)}")
    parser.add_argument("--text-encoder", help=f"in place of the preset's: {', '.join(TEXT_ENCODERS)}")
    parser.add_argument("--fusion", help=f"in place of the preset's: {', '.join(FUSIONS)}")
    parser.add_argument("--optimizer", help=f"one of {', '.join(OPTIMIZERS)}")
    parser.add_argument("--schedule", help=f"one of {', '.join(SCHEDULES)}")
    for name in ("epochs", "batch-size", "run-length", "num-workers"):
        parser.add_argument(f"--{name}", type=int, metavar="N")
    for name in ("learning-rate", "weight-decay", "momentum", "grad-clip"):
        parser.add_argument(f"--{name}", type=float, metavar="F")
    parser.add_argument("--use-gpu", action="store_const", const=True, help="one GPU per worker")
    parser.add_argument("--no-progress", dest="progress", action="store_false", help="no progress bar")


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, metavar="SOURCE", help="where rows come from: sim, rtr:DIR")
    parser.add_argument("--seed", type=int, metavar="N", help="of what is drawn and of the model's first weights")
    parser.add_argument("--smoke", action="store_true", help="very little data and one epoch, to try the command")
    for name in ("shoppers", "garments", "orders"):
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"number of {name} to draw")


def _one_line(err: BaseException) -> str:
    lines: list[Any] = str(err).split("\n")
    return " ".join(line.strip() for line in lines if line.strip()) or type(err).__name__


if __name__ == "__main__":
    sys.exit(main())

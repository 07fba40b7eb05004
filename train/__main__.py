"""The command line: ``python -m train fit``, ``evaluate``, ``prepare`` and what writes samples and cards."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.cli import one_line
from tryon_core.errors import ConfigError, TryonError

from .data.rejects import told_aside
from .data.sim import SimConfig
from .mix import weighted
from .options import SMOKE_DATA, build_parser, fit_config, source_options
from .sources import SPLITS

log = logging.getLogger(__name__)

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    # Threads that spin at a barrier while another program has their core make a step several times as long.
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
}
"""What workers inherit, unless it is set."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status: 0, 1 for a run that failed, 2 for bad use."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options.line = "python -m train " + shlex.join(sys.argv[1:] if arguments is None else arguments)
    try:
        COMMANDS[options.command](options)
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


def _fit(options: argparse.Namespace) -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from .export import check_free
    from .mix import load_mixed
    from .progress import Display, told
    from .trainer import cluster, train_checkpoint

    config = fit_config(options)
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
    answer["calibrated_on"] = checkpoint.manifest.metrics.get("calibrated_on", "not stated")
    sys.stdout.write(json.dumps(answer) + "\n")
    if options.plots:
        for path in draw(answer, Path(options.plots)):
            log.info("drew %s", path)


def _one(specs: Sequence[str]) -> str:
    if len(specs) > 1:
        raise ConfigError(f"expected one source to score on, got {' and '.join(specs)}: score each on its own")
    return specs[0]


COMMANDS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "fit": _fit,
    "evaluate": _evaluate,
    "prepare": _prepare,
    "sample": _sample,
    "data-card": _data_card,
    "table-sample": _table_sample,
}
"""What each command runs."""


if __name__ == "__main__":
    sys.exit(main())

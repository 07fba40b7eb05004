"""The command line: ``python -m tryon_core predict --image_path image.jpg --text_path text.txt``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from .catalogue import SHIPPED_CHECKPOINT, sample_catalogue
from .cli import OneLineParser
from .errors import InputError, TryonError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status: 0, or 2 where the input is wrong."""
    options = _parser().parse_args(argv)
    try:
        sys.stdout.write(_predict(options) + "\n")
    except TryonError as err:
        sys.stderr.write(f"tryon_core: {err}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m tryon_core", description="Size and style recommendation.")
    commands = parser.add_subparsers(dest="command", required=True)
    predict = commands.add_parser("predict", help="how well the sample catalogue's best garment suits a shopper")
    predict.add_argument("--image_path", required=True, help="the shopper's photo: JPEG, PNG or WebP")
    predict.add_argument("--text_path", required=True, help="the shopper's words: UTF-8 text")
    predict.add_argument("--checkpoint", default=SHIPPED_CHECKPOINT, metavar="DIR", help="default: the shipped one")
    predict.add_argument("--json", action="store_true", help="print the garment, size, fit and measurements, too")
    predict.add_argument("--explain", action="store_true", help="what each part and word moved, too; implies --json")
    return parser


def _predict(options: argparse.Namespace) -> str:
    photo = _read(options.image_path)
    try:
        words = _read(options.text_path).decode("utf-8").strip()
    except UnicodeDecodeError as err:
        raise InputError(f"expected UTF-8 text in {options.text_path}, got other bytes: {err}") from err
    from .predictor import Predictor  # late, so that a missing file is told before torch is loaded

    found = Predictor(options.checkpoint, sample_catalogue()).predict(photo, words or None, explain=options.explain)
    if options.json or options.explain:
        return json.dumps(dataclasses.asdict(found), ensure_ascii=False)
    if found.photo != "used":
        sys.stderr.write(f"tryon_core: the photo was not used: {found.photo}\n")
    return f"Prediction: {found.prediction:.3f}"


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as err:
        raise InputError(f"expected a readable file, got {path}: {err.strerror}") from err


if __name__ == "__main__":
    sys.exit(main())

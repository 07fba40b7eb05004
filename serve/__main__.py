"""`python -m serve run`: serves on this machine until Ctrl-C, and leaves no process behind.

It owns the command line and the life of the process that serves, `local`; it knows nothing of Ray.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence

from tryon_core.cli import OneLineParser, root_line
from tryon_core.errors import TryonError
from tryon_core.manifest import read_manifest

from .config import Settings
from .effect import add_effect_command, run_effect
from .export import add_export_command, run_export
from .key_commands import add_key_commands, run_key_command
from .logs import configure_logging
from .operations import add_operations_command, run_operations
from .supervisor import supervise

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status.

    0: served until stopped; 1: a failed run; 2: bad use; 130: stopped before it served, or killed as it did not end in time.
    """
    configure_logging()
    options = _parser().parse_args(argv)
    if options.command in _BESIDE:
        return _beside(options)
    # The metrics' files are this process's, as it is the one that always ends in order. A told metrics_dir comes later.
    with tempfile.TemporaryDirectory(prefix="tryon-metrics-", ignore_cleanup_errors=True) as folder:
        settings = [f"metrics_dir={folder}", *options.settings]
        return supervise([sys.executable, "-m", "serve.local", options.host, str(options.port), *settings])


def _beside(options: argparse.Namespace) -> int:
    try:
        return _BESIDE[options.command](options)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except TryonError as err:
        sys.stderr.write(f"serve: {root_line(err)}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m serve", description="Size and style recommendation, served.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve on this machine until Ctrl-C")
    run.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    run.add_argument("--port", type=_port, default=8000, help="port to listen on (default %(default)s)")
    run.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="settings, as cache=redis://127.0.0.1:6379")
    add_operations_command(commands, _port)
    add_key_commands(commands)
    again = commands.add_parser("reencode", help="encode the catalogue under a checkpoint, also while another serves")
    again.add_argument("--prune", action="store_true", help="then forget what other checkpoints' encoders have said")
    again.add_argument("--progress", action="store_true", help="show the bar where standard error is no terminal, too")
    again.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="checkpoint=DIR, and store=… blobs=… as served")
    add_export_command(commands)
    add_effect_command(commands)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise argparse.ArgumentTypeError(f"expected a port from 1 to 65535, got {text!r}")
    return int(text)


def _reencoded(options: argparse.Namespace) -> int:
    settings = Settings.from_pairs(options.settings).placed()
    read_manifest(settings.checkpoint)  # a wrong path is told before torch is imported
    from .reencode import reencode

    try:
        report = asyncio.run(reencode(settings, prune=options.prune, show=sys.stderr.isatty() or options.progress))
    except TryonError as err:
        sys.stderr.write(f"serve: {root_line(err)}\n")
        return 1
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


def _exported(options: argparse.Namespace) -> int:
    return run_export(options, Settings.from_pairs(options.settings))


_BESIDE = {
    "keys": run_key_command,
    "operations": run_operations,
    "reencode": _reencoded,
    "export": _exported,
    "effect": run_effect,
}
"""Commands that run beside the service, in this process."""


if __name__ == "__main__":
    sys.exit(main())

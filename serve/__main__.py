"""`python -m serve run`: starts Ray and the graph on this machine, and leaves no process behind."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from tryon_core.catalogue import SAMPLE
from tryon_core.cli import OneLineParser
from tryon_core.errors import TryonError
from tryon_core.manifest import read_manifest

from .config import Settings, set_fast_flags

_READY_WITHIN_S = 240.0
_LOGS = "/tmp/ray/session_latest/logs/serve"
_QUIET: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status: 0, 1 for a failed run, 2 for bad use."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    options = _parser().parse_args(argv)
    try:
        settings = Settings.from_args(dict(_pair(setting) for setting in options.settings))
        read_manifest(settings.checkpoint)
    except TryonError as err:
        sys.stderr.write(f"serve: {err}\n")
        return 2
    try:
        return _run(settings, options.host, options.port)
    except (TryonError, RuntimeError) as err:
        sys.stderr.write(f"serve: {str(err).splitlines()[0]} (logs: {_LOGS})\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m serve", description="Size and style recommendation, served.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve on this machine until Ctrl-C")
    run.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    run.add_argument("--port", type=int, default=8000, help="port to listen on (default %(default)s)")
    run.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="settings, as cache=redis://127.0.0.1:6379")
    return parser


def _pair(setting: str) -> tuple[str, str]:
    name, equals, value = setting.partition("=")
    if not equals:
        raise TryonError(f"expected NAME=VALUE, got {setting!r}")
    return name, value


def _run(settings: Settings, host: str, port: int) -> int:
    set_fast_flags()
    import ray  # after the flags: Serve reads them when it is imported
    from ray import serve

    from .graph import build

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # A Ray of its own: another one's applications are not ours to end. A laptop with one core still gets the graph, whose
    # deployments reserve 1.4 CPUs together.
    ray.init("local", num_cpus=max(2, os.cpu_count() or 2), include_dashboard=False, **_QUIET)
    try:
        serve.start(http_options={"host": host, "port": port})
        serve.run(build(settings.to_args()), name="tryon", route_prefix="/")
        address = f"http://{host}:{port}"
        if _wait_until_ready(address, stop):
            sys.stdout.write(_greeting(address))
            sys.stdout.flush()
            stop.wait()
        return 0 if stop.is_set() else 1
    finally:
        serve.shutdown()  # type: ignore[no-untyped-call]
        ray.shutdown()


def _wait_until_ready(address: str, stop: threading.Event) -> bool:
    begun = time.monotonic()
    while not stop.wait(0.5):
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return True
        except (urllib.error.URLError, OSError) as err:
            if time.monotonic() - begun > _READY_WITHIN_S:
                sys.stderr.write(f"serve: expected the graph to be ready within {_READY_WITHIN_S:.0f} s, got {err}\n")
                return False
    return False


def _greeting(address: str) -> str:
    photo, text = (shlex.quote(os.path.relpath(SAMPLE / name)) for name in ("shopper.jpg", "shopper.txt"))
    return (
        f"\ntryon serves at {address}   (docs at {address}/docs, Ctrl-C stops it)\n\n"
        f"  curl -F image=@{photo} -F 'text=<{text}' {address}/v1/predict\n\n"
    )


if __name__ == "__main__":
    sys.exit(main())

"""`python -m serve run`: starts Ray and the graph on this machine, and leaves no process behind; and other commands."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import shutil
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

from tryon_core.catalogue import SAMPLE
from tryon_core.cli import OneLineParser, root_line
from tryon_core.errors import TryonError
from tryon_core.manifest import read_manifest

from .config import Settings, metrics_folder, set_fast_flags
from .effect import add_effect_command, run_effect
from .export import add_export_command, run_export

logger = logging.getLogger(__name__)
_READY_WITHIN_S = 240.0
_LOGS = "/tmp/ray/session_latest/logs/serve"
_QUIET: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status.

    0: served until stopped; 1: a failed run; 2: bad use; 130: stopped before it served.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    options = _parser().parse_args(argv)
    try:
        return _COMMANDS[options.command](options)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except TryonError as err:
        sys.stderr.write(f"serve: {root_line(err)}\n")
        return 2


def _exported(options: argparse.Namespace) -> int:
    return run_export(options, Settings.from_args(dict(_pair(setting) for setting in options.settings)))


def _served(options: argparse.Namespace) -> int:
    settings = Settings.from_args(dict(_pair(setting) for setting in options.settings))
    # A wrong path is told before Ray is imported, which takes seconds.
    model = read_manifest(settings.checkpoint).emphasised(settings.weights()).fingerprint
    application = _application(settings)
    try:
        _require_free(options.host, options.port)
        return _run(application, settings, model, options)
    except Exception as err:
        logger.debug("what failed", exc_info=True)
        sys.stderr.write(f"serve: {root_line(err)}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m serve", description="Size and style recommendation, served.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve on this machine until Ctrl-C")
    run.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    run.add_argument("--port", type=_port, default=8000, help="port to listen on (default %(default)s)")
    run.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="settings, as cache=redis://127.0.0.1:6379")
    add_export_command(commands)
    add_effect_command(commands)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise argparse.ArgumentTypeError(f"expected a port from 1 to 65535, got {text!r}")
    return int(text)


def _pair(setting: str) -> tuple[str, str]:
    name, equals, value = setting.partition("=")
    if not equals:
        raise TryonError(f"expected NAME=VALUE, got {setting!r}")
    return name, value


def _application(settings: Settings) -> Any:
    set_fast_flags()
    from .graph import build  # after the flags: Serve reads them when it is imported

    return build(settings.to_args())


def _require_free(host: str, port: int) -> None:
    """Check that nobody listens there: Ray would find out late, or share the port.

    Raises:
        OSError: the port is taken, or the host is none of this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, port), family=family).close()
    except OSError as err:
        raise OSError(f"expected a free port, got {port} on {host}: {err.strerror}") from None


def _run(application: Any, settings: Settings, model: str, options: argparse.Namespace) -> int:
    import ray
    from ray import serve

    _interrupt_on_signals()
    try:
        # A Ray of its own: another one's applications are not ours to end. A laptop with one core still gets the graph,
        # whose deployments reserve 1.4 CPUs together.
        ray.init("local", num_cpus=max(2, os.cpu_count() or 2), include_dashboard=False, **_QUIET)
        _interrupt_on_signals()  # Ray has its own way of ending at SIGTERM
        folder = metrics_folder(settings, ray.get_runtime_context().get_node_id())
        try:
            serve.start(http_options={"host": options.host, "port": options.port})
            serve.run(application, name="tryon", route_prefix="/")
            return _serve_until_stopped(f"http://{options.host}:{options.port}", model)
        finally:
            try:
                serve.shutdown()
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        ray.shutdown()


def _interrupt_on_signals() -> None:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def _serve_until_stopped(address: str, model: str) -> int:
    if not _wait_until_ready(address, model):
        return 1
    sys.stdout.write(_greeting(address))
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    return 0


def _wait_until_ready(address: str, model: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the address is this machine's
    begun, last = time.monotonic(), "nothing"
    while time.monotonic() - begun < _READY_WITHIN_S:
        try:
            with opener.open(f"{address}/readyz", timeout=2) as answer:
                got = json.load(answer).get("model")
            if got == model:
                return True
            last = f"model {got}"
        except (urllib.error.URLError, OSError, ValueError) as err:
            last = str(err)
        time.sleep(0.5)
    sys.stderr.write(
        f"serve: expected model {model} to be ready within {_READY_WITHIN_S:.0f} s, got {last} (logs: {_LOGS})\n"
    )
    return False


def _greeting(address: str) -> str:
    photo, text = (shlex.quote(os.path.relpath(SAMPLE / name)) for name in ("shopper.jpg", "shopper.txt"))
    return (
        f"\ntryon serves at {address}   (docs at {address}/docs, Ctrl-C stops it)\n\n"
        f"  curl -F image=@{photo} -F 'text=<{text}' {address}/v1/predict\n\n"
    )


_COMMANDS = {"run": _served, "export": _exported, "effect": run_effect}

if __name__ == "__main__":
    sys.exit(main())

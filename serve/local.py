"""`python -m serve.local HOST PORT NAME=VALUE…`: starts Ray and the graph on this machine, under a supervisor.

Until it serves there is nothing to end in order, and `STOP` ends it by the kernel; then by an exception where it waits.
"""

from __future__ import annotations

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
from tryon_core.cli import root_line
from tryon_core.errors import ConfigError, TryonError
from tryon_core.manifest import read_manifest

from .addresses import is_loopback
from .config import NO_KEYS, Settings, metrics_folder
from .environment import set_fast_flags
from .logs import configure_logging
from .metrics import exposition_below
from .operations import operations
from .supervisor import STOP, follow_supervisor

logger = logging.getLogger(__name__)
_READY_WITHIN_S = 240.0
_LOOPBACK = "127.0.0.1"
_LOGS = "/tmp/ray/session_latest/logs/serve"
_QUIET: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}


def main(argv: Sequence[str] | None = None) -> int:
    """Serve at a host and port, with settings; return the exit status.

    0: served until stopped; 1: a failed run; 2: bad use.
    """
    configure_logging()
    host, port, *settings = sys.argv[1:] if argv is None else argv
    try:
        return _served(host, int(port), settings)
    except TryonError as err:
        sys.stderr.write(f"serve: {root_line(err)}\n")
        return 2


def _served(host: str, port: int, told: Sequence[str]) -> int:
    settings = Settings.from_pairs(told)
    _require_keys(settings, host)
    # A wrong path is told before Ray is imported, which takes seconds.
    model = read_manifest(settings.checkpoint).emphasised(settings.weights()).fingerprint
    application = _application(settings)
    try:
        _require_free(host, port)
        _require_free(_LOOPBACK, settings.operations_port or port + 1)
        return _run(application, settings, model, host, port)
    except Exception as err:
        logger.debug("what failed", exc_info=True)
        sys.stderr.write(f"serve: {root_line(err)}\n")
        return 1


def _require_keys(settings: Settings, host: str) -> None:
    """Check that whoever reaches an address may call, or is asked for a key.

    Raises:
        ConfigError: others than this machine reach it, and nothing was said about them.
    """
    if settings.keys == "off" and not is_loopback(host):
        told = "make one by python -m serve keys create, or say keys=open if something in front decides who may call"
        raise ConfigError(f"expected keys=PLACE to listen on {host}, got keys=off: {told}")


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


def _run(application: Any, settings: Settings, model: str, host: str, port: int) -> int:
    import ray
    from ray import serve

    try:
        # A Ray of its own: another one's applications are not ours to end. A laptop with one core still gets the graph,
        # whose deployments reserve 1.4 CPUs together.
        ray.init("local", num_cpus=max(2, os.cpu_count() or 2), include_dashboard=False, **_QUIET)
        folder = metrics_folder(settings, ray.get_runtime_context().get_node_id())
        try:
            serve.start(http_options={"host": host, "port": port})
            serve.run(application, name="tryon", route_prefix="/")
            address, own_port = f"http://{host}:{port}", settings.operations_port or port + 1
            with operations(_LOOPBACK, own_port, lambda: exposition_below(folder), address) as more:
                return _serve_until_stopped(address, more, model, keys=settings.keys not in NO_KEYS)
        finally:
            try:
                serve.shutdown()
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        ray.shutdown()


def _serve_until_stopped(address: str, more: str, model: str, *, keys: bool) -> int:
    if not _wait_until_ready(address, model):
        return 1
    with suppress(KeyboardInterrupt):
        for number in (STOP, signal.SIGTERM):  # Ray has its own way of ending at SIGTERM
            signal.signal(number, _interrupt)
        sys.stdout.write(_greeting(address, more, keys=keys))
        sys.stdout.flush()
        threading.Event().wait()
    return 0


def _interrupt(*_: object) -> NoReturn:
    for number in (STOP, signal.SIGTERM):  # once: what ends in order is not interrupted
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


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


def _greeting(address: str, more: str, *, keys: bool) -> str:
    photo, text = (shlex.quote(os.path.relpath(SAMPLE / name)) for name in ("shopper.jpg", "shopper.txt"))
    shown = '-H "Authorization: Bearer $KEY" ' if keys else ""
    return (
        f"\ntryon serves at {address}   (docs at {address}/docs, operations at {more}, Ctrl-C stops it)\n\n"
        f"  curl {shown}-F image=@{photo} -F 'text=<{text}' {address}/v1/predict\n\n"
    )


if __name__ == "__main__":
    follow_supervisor()
    sys.exit(main())

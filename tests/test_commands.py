"""The README's two ways to start the service, as a user types them: answers, then Ctrl-C, then no process is left."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
_MARK = "TRYON_TEST_RUN"


def free_port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


def marked(run: str) -> list[str]:
    """The command lines of all processes that have a run's mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{_MARK}={run}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200])
        except OSError:
            continue  # ended meanwhile
    return found


@contextmanager
def started(*command: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start a command as a terminal's foreground job; end it by Ctrl-C and see that nothing is left."""
    run = uuid.uuid4().hex
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("RAY_", "PROMETHEUS_"))} | {_MARK: run}
    output = ROOT / "runs" / f"{run}.log"
    output.parent.mkdir(exist_ok=True)
    with output.open("w") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process, output
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=90)
        deadline = time.monotonic() + 20
        while (left := marked(run)) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert left == []
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        output.unlink()


def until(found: re.Pattern[str], process: subprocess.Popen[str], output: Path, within_s: float = 240) -> str:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and process.poll() is None:
        match = found.search(output.read_text())
        if match:
            return match[0]
        time.sleep(0.5)
    raise AssertionError(f"expected {found.pattern}, got {output.read_text()}")


def test_make_run_prints_a_curl_that_gives_the_readmes_answer_and_leaves_no_process() -> None:
    port = free_port()
    with started("make", "run", f"PORT={port}") as (process, output):
        curl = until(re.compile(r"curl .*predict"), process, output)
        assert str(port) in curl
        done = subprocess.run(shlex.split(curl), cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        answer = json.loads(done.stdout)
        assert curl.replace(str(port), "8000") in README
    told = json.loads(README.split("```json")[1].split("```")[0])
    assert answer["model"] == told["model"]
    assert answer["recommendation"] == told["recommendation"]
    assert answer["prediction"] == pytest.approx(told["prediction"], abs=1e-3)
    assert answer["fit"] == pytest.approx(told["fit"], abs=1e-3)


def test_serve_run_starts_the_same_graph() -> None:
    command = [str(Path(sys.executable).parent / "serve"), "run", "serve.graph:build", "cache=memory"]
    with started(*command) as (process, output):
        until(re.compile("Deployed app|deployed successfully", re.IGNORECASE), process, output)
        with urllib.request.urlopen("http://127.0.0.1:8000/readyz", timeout=30) as answer:
            assert json.load(answer)["status"] == "ready"

"""The README's commands as a user types them: the service answers, ends by Ctrl-C and leaves no process; training has its files."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.redis_server import RedisServer
from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.manifest import read_manifest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
_MARK = "TRYON_TEST_RUN"


def free_port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


def plain() -> dict[str, str]:
    """The environment of a user's terminal: without what this run has set, or the make that it runs under hands down."""
    return {n: v for n, v in os.environ.items() if not n.startswith(("RAY_", "PROMETHEUS_", "MAKE", "MFLAGS", "ARGS"))}


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


def members(sessions: set[int]) -> list[str]:
    """The names of all processes of some sessions, those included whose new title has taken the place of the mark."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.name())
    return found


@contextmanager
def started(*command: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start a command as a terminal's foreground job; end it by Ctrl-C and see that nothing is left."""
    run = uuid.uuid4().hex
    environment = plain() | {_MARK: run}
    output = ROOT / "runs" / f"{run}.log"
    output.parent.mkdir(exist_ok=True)
    with output.open("w") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process, output
        sessions = {os.getsid(one.pid) for one in psutil.Process(process.pid).children(recursive=True)} - {process.pid}
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=90)
        deadline = time.monotonic() + 20
        while (left := marked(run) + members(sessions)) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert left == []
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.unlink()


def until(found: re.Pattern[str], process: subprocess.Popen[str], output: Path, within_s: float = 240) -> str:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and process.poll() is None:
        match = found.search(output.read_text())
        if match:
            return match[0]
        time.sleep(0.5)
    raise AssertionError(f"expected {found.pattern}, got {output.read_text()}")


def asked(curl: str) -> Any:
    done = subprocess.run(shlex.split(curl), cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def test_make_run_prints_a_curl_that_gives_the_readmes_answer_and_leaves_no_process() -> None:
    port = free_port()
    with started("make", "run", f"PORT={port}") as (process, output):
        curl = until(re.compile(r"curl .*predict"), process, output)
        assert str(port) in curl
        answer = asked(curl)
        assert curl.replace(str(port), "8000") in README
    told = json.loads(README.split("```json")[1].split("```")[0])
    assert answer["model"] == told["model"]
    assert answer["recommendation"] == told["recommendation"]
    assert answer["prediction"] == pytest.approx(told["prediction"], abs=1e-3)
    assert answer["fit"] == pytest.approx(told["fit"], abs=1e-3)


def test_make_run_with_a_redis_answers_alike_while_it_is_there_and_when_it_is_gone(redis_server: RedisServer) -> None:
    port = free_port()
    with started("make", "run", f"PORT={port}", f"ARGS=cache={redis_server.url}") as (process, output):
        curl = until(re.compile(r"curl .*predict"), process, output)
        before = asked(curl)
        assert redis_server.client().dbsize() > 0
        redis_server.kill()
        assert asked(curl)["prediction"] == pytest.approx(before["prediction"], abs=1e-3)


@pytest.mark.parametrize("after_s", [1, 4, 6, 9, 12])
def test_make_run_ends_by_ctrl_c_while_it_starts(after_s: int) -> None:
    with started("make", "run", f"PORT={free_port()}") as (process, _):
        time.sleep(after_s)
        assert process.poll() is None


def test_serve_run_starts_the_same_graph(tmp_path: Path) -> None:
    copy = shutil.copytree(SHIPPED_CHECKPOINT, tmp_path / "model")
    command = [str(Path(sys.executable).parent / "serve"), "run", "serve.graph:build", f"checkpoint={copy}", "cache=memory"]
    with started(*command) as (process, output):
        until(re.compile("deployed|is ready at", re.IGNORECASE), process, output)
        deadline = time.monotonic() + 60
        while httpx.get("http://127.0.0.1:8000/readyz", timeout=30).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.5)


def test_make_train_makes_a_checkpoint_and_a_sample_from_nothing(tmp_path: Path) -> None:
    command = ["make", "train", "ARGS=--smoke --no-progress", f"OUT={tmp_path}"]
    subprocess.run(command, cwd=ROOT, env=plain(), timeout=400, check=True)
    assert read_manifest(str(tmp_path / "base")).config.name == "base"
    assert (tmp_path / "sample" / "shopper.jpg").exists()


@pytest.mark.parametrize("section", ["Train it", "Your own orders"])
def test_the_readmes_training_commands_run_in_their_order(section: str, tmp_path: Path) -> None:
    block = README.split(f"## {section}")[1].split("```")[1]
    lines = [line for line in block.splitlines() if " -m train " in line]
    assert len(lines) >= 3
    shutil.copytree(SHIPPED_CHECKPOINT, tmp_path / "base")
    for line in lines:
        words = shlex.split(line.split(" #")[0].replace("runs/", f"{tmp_path}/"))
        smoke = ["--smoke"] if words[3] in ("fit", "evaluate") else []
        subprocess.run([sys.executable, *words[1:], *smoke], cwd=ROOT, env=plain(), timeout=400, check=True)


def test_make_bench_measures() -> None:
    subprocess.run(["make", "bench", "ARGS=--repeats 1"], cwd=ROOT, env=plain(), timeout=300, check=True)

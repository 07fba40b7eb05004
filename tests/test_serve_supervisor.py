"""What the supervisor promises whatever its command does: it ends, with a status, and nothing of it is left."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parent.parent
AN_HOUR_S = 3600.0
_WITHIN_S = 60.0

# What commands do; each tells a line once it has come so far, and then would run for an hour.
WAITS = "import os, signal, time; print(os.getpid(), flush=True); time.sleep(3600)"
ENDS_IN_ORDER = f"import signal, sys; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(0)); {WAITS}"
DOES_NOT_END = f"import signal; signal.signal(signal.SIGUSR1, lambda *_: print('asked', flush=True)); {WAITS}"
FOLLOWS = f"from serve.supervisor import follow_supervisor; follow_supervisor(); {WAITS}"
CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {WAITS!r}], process_group=0); "


@contextmanager
def supervised(code: str, grace_s: float = AN_HOUR_S, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A supervisor in a process of its own, as it takes that process's signals."""
    supervisor = "import sys; from serve.supervisor import supervise; "
    supervisor += f"sys.exit(supervise([sys.executable, '-c', {code!r}], grace_s={grace_s}))"
    process = subprocess.Popen([sys.executable, "-c", supervisor], stdout=subprocess.PIPE, text=True, cwd=ROOT, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def told(process: subprocess.Popen[str], lines: int = 1) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(lines)]


def running(pids: Sequence[str]) -> list[str]:
    alive = [pid for pid in pids if psutil.pid_exists(int(pid))]
    return [pid for pid in alive if psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("code", "status"),
    [("pass", 0), ("raise SystemExit(2)", 2), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_an_end_of_its_own_has_its_own_status(code: str, status: int) -> None:
    with supervised(code) as process:
        assert process.wait(_WITHIN_S) == status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(("code", "status"), [(WAITS, 130), (ENDS_IN_ORDER, 0)])
def test_a_signal_ends_it_at_once_or_in_its_order(code: str, status: int, number: signal.Signals) -> None:
    with supervised(code) as process:
        pids = told(process)
        process.send_signal(number)
        assert process.wait(_WITHIN_S) == status
        assert running(pids) == []


def test_what_does_not_end_in_time_is_killed_with_its_children() -> None:
    with supervised(CHILD + DOES_NOT_END, grace_s=0.1) as process:
        pids = told(process, 2)
        process.send_signal(signal.SIGINT)
        assert process.wait(_WITHIN_S) == 130
        assert running(pids) == []


def test_a_second_signal_kills_it_at_once() -> None:
    with supervised(CHILD + DOES_NOT_END) as process:
        pids = told(process, 2)
        process.send_signal(signal.SIGINT)
        assert told(process) == ["asked"]
        process.send_signal(signal.SIGINT)
        assert process.wait(_WITHIN_S) == 130
        assert running(pids) == []


def test_children_that_it_leaves_are_killed() -> None:
    with supervised(CHILD + "sys.stdin.close()") as process:
        assert process.wait(_WITHIN_S) == 0
        assert running([line for line in told(process) if line]) == []


def test_ctrl_c_counts_where_a_scripts_background_job_has_it_ignored() -> None:
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with supervised(WAITS) as process:
            told(process)
            process.send_signal(signal.SIGINT)
            assert process.wait(_WITHIN_S) == 130
    finally:
        signal.signal(signal.SIGINT, ignored)


def test_under_nohup_it_outlives_the_terminal() -> None:
    kept = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with supervised(ENDS_IN_ORDER) as process:
            told(process)
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            assert process.wait(_WITHIN_S) == 0  # a second signal would have killed it
    finally:
        signal.signal(signal.SIGHUP, kept)


def test_what_serves_ends_when_its_supervisor_is_killed() -> None:
    with supervised(FOLLOWS) as process:
        [pid] = told(process)
        command = psutil.Process(int(pid))
        process.kill()
        command.wait(60)

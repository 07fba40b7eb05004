"""One command in a session of its own, and its end: asked for by Ctrl-C, bounded in time, whole.

A signal alone does not end a process that runs Ray: an interrupt raised in its start or shutdown may be swallowed, wait
for a call into C++ or tear it down half-way. So who takes the signals runs nothing else, and what it started dies with it.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

STOP = signal.SIGUSR1
"""What asks a supervised process to end: it ends at once until it sets a handler. Neither Python nor Ray sets one."""

_GRACE_S = 20.0
_KILLED_WITHIN_S = 5.0
_INTERRUPTED = 130
_ENDED = None


def supervise(command: Sequence[str], *, grace_s: float = _GRACE_S) -> int:
    """Run a command until it ends or a signal asks for it, and return its status; none of its processes is left.

    SIGINT, SIGTERM and SIGHUP send it `STOP`; where that has not ended it within `grace_s`, or at a second signal, it is
    killed. Status 130 tells that it was asked to end and did not do so in order.
    """
    events: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    _listen(events)
    # A session of its own: the terminal's Ctrl-C reaches this process only, and the session's number finds the others.
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        threading.Thread(target=_tell_end, args=(process, events), daemon=True).start()
        asked = events.get() is not _ENDED
        if asked:
            process.send_signal(STOP)
            with suppress(queue.Empty):
                events.get(timeout=grace_s)
        _kill_session(process.pid)
    status = process.wait()
    if asked and status:
        return _INTERRUPTED
    return status if status >= 0 else 128 - status


def follow_supervisor() -> None:
    """End this process by `STOP` when its supervisor is gone, however that ended; returns at once."""

    def follow() -> None:
        os.read(0, 1)  # nothing is ever written: it returns when the other end is closed
        os.kill(os.getpid(), STOP)

    threading.Thread(target=follow, daemon=True).start()


def _listen(events: queue.SimpleQueue[int | None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Started by nohup it outlives the terminal. SIGINT counts even where a script's `&` has it ignored.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda got, _: events.put(got))


def _tell_end(process: subprocess.Popen[bytes], events: queue.SimpleQueue[int | None]) -> None:
    process.wait()
    events.put(_ENDED)


def _kill_session(session: int) -> None:
    deadline = time.monotonic() + _KILLED_WITHIN_S
    while (members := _members(session)) and time.monotonic() < deadline:
        for member in members:
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        time.sleep(0.05)
    if members:
        logger.warning("processes %s do not end", members)


def _members(session: int) -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _belongs(folder, session)]


def _belongs(process: Path, session: int) -> bool:
    try:
        # pid (name) state parent group session …; a name may hold anything
        state, _, _, own = (process / "stat").read_text().rpartition(")")[2].split()[:4]
    except OSError:
        return False  # ended meanwhile
    return int(own) == session and state not in "ZX"

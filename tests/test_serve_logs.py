from __future__ import annotations

import io
import logging
import subprocess
import sys

from serve.logs import FORMAT, SafeFormatter, shown


def logged(message: str, *args: object, error: Exception | None = None) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(SafeFormatter(FORMAT))
    logger = logging.Logger("serve.some")
    logger.addHandler(handler)
    logger.error(message, *args, exc_info=error)
    return stream.getvalue()


def test_a_message_is_one_line_whatever_a_stranger_wrote_into_it() -> None:
    line = logged("got %s", "x\n2026-01-01 ERROR serve root: all is lost\r\x1b[2J\u202etxt.exe\u2028\U000e0041")
    assert line.count("\n") == 1
    assert line.endswith(
        "x\\u000a2026-01-01 ERROR serve root: all is lost\\u000d\\u001b[2J\\u202etxt.exe\\u2028\\U000e0041\n"
    )


def test_words_of_any_script_stay_readable() -> None:
    assert shown("身高 165 cm, größer — ✓") == "身高 165 cm, größer — ✓"


def test_a_long_message_is_cut() -> None:
    assert len(logged("x" * 100_000)) < 5_000


def test_no_line_of_a_traceback_looks_like_a_record() -> None:
    try:
        raise ValueError("x\n2026-01-01 00:00:00,000 ERROR serve root: all is lost\u202e")
    except ValueError as err:
        lines = logged("request %s failed", "a1", error=err).splitlines()
    assert lines[0].endswith("request a1 failed")
    assert len(lines) > 3
    assert all(line.startswith("  | ") and line.isprintable() for line in lines[1:])


def test_the_command_line_writes_safe_lines() -> None:
    code = "import logging; from serve.logs import configure_logging; configure_logging(); logging.warning('a\\nb')"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stderr.endswith("WARNING root a\\u000ab\n")
    assert told.stderr.count("\n") == 1

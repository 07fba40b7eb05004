"""What the command lines share: bad use and failures are told in one line."""

from __future__ import annotations

import argparse
import re
import sys
from typing import NoReturn

from .errors import TryonError

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage, and ends with status 2."""

    def error(self, message: str) -> NoReturn:
        """Tell the message and end."""
        sys.stderr.write(f"{self.prog}: {message}\n")
        raise SystemExit(2)


def one_line(err: BaseException) -> str:
    """Return an error's own text as one line, or its kind where it says nothing."""
    return " ".join(_lines(err)) or type(err).__name__


def root_line(err: BaseException) -> str:
    """Return what an error comes down to: the last line of its innermost cause, or of the first that is fit to be shown."""
    while err.__cause__ is not None and not isinstance(err, TryonError):
        err = err.__cause__
    return (_lines(err) or [type(err).__name__])[-1]


def _lines(err: BaseException) -> list[str]:
    return [line.strip() for line in _ANSI.sub("", str(err)).splitlines() if line.strip()]

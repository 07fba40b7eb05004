"""Lines of a file that could not be taken, or not whole: kept with the reason, and written aside for whoever mends them."""

from __future__ import annotations

import csv
import io
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import fsspec

from tryon_core.errors import ConfigError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rejected:
    """One line of a file."""

    file: str
    line: int
    """1 for a file's first line, which in CSV is the header; in Parquet 1 for the first row."""
    why: str
    """One sentence: what was expected, what came."""
    content: str = ""
    """The line as it was."""
    dropped: bool = True
    """Whether the line was left out; otherwise it was used without what `why` tells."""

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.why}"


class RejectedError(ConfigError):
    """A file has too many lines that cannot be taken.

    Args:
        message: what was expected, what came.
        rejected: the lines.
    """

    def __init__(self, message: str, rejected: Sequence[Rejected]) -> None:
        super().__init__(message)
        self.rejected = tuple(rejected)


def write_rejected(rejected: Sequence[Rejected], url: str) -> None:
    """Write lines as CSV to a path or fsspec URL: file, line, dropped (yes or no), why, content.

    Raises:
        ConfigError: it cannot be written.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("file", "line", "dropped", "why", "content"))
    for line in rejected:
        writer.writerow((line.file, line.line, "yes" if line.dropped else "no", line.why, line.content))
    try:
        with fsspec.open(os.fspath(url), "w", encoding="utf-8", newline="") as file:
            file.write(out.getvalue())
    except (OSError, ImportError, ValueError) as err:
        raise ConfigError(f"expected a place for bad rows that can be written, got {url}: {err}") from err


@contextmanager
def told_aside(url: str | None) -> Iterator[Callable[[Sequence[Rejected]], None]]:
    """Give a function that writes lines aside, and write those of an error that says there are too many.

    Args:
        url: where; nothing is written where None.
    """

    def tell(rejected: Sequence[Rejected]) -> None:
        if rejected and url:
            write_rejected(rejected, url)
            log.warning("wrote %s: %d lines", url, len(rejected))

    try:
        yield tell
    except RejectedError as err:
        tell(err.rejected)
        raise


def summary(rejected: Sequence[Rejected], most: int = 3) -> str:
    """Return how many lines were left out and how many used in part, with the first of them, in one sentence."""
    counts = Counter(line.dropped for line in rejected)
    first = "; ".join(str(line) for line in rejected[:most])
    more = f" and {len(rejected) - most} more" if len(rejected) > most else ""
    return f"{counts[True]} lines left out, {counts[False]} used without a picture: {first}{more}"

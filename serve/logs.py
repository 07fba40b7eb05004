"""Logs that a stranger's words cannot forge: one record is one line, and what is not seen is written as its number."""

from __future__ import annotations

import logging
from types import TracebackType

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
Fault = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_MAX_MESSAGE = 4_000
"""Characters of a message."""


def shown(text: str) -> str:
    """Return a text of one line in which every character is seen: controls, bidirectional marks and the like are escaped."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(ord(c)) for c in text)


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class SafeFormatter(logging.Formatter):
    """Writes a record as one line; a traceback's lines follow, each behind a bar, so that none looks like a record."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the record's own line."""
        record.message = shown(record.message[:_MAX_MESSAGE])
        return super().formatMessage(record)

    def formatException(self, ei: Fault) -> str:
        """Return a traceback's lines."""
        return _barred(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        """Return a stack's lines."""
        return _barred(super().formatStack(stack_info))


def _barred(lines: str) -> str:
    return "\n".join("  | " + shown(line) for line in lines.split("\n"))


def configure_logging(level: int = logging.WARNING) -> None:
    """Let this process log to standard error in safe lines; where somebody else has set up logging, that stays."""
    handler = logging.StreamHandler()
    handler.setFormatter(SafeFormatter(FORMAT))
    logging.basicConfig(level=level, handlers=[handler])

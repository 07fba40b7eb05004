"""Bytes that come in pieces to numbered lines, of which none is longer than may be and only one is ever held."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

Line = tuple[int, bytes | str]
"""The number of a line, from 1 on, and its bytes, or what is wrong with it."""
_BOM = b"\xef\xbb\xbf"


class Lines:
    """Splits what it is fed; a line that is too long is told by number, and the next one is a line again.

    Args:
        max_bytes: of one line.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held, self._number, self._skips = bytearray(), 0, False

    def feed(self, piece: bytes) -> list[Line]:
        """Return the lines that are whole now, without their ends; empty ones, too."""
        *ended, rest = piece.split(b"\n")
        found = [self._end(part) for part in ended]
        self._hold(rest)
        return found

    def close(self) -> list[Line]:
        """Return the last line, where it does not end with a line's end."""
        return [self._end(b"")] if self._held or self._skips else []

    def _hold(self, part: bytes) -> None:
        if not self._skips and len(self._held) + len(part) > self._max_bytes:
            self._held.clear()
            self._skips = True
        elif not self._skips:
            self._held += part

    def _end(self, part: bytes) -> Line:
        self._hold(part)
        self._number += 1
        line: bytes | str = bytes(self._held)
        if self._skips:
            line = f"expected a line of at most {self._max_bytes} bytes, got a longer one"
        elif isinstance(line, bytes):
            line = (line.removeprefix(_BOM) if self._number == 1 else line).removesuffix(b"\r")
        self._held.clear()
        self._skips = False
        return self._number, line


async def numbered_lines(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[tuple[int, bytes | None]]:
    """Yield the lines that are not blank, from 1 on as an editor counts them; in place of one over the limit None."""
    lines = Lines(max_bytes)
    async for chunk in chunks:
        for told in _told(lines.feed(chunk)):
            yield told
    for told in _told(lines.close()):
        yield told


def _told(found: Iterable[Line]) -> Iterator[tuple[int, bytes | None]]:
    for number, content in found:
        if isinstance(content, str):
            yield number, None
        elif content.strip():
            yield number, content

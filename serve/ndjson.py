"""Newline-delimited JSON as it arrives: lines with their numbers, of which only one and a chunk are ever in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator


async def numbered_lines(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[tuple[int, bytes | None]]:
    """Yield the lines that are not blank, from 1 on as an editor counts them; in place of one over the limit None.

    The bytes of such a line are dropped as they come.
    """
    number, held, dropping = 1, bytearray(), False
    async for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            if dropping or len(held) + end - start > max_bytes:
                yield number, None
            else:
                held += memoryview(chunk)[start:end]
                if held.strip():
                    yield number, bytes(held)
            held, dropping, start, number = bytearray(), False, end + 1, number + 1
        if not dropping and len(held) + len(chunk) - start > max_bytes:
            held, dropping = bytearray(), True
        elif not dropping:
            held += memoryview(chunk)[start:]
    if dropping:
        yield number, None
    elif held.strip():
        yield number, bytes(held)

"""Garments' pictures as they were sent, under the hash of their bytes, in a folder or at an fsspec URL.

Pictures of shoppers never come here.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from tryon_core.errors import ConfigError

from .errors import StoreError
from .records import content_hash

_KEY = re.compile(r"[0-9a-f]{32}")
_AT_ONCE = 500
_HALF = ".half"


class Blobs:
    """Bytes by the hash of them: equal ones are kept once, and a name always has the bytes that belong to it.

    Args:
        url: a path or fsspec URL, as `file:///data/blobs` or `s3://bucket/blobs`.
        max_bytes: of one blob; larger ones are not read.

    Raises:
        ConfigError: there is no fsspec filesystem for the URL, or it lacks a package.
    """

    def __init__(self, url: str, *, max_bytes: int = 24 * 2**20) -> None:
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as err:
            raise ConfigError(f"expected blobs as a path or fsspec URL, got {url!r}: {err}") from err
        self._max_bytes = max_bytes

    async def put(self, content: bytes) -> str:
        """Keep bytes; return their key. They are there whole, or not at all, whatever happens meanwhile.

        Raises:
            StoreError: they cannot be written.
        """
        key = content_hash(content)
        await self._done(self._put, key, content)
        return key

    async def get(self, key: str) -> bytes | None:
        """Return a key's bytes; None where there are none, too many, or others than were put under it.

        Raises:
            StoreError: they cannot be read.
        """
        return await self._done(self._get, key) if _KEY.fullmatch(key) else None

    async def sweep(self, in_use: Callable[[Sequence[str]], Awaitable[set[str]]], *, before: float) -> int:
        """Remove what nobody uses; return how many.

        Args:
            in_use: as `store.Garments.images_in_use`.
            before: only what was put before this moment, in seconds since 1970: a blob is put before its garment.

        Raises:
            StoreError: the folder cannot be read or written.
        """
        old: dict[str, str] = await self._done(lambda: dict(self._put_before(before)))
        keys, used = list(dict.fromkeys(old.values())), set[str]()
        for start in range(0, len(keys), _AT_ONCE):
            used |= await in_use(keys[start : start + _AT_ONCE])
        unused = [path for path, key in old.items() if key not in used or path.endswith(_HALF)]
        for path in unused:
            await self._done(self._files.rm_file, path)
        return len(unused)

    def _put(self, key: str, content: bytes) -> None:
        # Written again where it is there already: what is put anew is not swept away as old.
        path = self._path(key)
        if not isinstance(self._files, LocalFileSystem):
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(path, content)  # object stores show a file once it is whole; `get` looks at the hash
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        half = f"{path}.{secrets.token_hex(4)}{_HALF}"
        with open(half, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)

    def _get(self, key: str) -> bytes | None:
        try:
            with self._files.open(self._path(key), "rb") as file:
                content: bytes = file.read(self._max_bytes + 1)
        except FileNotFoundError:
            return None
        return content if len(content) <= self._max_bytes and content_hash(content) == key else None

    def _put_before(self, moment: float) -> Iterator[tuple[str, str]]:
        """Yield path and key of what was put before a moment, halves that a crash has left included."""
        for path, info in self._files.find(self._root, detail=True).items():
            key = path.rpartition("/")[2].partition(".")[0]
            if _KEY.fullmatch(key) and _changed_at(info) < moment:
                yield path, key

    def _path(self, key: str) -> str:
        return f"{self._root}/{key[:2]}/{key}"

    async def _done(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await asyncio.to_thread(work, *arguments)
        except OSError as err:
            raise StoreError(f"garments' pictures could not be used: {err}") from err


def _changed_at(info: dict[str, Any]) -> float:
    """Return when a file was written, as the filesystems call it; of one that does not say, never."""
    found = next((info[name] for name in ("mtime", "LastModified", "created", "updated") if info.get(name)), float("inf"))
    return found.timestamp() if isinstance(found, datetime) else float(found)

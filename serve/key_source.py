"""Where the keys' records lie: a file that can be mounted, or the store. It knows nothing of requests."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import stat
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from tryon_core.errors import TryonError

from .keys import Key
from .store import Keys

logger = logging.getLogger(__name__)
_REVOKED = ":revoked"
Change = Callable[[Key | None], Key]
"""From a key's record as it is, None where there is none, to what it shall be."""


class KeySourceError(TryonError):
    """The keys could not be read or written."""


class KeySource(Protocol):
    """Keeps records of keys."""

    async def read(self) -> list[Key]:
        """Return every record that is whole; one that is not opens nothing.

        Raises:
            TryonError: the place does not answer or holds something else.
        """
        ...

    async def change(self, key_id: str, change: Change) -> Key:
        """Put what `change` makes of a record in its place.

        Raises:
            TryonError: the place does not answer or cannot be written.
        """
        ...


class StoreKeys:
    """Records in the store, where all nodes see them.

    That a key is revoked stands in a record of its own, which nothing removes: a rotation at the same time cannot undo it.

    Args:
        keys: returns the store's, or raises where they cannot be had.
    """

    def __init__(self, keys: Callable[[], Awaitable[Keys]]) -> None:
        self._keys = keys

    async def read(self) -> list[Key]:
        """Return the store's records."""
        records = await (await self._keys()).all()
        revoked = {name.removesuffix(_REVOKED): data for name, data in records.items() if name.endswith(_REVOKED)}
        keys = {name: data | revoked.get(name, {}) for name, data in records.items() if not name.endswith(_REVOKED)}
        return _whole(keys)

    async def change(self, key_id: str, change: Change) -> Key:
        """Replace a record."""
        keys = await self._keys()
        found, revoked = await keys.get(key_id), await keys.get(key_id + _REVOKED)
        new = change(None if found is None else _record(key_id, found | (revoked or {})))
        data = new.model_dump(mode="json")
        await keys.put(new.id, data | {"revoked": None})
        if new.revoked is not None:
            await keys.put(new.id + _REVOKED, {"revoked": data["revoked"]})
        return new


class FileKeys:
    """Records in one JSON file, replaced as a whole by every change; a file that is mounted works, too."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Return where the file reads.

        Raises:
            KeySourceError: it does not.
        """
        self._records()

    async def read(self) -> list[Key]:
        """Return the file's records."""
        return _whole(await asyncio.to_thread(self._records))

    async def change(self, key_id: str, change: Change) -> Key:
        """Replace the file; nobody else changes it meanwhile."""
        return await asyncio.to_thread(self._changed, key_id, change)

    def _changed(self, key_id: str, change: Change) -> Key:
        with self._locked():
            records = self._records() if self._path.exists() else {}
            new = change(_record(key_id, records[key_id]) if key_id in records else None)
            self._write(records | {new.id: new.model_dump(mode="json")})
        return new

    def _records(self) -> dict[str, Any]:
        try:
            mode = self._path.stat().st_mode
            content = json.loads(self._path.read_bytes())
        except (OSError, ValueError) as err:
            reason = err.strerror if isinstance(err, OSError) else err
            raise KeySourceError(f"expected a file of keys at {self._path}: {reason}") from err
        if stat.S_IMODE(mode) & stat.S_IWOTH:
            raise KeySourceError(f"expected {self._path} to be written by its owner only, got mode {stat.S_IMODE(mode):04o}")
        records = content.get("keys") if isinstance(content, dict) and content.get("version") == 1 else None
        if not isinstance(records, dict):
            raise KeySourceError(f"expected version 1 of a file of keys at {self._path}, got something else")
        return records

    def _write(self, records: Mapping[str, Any]) -> None:
        content = json.dumps({"version": 1, "keys": records}, indent=1, ensure_ascii=False).encode()
        try:
            _replace(self._path, content)
        except OSError as err:
            raise KeySourceError(f"expected to write {self._path}: {err.strerror}") from err

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            lock = open(self._path.with_name(f".{self._path.name}.lock"), "a")  # noqa: SIM115  the block closes it
        except OSError as err:
            raise KeySourceError(f"expected to write beside {self._path}: {err.strerror}") from err
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _replace(path: Path, content: bytes) -> None:
    """Put content in a file's place, for whoever might read it so far; at first only for its owner."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            if path.exists():
                old = path.stat()
                os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise


def _whole(records: Mapping[str, Any]) -> list[Key]:
    keys = []
    for key_id, content in records.items():
        try:
            keys.append(_record(key_id, content))
        except KeySourceError as err:
            logger.error("a key opens nothing: %s", err)
    return keys


def _record(key_id: str, content: Any) -> Key:
    try:
        key = Key.model_validate(content)
    except ValidationError as err:
        wrong = err.errors(include_url=False, include_input=False)[0]
        raise KeySourceError(f"expected a whole record of key {key_id[:16]!r}: {wrong['loc']}: {wrong['msg']}") from err
    if key.id != key_id:
        raise KeySourceError(f"expected the record of key {key_id[:16]!r}, got {key.id}'s")
    return key

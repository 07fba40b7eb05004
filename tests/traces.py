"""Where a photo could leave a trace, and how one is recognised there: by its bytes, its mask's, hashes and embeddings."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

_CHUNK = 1 << 22
_OVERLAP = 1 << 10
_SLICE = 48
"""Bytes of a photo that are looked for: nobody else's file has them in a row."""


def needles(photo: bytes, embeddings: Iterable[bytes] = (), *, secret: bytes = b"") -> dict[str, bytes]:
    """Return what would tell that a file was here, by name."""
    middle = len(photo) // 2
    found = {f"bytes at {at}": photo[at : at + _SLICE] for at in (middle, len(photo) // 4, 3 * len(photo) // 4)}
    for at in range(3):  # base64 of what begins at any of three places
        text = base64.b64encode(photo[middle + at : middle + at + _SLICE])
        found[f"base64 at {at}"] = text
    keys = {"": b"", "keyed ": secret} if secret else {"": b""}
    for size in (8, 16, 32, 64):
        for name, key in keys.items():
            digest = hashlib.blake2b(photo, digest_size=size, key=key)
            found |= {f"{name}blake2b {size}": digest.digest(), f"{name}blake2b {size} hex": digest.hexdigest().encode()}
    for kind in ("md5", "sha1", "sha256"):
        told = hashlib.new(kind, photo, usedforsecurity=False)
        found |= {kind: told.digest(), f"{kind} hex": told.hexdigest().encode()}
    for n, embedding in enumerate(embeddings):
        numbers = np.frombuffer(embedding, "<f2")
        for kind in ("<f2", "<f4", "<f8"):
            found[f"embedding {n} as {kind}"] = numbers[:16].astype(kind).tobytes()
        found[f"embedding {n} in base64"] = base64.b64encode(embedding)[:40]
        found[f"embedding {n} in JSON"] = ",".join(repr(float(x)) for x in numbers[:4]).encode()
    return found


def traces(files: Iterable[Path], looked_for: Mapping[str, bytes]) -> list[str]:
    """Return `name in path` for everything that is found in any of the files, read as they are on the disk or in memory."""
    found = []
    for path in files:
        found += [f"{name} in {path}" for name in _in_file(path, looked_for)]
    return found


def files_below(*folders: str | Path) -> list[Path]:
    """Return every regular file below the folders."""
    return [
        Path(root) / name
        for folder in folders
        for root, _, names in os.walk(folder)
        for name in names
        if _is_regular(Path(root) / name)
    ]


def shared_memory_of(pid: int) -> list[Path]:
    """Return a process's open files in shared memory, those that have no name any more, too: Ray's object store is one."""
    files = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if target.startswith(("/dev/shm", "/memfd:")) and _is_regular(entry):
            files.append(entry)
    return files


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _in_file(path: Path, looked_for: Mapping[str, bytes]) -> set[str]:
    found: set[str] = set()
    try:
        with path.open("rb", buffering=0) as file:
            for start, end in _extents(file.fileno()):
                tail, place = b"", start
                while place < end:
                    chunk = os.pread(file.fileno(), min(_CHUNK, end - place), place)
                    if not chunk:
                        break
                    place += len(chunk)
                    text = tail + chunk
                    found |= {name for name, needle in looked_for.items() if needle in text}
                    tail = text[-_OVERLAP:]
    except OSError:
        return found  # it went while it was looked at
    return found


def _extents(descriptor: int) -> list[tuple[int, int]]:
    """Return where a file holds anything: an object store of gigabytes is mostly holes."""
    size, place, extents = os.fstat(descriptor).st_size, 0, []
    while place < size:
        try:
            start = os.lseek(descriptor, place, os.SEEK_DATA)
            place = os.lseek(descriptor, start, os.SEEK_HOLE)
        except OSError:
            break
        extents.append((start, place))
    return extents

"""Garments' pictures by the hash of their bytes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

import fsspec
import pytest

from serve.blobs import Blobs
from serve.errors import StoreError
from serve.records import content_hash
from tryon_core.errors import ConfigError


@pytest.fixture(params=["path", "file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return {"path": f"{tmp_path}/blobs", "file": f"file://{tmp_path}/blobs", "memory": f"memory://{tmp_path}"}[request.param]


def test_equal_bytes_have_one_key_and_are_read_back_by_anyone(url: str) -> None:
    async def check() -> None:
        one, other = Blobs(url), Blobs(url)
        key = await one.put(b"picture")
        assert key == await other.put(b"picture") == content_hash(b"picture")
        assert await other.get(key) == b"picture"
        assert await other.get(content_hash(b"other")) is None
        assert await one.put(b"") != key

    asyncio.run(check())


@pytest.mark.parametrize("key", ["../../etc/passwd", "", "A" * 32, "a" * 31, "a" * 32 + "\n", "*" * 32])
def test_what_is_no_key_names_no_file(key: str, tmp_path: Path) -> None:
    assert asyncio.run(Blobs(f"{tmp_path}/blobs").get(key)) is None


def test_a_file_with_other_bytes_or_too_many_is_not_read(tmp_path: Path) -> None:
    async def check() -> None:
        key = await Blobs(f"{tmp_path}").put(b"picture")
        assert await Blobs(f"{tmp_path}", max_bytes=6).get(key) is None
        (tmp_path / key[:2] / key).write_bytes(b"pictur")
        assert await Blobs(f"{tmp_path}").get(key) is None

    asyncio.run(check())


def test_what_nobody_uses_is_swept_once_it_is_old(url: str) -> None:
    async def check() -> None:
        blobs = Blobs(url)
        used, unused = await blobs.put(b"used"), await blobs.put(b"unused")

        async def in_use(keys: Sequence[str]) -> set[str]:
            return {used} & set(keys)

        assert await blobs.sweep(in_use, before=time.time() - 60) == 0
        assert await blobs.sweep(in_use, before=time.time() + 60) == 1
        assert await blobs.get(used) == b"used"
        assert await blobs.get(unused) is None

    asyncio.run(check())


def test_what_is_put_anew_is_no_longer_old_and_halves_are_swept(tmp_path: Path) -> None:
    async def check() -> None:
        blobs = Blobs(str(tmp_path))
        key = await blobs.put(b"picture")
        half = tmp_path / key[:2] / f"{key}.0000.half"
        half.write_bytes(b"pict")
        for file in (half, half.with_name(key)):
            os.utime(file, (1.0, 1.0))

        async def none_in_use(keys: Sequence[str]) -> set[str]:
            return set()

        await blobs.put(b"picture")
        assert await blobs.sweep(none_in_use, before=time.time() - 60) == 1
        assert await blobs.get(key) == b"picture"
        assert not half.exists()

    asyncio.run(check())


def test_a_folder_that_cannot_be_written_is_told_as_worth_a_retry(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="pictures could not be used"):
        asyncio.run(Blobs(f"{tmp_path}/file/below").put(b"picture"))


def test_a_url_of_no_filesystem_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected blobs as a path or fsspec URL, got 'nonsense://x'"):
        Blobs("nonsense://x")


@pytest.fixture(autouse=True)
def empty_memory() -> None:
    fsspec.filesystem("memory").store.clear()

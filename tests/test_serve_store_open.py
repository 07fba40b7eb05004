"""Where a store may be, what is refused, schema versions, and settings."""

from __future__ import annotations

import asyncio
import logging
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import redis

from serve.config import Settings
from serve.errors import StoreError, status_of
from serve.redis_store.client import Client
from serve.redis_store.schema import STEPS as REDIS_STEPS
from serve.redis_store.schema import migrate
from serve.sqlite_store import SqliteStore
from serve.sqlite_store.schema import STEPS
from serve.store import open_store
from tests.redis_server import RedisServer
from tests.store_cases import NOW, Places, garment, opened, shopper
from tryon_core.errors import ConfigError


def _open(url: str) -> None:
    asyncio.run(_open_and_close(url))


async def _open_and_close(url: str) -> None:
    await (await open_store(url)).close()


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite://x", "postgres://x", "", "store.db"])
def test_a_url_of_no_store_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="expected store sqlite:///PATH"):
        _open(url)


def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("dear diary, " * 100)
    with pytest.raises(ConfigError, match="as an SQLite file that can be written, got: file is not a database"):
        _open(f"sqlite:///{tmp_path}/notes")
    assert (tmp_path / "notes").read_text() == "dear diary, " * 100
    with pytest.raises(ConfigError, match="in a folder that can be made"):
        _open(f"sqlite:///{tmp_path}/notes/store.db")


def test_a_file_of_an_older_version_is_brought_up_and_keeps_what_it_has(tmp_path: Path) -> None:
    async def check() -> None:
        path = f"{tmp_path}/store.db"
        store = await SqliteStore.open(path, None)
        await store.garments.put(garment(1))
        await store.close()

        def count_garments(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO meta SELECT 'num', count(*) FROM garments")

        newer = (*STEPS, "ALTER TABLE garments ADD COLUMN seen REAL NOT NULL DEFAULT 7", count_garments)
        stores = await asyncio.gather(*(SqliteStore.open(path, None, newer) for _ in range(3)))
        assert await stores[0].garments.get_many(["g0001"]) == {"g0001": garment(1)}
        for store in stores:
            await store.close()
        with sqlite3.connect(path) as db:
            assert db.execute("SELECT seen, value FROM garments, meta WHERE name = 'num'").fetchall() == [(7.0, "1")]
            assert db.execute("PRAGMA user_version").fetchone() == (len(STEPS) + 2,)
        db.close()
        with pytest.raises(
            ConfigError, match=f"at most version {len(STEPS)}, got version {len(STEPS) + 2}: .* later release"
        ):
            await SqliteStore.open(path, None)

    asyncio.run(check())


def test_a_step_that_fails_leaves_the_older_version_as_it_was(tmp_path: Path) -> None:
    async def check() -> None:
        path = f"{tmp_path}/store.db"
        await (await SqliteStore.open(path, None)).close()
        with pytest.raises(ConfigError, match="no such table: nowhere"):
            await SqliteStore.open(path, None, (*STEPS, "CREATE TABLE half (id); INSERT INTO nowhere VALUES (1)"))
        await (await SqliteStore.open(path, None)).close()

    asyncio.run(check())


def test_a_redis_of_an_older_version_is_brought_up_and_of_a_later_one_refused(store_places: Places) -> None:
    async def note(client: Client) -> None:
        await client.ask("HSET", client.key("meta"), "noted", "yes")

    async def check() -> None:
        url = store_places.url("redis")
        await (await open_store(url)).close()
        client = Client(url)
        await migrate(client, (*REDIS_STEPS, note))
        assert await client.ask("HMGET", client.key("meta"), "schema", "noted") == [b"2", b"yes"]
        await client.close()
        with pytest.raises(ConfigError, match="at most version 1, got version 2"):
            await open_store(url)

    asyncio.run(check())


def test_a_redis_that_may_lose_things_is_refused_with_what_mends_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = RedisServer(tmp_path)
    try:
        with pytest.raises(ConfigError, match=r"got aof_enabled 0 at .*: redis-cli CONFIG SET appendonly yes"):
            _open(server.url)
        with server.client() as client:
            client.config_set("appendonly", "yes")
            client.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(ConfigError, match="redis-cli CONFIG SET maxmemory-policy noeviction"):
            _open(server.url.replace("redis://", "redis://default:secret@"))
        with server.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
        with caplog.at_level(logging.WARNING):
            _open(server.url)
        assert "appendfsync everysec" in caplog.text
        with server.client() as client:
            client.config_set("maxmemory", "1")
        with pytest.raises(StoreError, match="used memory > 'maxmemory'") as caught:
            _open(server.url)
        assert "half_life" not in str(caught.value)  # what was to be kept may be private
        assert caught.value.__cause__ is None
    finally:
        server.kill()


def test_a_redis_that_hides_its_configuration_or_wants_a_password_is_used(store_places: Places) -> None:
    url = store_places.url("redis")
    with redis.Redis.from_url(url) as client:
        client.acl_setuser("shop", enabled=True, passwords=["+pass"], keys=["*"], commands=["+@all", "-config"])
        try:
            _open(url.replace("redis://", "redis://shop:pass@"))
            with pytest.raises(StoreError, match=r"(?i)username-password|wrongpass"):
                _open(url.replace("redis://", "redis://shop:wrong@"))
        finally:
            client.acl_deluser("shop")


def test_a_store_that_does_not_answer_is_told_as_worth_a_retry() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(StoreError, match="the store could not be used") as caught:
            _open(f"redis://127.0.0.1:{closed.getsockname()[1]}")
    assert status_of(caught.value)[0] == 503


def test_a_store_answers_again_once_its_redis_is_back(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always")

    async def check() -> None:
        async with opened(server.url) as store:
            await asyncio.gather(*(store.garments.put(garment(n)) for n in range(5)))
            server.kill()
            with pytest.raises(StoreError):
                await store.check()
            server.start()
            await store.check()
            assert await store.garments.count() == 5
            assert await store.garments.put(garment(5)) == "created"  # its scripts are gone with the process

    try:
        asyncio.run(check())
    finally:
        server.kill()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async def check() -> None:
        store = await open_store(f"sqlite:///{tmp_path}/store.db")
        waiting = [asyncio.ensure_future(store.garments.put(garment(n))) for n in range(20)]
        await asyncio.sleep(0)
        await store.close()
        assert [await one for one in waiting] == ["created"] * 20
        for attempt in (store.check(), store.garments.put(garment(1))):
            with pytest.raises(StoreError, match="closed"):
                await attempt

    asyncio.run(check())


def test_files_of_one_node_are_refused_on_more_with_the_line_that_mends_it() -> None:
    for settings in (Settings(), Settings(store="sqlite:////data/store.db")):
        settings.require_shared(1)
        with pytest.raises(ConfigError, match=r"expected one node for an SQLite store, got 2: .*set store=redis://"):
            settings.require_shared(2)
    with pytest.raises(ConfigError, match=r"expected one node for blobs .*set blobs=s3://"):
        Settings(store="redis://h").require_shared(3)
    Settings(store="redis://h", blobs="s3://bucket/blobs").require_shared(3)


def test_a_store_stands_where_it_is_told_to_or_among_the_users_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRYON_DATA", f"{tmp_path}/data")
    placed = Settings().placed()
    assert (placed.store, placed.blobs) == (f"sqlite:///{tmp_path}/data/store.db", f"{tmp_path}/data/blobs")
    assert placed.placed() == placed
    placed = Settings(store="sqlite:///own.db", blobs="s3://bucket/b").placed()
    assert (placed.store, placed.blobs) == (f"sqlite:///{tmp_path}/own.db", "s3://bucket/b")
    monkeypatch.delenv("TRYON_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", "/x")
    assert Settings().placed().store == "sqlite:////x/tryon/store.db"
    with pytest.raises(ConfigError, match="expected store sqlite:///PATH, redis"):
        Settings(store="mysql://h")


def test_a_rewrite_that_redis_refuses_is_asked_for_again_by_the_next_purge(store_places: Places) -> None:
    """Redis refuses one while another, which may have begun before the deletion, is under way."""

    async def check() -> None:
        async with opened(store_places.url("redis")) as store:
            await store.shoppers.put(shopper())
            assert await store.shoppers.delete(shopper().id, now=NOW)
            client = store.shoppers._client  # type: ignore[attr-defined]
            asked: list[str] = []

            async def refusing(command: str, *args: Any) -> Any:
                asked.append(command)
                if command == "BGREWRITEAOF":
                    raise StoreError("already in progress")
                return await type(client).ask(client, command, *args)

            client.ask = refusing
            await store.shoppers.purge(now=NOW)
            assert "BGREWRITEAOF" in asked
            del client.ask
            await store_places.forget("redis", store)
            assert b"secretive words" not in b"".join(
                file.read_bytes() for file in store_places.folder("redis").rglob("*") if file.is_file()
            )

    asyncio.run(check())

"""Keys: how they are made, kept, compared, rotated, revoked and read again, on the command line and by a replica."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import serve.__main__ as command
import serve.local as local
from serve.errors import KeyMissingError, KeyRefusedError, UnavailableError
from serve.key_source import Change, FileKeys, KeySource, KeySourceError, StoreKeys
from serve.keyring import KeyRing
from serve.keys import KEY, Key, create_key, digest_of
from tests.doorway import SHOP, Clock, Opening, make
from tryon_core.errors import ConfigError, TryonError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def run(test: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def kept_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def revoked(key: Key | None) -> Key:
    assert key is not None
    return key.model_copy(update={"revoked": NOW})


class Memory:
    """A source in this process, which may fail; a reading may be held up."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.num_read = 0

    async def read(self) -> list[Key]:
        self.num_read += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return list(self.keys.values())

    async def change(self, key_id: str, change: Change) -> Key:
        new = change(self.keys.get(key_id))
        self.keys[new.id] = new
        return new


def test_a_key_has_256_random_bits_of_which_only_a_digest_is_kept() -> None:
    key, whole = create_key("back end", frozenset({"read", "write"}), now=NOW)
    shape = KEY.fullmatch(whole)
    assert shape is not None
    assert shape[1] == key.id
    assert len(bytes.fromhex(shape[2])) == 32
    assert shape[2] not in key.model_dump_json()
    assert key.opens_with(shape[2], NOW)
    assert create_key("back end", frozenset({"read"}))[1] != whole


def test_a_digest_opens_the_key_that_it_was_made_for_and_no_other() -> None:
    one, whole = create_key("one", frozenset({"read"}))
    other, _ = create_key("other", frozenset({"admin"}))
    secret = whole[-64:]
    stolen = other.model_copy(update={"digests": one.digests})
    assert not stolen.opens_with(secret, NOW)
    assert not one.opens_with(secret[:-1] + chr(ord(secret[-1]) ^ 1), NOW)
    assert digest_of(one.id, secret) != digest_of(other.id, secret)


def test_secrets_are_compared_in_constant_time_and_strangers_ids_cost_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []
    real = hmac.compare_digest

    def told(one: str, other: str) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", told)

    async def test() -> None:
        source = Memory()
        key, whole = await make(source, "read")
        ring = KeyRing(source, every_s=2, stale_s=60)
        assert (await ring.find(whole)).id == key.id
        wrong = whole[:-1] + ("0" if whole[-1] != "0" else "1")
        for token in (wrong, f"tryon_{'0' * 16}_{'0' * 64}", "something else", ""):
            with pytest.raises(KeyRefusedError, match="known"):
                await ring.find(token)

    run(test)
    assert len(compared) == 5
    assert all(len(one) == len(other) == 64 for one, other in compared)


@pytest.mark.parametrize(
    ("scopes", "origins", "told"),
    [
        (("reed",), (), "did you mean 'read'?"),
        ((), (), "expected a scope"),
        (("shopper", "write"), (SHOP,), "expected shopper alone"),
        (("shopper",), (), "expected the origins of the pages"),
        (("read",), (SHOP,), "expected the origins of the pages"),
        (("shopper",), ("https://*.example",), "expected an origin as https://shop.example"),
        (("shopper",), ("shop.example",), "expected an origin"),
        (("shopper",), ("https://shop.example/page",), "expected an origin"),
        (("shopper",), ("https://me@shop.example",), "expected an origin"),
        (("shopper",), ("https://shop.example:99999",), "expected an origin"),
    ],
)
def test_a_key_that_would_let_in_too_many_is_not_made(scopes: tuple[str], origins: tuple[str], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        create_key("x", frozenset(scopes), frozenset(origins))


def test_origins_are_kept_as_browsers_write_them() -> None:
    told = frozenset({"HTTPS://Shop.Example:443", "http://[::1]:8000"})
    assert create_key("x", frozenset({"shopper"}), told)[0].origins == {"https://shop.example", "http://[::1]:8000"}


def test_a_rotated_key_takes_its_old_secret_for_a_while_and_the_new_one_at_once() -> None:
    key, whole = create_key("x", frozenset({"read"}), now=NOW)
    new, fresh = key.rotated(NOW, timedelta(hours=1))
    old_secret, new_secret = whole[-64:], fresh[-64:]
    assert new.id == key.id
    assert new.opens_with(new_secret, NOW + timedelta(days=999))
    assert new.opens_with(old_secret, NOW + timedelta(minutes=59))
    assert not new.opens_with(old_secret, NOW + timedelta(hours=1))
    again, _ = new.rotated(NOW + timedelta(minutes=30), timedelta(hours=5))
    assert not again.opens_with(old_secret, NOW + timedelta(hours=1))  # a second rotation gives no more time to the first
    assert not key.rotated(NOW, timedelta(0))[0].opens_with(old_secret, NOW)


@pytest.fixture(params=["file", "store"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], tuple[KeySource, Opening]]:
    """A maker of sources over one place; the second is what another process has."""

    def made() -> tuple[KeySource, Opening]:
        opening = Opening(f"sqlite:///{tmp_path / 'store.db'}")
        return (FileKeys(tmp_path / "keys.json") if request.param == "file" else StoreKeys(opening.keys)), opening

    return made


def test_what_one_process_writes_another_reads(source: Callable[[], tuple[KeySource, Opening]], tmp_path: Path) -> None:
    async def test() -> None:
        (one, first), (two, second) = source(), source()
        key, whole = await make(one, "shopper", requests=7)
        other, _ = await make(two, "read", "write")
        assert {k.id: k for k in await two.read()} == {key.id: key, other.id: other}
        await two.change(key.id, revoked)
        assert {k.id: k.revoked for k in await one.read()} == {key.id: NOW, other.id: None}
        assert whole[-64:].encode() not in kept_in(tmp_path)
        await first.close()
        await second.close()

    run(test)


def test_a_rotation_at_the_same_time_does_not_undo_a_revocation(tmp_path: Path) -> None:
    async def test() -> None:
        opening = Opening(f"sqlite:///{tmp_path / 'store.db'}")
        source = StoreKeys(opening.keys)
        key, _ = await make(source, "read")
        keys = await opening.keys()

        class Late:
            """The store's keys, where somebody revokes the key between reading and writing."""

            def __getattr__(self, name: str) -> Any:
                return getattr(keys, name)

            async def put(self, name: str, data: Any) -> None:
                if name == key.id:
                    await source.change(key.id, revoked)
                await keys.put(name, data)

        async def late() -> Any:
            return Late()

        await StoreKeys(late).change(key.id, lambda k: k.rotated(NOW, timedelta(1))[0])
        assert [k.revoked for k in await source.read()] == [NOW]
        await opening.close()

    run(test)


def test_many_writers_of_a_file_lose_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        sources = [FileKeys(tmp_path / "keys.json") for _ in range(4)]
        made = await asyncio.gather(*(make(sources[n % 4], "read") for n in range(24)))
        assert {key.id for key, _ in made} == {key.id for key in await sources[0].read()}
        assert names_in(tmp_path) == [".keys.json.lock", "keys.json"]

    run(test)


def test_a_file_is_its_owners_and_stays_whoevers_it_was(tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "keys.json"
        source = FileKeys(path)
        await make(source, "read")
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o640)
        await make(source, "read")
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o666)
        with pytest.raises(KeySourceError, match="got mode 0666"):
            await source.read()

    run(test)


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": ["shopper", "write"]},
        {"scopes": ["everything"]},
        {"origins": ["*"]},
        {"id": "0" * 16},
        {"digests": [{"blake2b": "00"}]},
        {"name": "two\nlines"},
        {"unknown": 1},
    ],
)
def test_a_record_that_is_not_whole_opens_nothing_and_the_others_do(
    change: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        path = tmp_path / "keys.json"
        source = FileKeys(path)
        bad, _ = await make(source, "shopper")
        good, _ = await make(source, "read")
        content = json.loads(path.read_text())
        content["keys"][bad.id] |= change
        path.write_text(json.dumps(content))
        assert [key.id for key in await source.read()] == [good.id]
        assert f"a key opens nothing: expected a whole record of key '{bad.id}'" in caplog.text or "id" in change
        assert "\ntwo" not in caplog.text

    run(test)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 2, "keys": {}}', '{"version": 1, "keys": []}', "\xff"])
def test_a_file_of_something_else_is_an_error(content: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(KeySourceError, match=r"expected .*keys\.json"):
        FileKeys(path).check()


class Ring:
    """A ring over a source in memory, on a clock."""

    def __init__(self, **told: Any) -> None:
        self.source, self.clock, self.outcomes = Memory(), Clock(), list[str]()
        times = {"every_s": 2.0, "stale_s": 60.0} | told
        self.ring = KeyRing(self.source, count=self.outcomes.append, clock=self.clock, now=lambda: NOW, **times)


def test_a_new_key_works_and_a_revoked_one_stops_within_twice_the_time_between_readings() -> None:
    async def test() -> None:
        own = Ring()
        key, whole = await make(own.source, "read")
        assert (await own.ring.find(whole)).id == key.id
        _, second = await make(own.source, "read")
        with pytest.raises(KeyRefusedError):
            await own.ring.find(second)
        await own.source.change(key.id, revoked)
        assert (await own.ring.find(whole)).id == key.id
        own.clock.at += 4
        assert await own.ring.find(second)
        with pytest.raises(KeyRefusedError, match=f"got {key.id}, which was revoked"):
            await own.ring.find(whole)

    run(test)


def test_nobody_waits_for_a_reading_while_what_is_known_is_young_and_one_reading_serves_all() -> None:
    async def test() -> None:
        own = Ring()
        _, whole = await make(own.source, "read")
        await own.ring.find(whole)
        own.source.gate = asyncio.Event()
        own.clock.at += 3.5
        for _ in range(5):
            async with asyncio.timeout(1):
                await own.ring.find(whole)
                await asyncio.sleep(0)
        assert own.source.num_read == 2
        own.clock.at += 0.5
        waiting = [asyncio.create_task(own.ring.find(whole)) for _ in range(5)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        own.source.gate.set()
        await asyncio.gather(*waiting)
        assert own.source.num_read == 2

    run(test)


def test_a_source_that_hangs_holds_requests_for_a_second_and_no_longer() -> None:
    async def test() -> None:
        own = Ring()
        _, whole = await make(own.source, "read")
        await own.ring.find(whole)
        own.source.gate = asyncio.Event()
        own.clock.at += 10
        async with asyncio.timeout(5):
            assert await own.ring.find(whole)
        own.clock.at += 1
        async with asyncio.timeout(0.5):
            assert await own.ring.find(whole)
        own.source.gate.set()

    run(test)


def test_while_the_source_fails_the_last_keys_count_for_a_while_and_then_nobody_is_let_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        own = Ring()
        _, whole = await make(own.source, "read")
        await own.ring.find(whole)
        own.source.error = KeySourceError("the file is gone")
        for _ in range(10):
            own.clock.at += 6
            await own.ring.find(whole)
        own.clock.at += 1
        with pytest.raises(UnavailableError, match="the keys cannot be read now"):
            await own.ring.find(whole)
        own.source.error = None
        own.clock.at += 2
        assert await own.ring.find(whole)
        assert own.outcomes == ["ok", *["failed"] * (len(own.outcomes) - 2), "ok"]

    run(test)
    assert "the keys stay as they were read 6 s ago: the file is gone" in caplog.text


def test_before_the_first_reading_nobody_is_let_in() -> None:
    async def test() -> None:
        own = Ring()
        _, whole = await make(own.source, "read")
        own.source.error = OSError("no route")
        for token in (whole, None):
            with pytest.raises(UnavailableError):
                await own.ring.find(token)
        own.source.error = None
        own.clock.at += 2
        with pytest.raises(KeyMissingError):
            await own.ring.find(None)

    run(test)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "keys.json")


@pytest.mark.parametrize("kind", ["file", "store"])
def test_the_command_line_makes_lists_rotates_and_revokes(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--keys", str(tmp_path / "keys.json") if kind == "file" else f"sqlite:///{tmp_path / 'store.db'}"]

    def told(*words: str) -> str:
        assert command.main(["keys", *words, *where]) == 0
        return capsys.readouterr().out

    whole = told("create", "shop back end", "--scope", "read", "--scope", "write", "--requests", "600").strip()
    shape = KEY.fullmatch(whole)
    assert shape is not None
    (line,) = told("list").splitlines()
    assert line.split("\t")[:4] == [shape[1], "shop back end", "read write", "600 requests/min"]
    assert line.endswith("\tgood")
    assert shape[2] not in line
    fresh = told("rotate", shape[1], "--overlap-hours", "1").strip()
    assert fresh[-64:] != shape[2]
    assert "good, an old secret until" in told("list")
    told("revoke", shape[1])
    assert "\trevoked " in told("list")
    for verb in ("revoke", "rotate"):
        assert command.main(["keys", verb, shape[1], *where]) == 2
        assert re.fullmatch(
            r"serve: expected a key that is good, got \w+, which was revoked .* UTC\n", capsys.readouterr().err
        )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["create", "x", "--scope", "shopper"], "expected the origins of the pages"),
        (["create", "x", "--scope", "read", "--requests", "0"], "requests: Input should be greater than 0"),
        (["create", "x\ny", "--scope", "read"], "expected a name of printable characters"),
        (["revoke", "0" * 16], "got 0000000000000000, which is nobody's"),
        (["rotate", "0" * 16, "--overlap-hours", "-1"], "expected an overlap of 0 to 8760 hours"),
        (["list"], "expected a file of keys at"),
    ],
)
def test_bad_use_of_the_command_line_is_one_line(
    words: list[str], told: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["keys", *words, "--keys", place]) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_whole_key_on_the_command_line_is_not_repeated(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, whole = create_key("x", frozenset({"read"}))
    with pytest.raises(SystemExit):
        command.main(["keys", "revoke", whole, "--keys", place])
    assert whole[-64:] not in capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "shop.example"])
def test_a_public_address_needs_keys_or_a_word(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert local.main([host, "8000"]) == 2
    assert f"expected keys=PLACE to listen on {host}, got keys=off" in capsys.readouterr().err


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        path = tmp_path / "keys.json"
        source = FileKeys(path)
        await make(source, "read")
        before = path.read_bytes()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(TryonError, match="No space left on device"):
            await make(source, "read")
        assert path.read_bytes() == before
        assert names_in(tmp_path) == [".keys.json.lock", "keys.json"]

    run(test)


def test_no_secret_is_in_a_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def test() -> None:
        own = Ring()
        key, whole = await make(own.source, "read")
        await own.ring.find(whole)
        for token in (whole[:-1] + "z", f"{whole}\nINJECTED"):
            with pytest.raises(KeyRefusedError) as refused:
                await own.ring.find(token)
            assert token not in str(refused.value)
        assert whole[-64:] not in caplog.text + repr(key) + str(key)

    run(test)
    assert "INJECTED" not in caplog.text

"""Lines of an import as they arrive, what they say of the fit, and the key under which customers are kept."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.environment import customer_secret
from serve.feeds.lines import numbered_lines
from serve.intake import customer_hash, said
from tryon_core.errors import ConfigError
from tryon_core.reasons import Reasons

LIMIT = 6


def lines_of(content: bytes, step: int) -> list[tuple[int, bytes | None]]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), step):
            yield content[start : start + step]

    async def found() -> list[tuple[int, bytes | None]]:
        return [each async for each in numbered_lines(chunks(), LIMIT)]

    return asyncio.run(found())


@given(st.binary(max_size=60).map(lambda b: bytes(b"a \n"[byte % 3] for byte in b)), st.integers(1, 61))
def test_lines_are_numbered_as_an_editor_numbers_them_however_they_arrive(content: bytes, step: int) -> None:
    every = enumerate(content.split(b"\n"), 1)
    expected = [(n, line if len(line) <= LIMIT else None) for n, line in every if line.strip() or len(line) > LIMIT]
    assert lines_of(content, step) == expected


def test_of_a_line_over_the_limit_nothing_is_held_and_the_next_one_is_whole() -> None:
    assert lines_of(b"x" * 5000 + b"\nnext\n" + b"y" * 7, 100) == [(1, None), (2, b"next"), (3, None)]


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [("too small", "small"), ("Too  LARGE", "large"), ("style", None), ("damaged", None), ("who knows", None), (None, None)],
)
def test_a_reason_says_of_the_fit_what_fitting_takes_it_for(reason: str | None, verdict: str | None) -> None:
    reasons = Reasons()
    assert said(reason, reasons) == verdict
    assert not reasons.unknown  # a service that ran for years would remember every one


def test_a_customer_has_another_hash_under_another_key() -> None:
    one, same, other = (customer_hash("c", key) for key in (b"k" * 16, b"k" * 16, b"l" * 16))
    assert one == same != other
    assert customer_hash("d", b"k" * 16) != one


def test_the_key_of_customers_is_made_once_for_all_processes_and_only_this_user_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYON_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("TRYON_CUSTOMER_SECRET", raising=False)
    with ThreadPoolExecutor(1) as pool:
        keys = {*pool.map(lambda _: customer_secret(), range(5)), customer_secret()}
    assert len(keys) == 1
    (file,) = (tmp_path / "data").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    monkeypatch.setenv("TRYON_CUSTOMER_SECRET", "told")
    assert customer_secret() == b"told"
    monkeypatch.setenv("TRYON_CUSTOMER_SECRET", "x" * 65)
    with pytest.raises(ConfigError, match="at most 64 bytes, got 65"):
        customer_secret()


def test_a_file_that_is_no_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRYON_DATA", str(tmp_path))
    monkeypatch.delenv("TRYON_CUSTOMER_SECRET", raising=False)
    (tmp_path / "customer.key").write_text("short")
    with pytest.raises(ConfigError, match="expected a key of 16 to 64 bytes"):
        customer_secret()
    (tmp_path / "customer.key").unlink()
    (tmp_path / "customer.key").mkdir()
    with pytest.raises(ConfigError, match="set TRYON_CUSTOMER_SECRET"):
        customer_secret()

"""The connection to a Redis that keeps things: time-outs, errors, scripts; it knows no records."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, get_args

from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from tryon_core.errors import ConfigError

from ..errors import StoreError

logger = logging.getLogger(__name__)
Script = Literal[
    "put_lines",
    "delete_customer",
    "delete_shopper",
    "put_garment",
    "delete_garment",
    "add_fields",
    "put_shopper",
    "put_advice",
    "read_fields",
    "read_counts",
]
_OF_LINES: tuple[Script, ...] = ("put_lines", "delete_customer", "delete_shopper")
_OTHERS: tuple[Script, ...] = tuple(name for name in get_args(Script) if name not in _OF_LINES)
_READ_AT_ONCE = 1000
_CONNECTIONS = 16
_CONNECT_S, _ANSWER_S = 5.0, 10.0
"""Long enough for a machine with more to do than it can: an answer that comes late is worth more than none."""


class Client:
    """One Redis, not a cluster: a script's keys may lie anywhere.

    Args:
        prefix: of every key.
    """

    def __init__(self, url: str, prefix: str = "tryon:") -> None:
        # What is asked here may be asked twice, but for counters; a connection that the server has closed is found out so.
        again = Retry(ExponentialBackoff(cap=0.2, base=0.02), 3, supported_errors=(RedisConnectionError,))
        pool = redis_asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_ANSWER_S,
            socket_timeout=_ANSWER_S,
            socket_connect_timeout=_CONNECT_S,
            retry=again,
        )
        self.redis, self.prefix = redis_asyncio.Redis.from_pool(pool), prefix
        common = _text("lines")
        texts = {name: common + _text(name) for name in _OF_LINES} | {name: _text(name) for name in _OTHERS}
        self._scripts = {name: self.redis.register_script(text) for name, text in texts.items()}

    def key(self, *parts: str) -> str:
        """Return a key under the prefix."""
        return self.prefix + ":".join(parts)

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Turn the client's own errors into ours.

        Raises:
            StoreError: the server does not answer or refuses.
        """
        try:
            yield
        except (RedisError, OSError, TimeoutError) as err:
            # Not the error itself: its text holds the command, and a command may hold a shopper's words.
            said = str(err).rpartition("caused error: ")[2] or type(err).__name__
            raise StoreError(f"the store could not be used: {said}") from None

    async def ask(self, *command: Any) -> Any:
        """Return the answer to one command."""
        async with self.told():
            return await self.redis.execute_command(*command)

    async def ask_all(self, commands: Sequence[Sequence[Any]], *, whole: bool = False) -> list[Any]:
        """Return the answers to commands that are sent together.

        Args:
            whole: do all of them or none, and nothing else between.
        """
        if not commands:
            return []
        async with self.told(), self.redis.pipeline(transaction=whole) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return list(await pipeline.execute())

    async def run(self, script: Script, *arguments: Any) -> Any:
        """Return what a script returns, which is done whole or not at all."""
        async with self.told():
            return await self._scripts[script](args=[self.prefix, *arguments])

    async def fields(self, wanted: Sequence[tuple[str, str]]) -> list[bytes | None]:
        """Return the values of hashes' fields.

        Args:
            wanted: keys without the prefix, and fields.
        """
        values: list[bytes | None] = []
        for start in range(0, len(wanted), _READ_AT_ONCE):
            some = wanted[start : start + _READ_AT_ONCE]
            values += await self.run("read_fields", *(word for pair in some for word in pair))
        return values

    async def run_all(self, script: Script, arguments: Sequence[Sequence[Any]]) -> list[Any]:
        """Return what a script returns for each of many arguments, each of which is done whole or not at all."""
        if not arguments:
            return []
        async with self.told(), self.redis.pipeline(transaction=False) as pipeline:
            for own in arguments:
                await self._scripts[script](args=[self.prefix, *own], client=pipeline)
            return list(await pipeline.execute())

    async def require_durable(self, url: str) -> None:
        """Check that the server evicts nothing and writes an append-only file.

        Raises:
            ConfigError: it does otherwise; the text holds the command that mends it.
            StoreError: it does not answer, or does not let us see.
        """
        info = await self.ask("INFO", "everything")
        wanted = {"maxmemory_policy": ("noeviction", "maxmemory-policy noeviction"), "aof_enabled": (1, "appendonly yes")}
        for field, (value, setting) in wanted.items():
            if info.get(field) != value:
                shown = url.rpartition("@")[2]  # without the password
                mend = f"redis-cli CONFIG SET {setting}, and the same in its configuration file"
                told = f"got {field} {info.get(field)} at {shown}"
                raise ConfigError(f"expected a store's Redis with {setting}, {told}: {mend}")
        async with self.told():
            try:
                policy = (await self.redis.config_get("appendfsync")).get("appendfsync")
            except ResponseError:
                return  # managed servers hide it
        if policy != "always":
            logger.warning("the store's Redis has appendfsync %s: a crash of its machine may lose the last second", policy)

    async def close(self) -> None:
        """Close the connections."""
        await self.redis.aclose()


def _text(name: str) -> str:
    return Path(__file__).with_name(f"{name}.lua").read_text(encoding="utf-8")

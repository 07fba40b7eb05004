"""The whole service in this process behind real HTTP: uvicorn, as Ray Serve runs it, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from serve.app import build_app
from serve.ingress import Ingress
from tests.in_process import service


@dataclass
class Live:
    """A service that listens."""

    ingress: Ingress
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Served(threading.Thread):
    def __init__(self, url: str, settings: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self.url, self.settings = url, settings
        self.listening, self.live, self.server = threading.Event(), Live(None, 0), None  # type: ignore[arg-type]
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as err:  # noqa: BLE001
            self.error = err
        finally:
            self.listening.set()

    async def _serve(self) -> None:
        async with service(self.url, **self.settings) as (ingress, _):
            config = uvicorn.Config(build_app(ingress), host="127.0.0.1", port=0, log_config=None, access_log=False)
            self.server = _Server(config, self, ingress)
            await self.server.serve()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, thread: _Served, ingress: Ingress) -> None:
        super().__init__(config)
        self.thread, self.ingress = thread, ingress

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.thread.live = Live(self.ingress, self.servers[0].sockets[0].getsockname()[1])
        self.thread.listening.set()


@contextmanager
def live(url: str, **settings: Any) -> Iterator[Live]:
    """The service of a checkpoint, listening on a free port."""
    thread = _Served(url, settings)
    thread.start()
    thread.listening.wait(300)
    if thread.error is not None:
        raise thread.error
    yield thread.live
    thread.server.should_exit = True
    thread.join(120)
    assert thread.error is None, thread.error

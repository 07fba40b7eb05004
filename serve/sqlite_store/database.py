"""One SQLite file: a thread that groups waiting writes into one commit, and threads that read; it knows no tables."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import StoreError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_READERS = 4
_BUSY_S = 10.0
"""How long one waits for another process's write."""
_GROUP = 256
_GROUP_S = 0.05
"""Writes that share a commit, and how long it may gather them."""
_BREATH_S = 0.002
"""After a long write, so that other processes, which look in now and then, get their turn."""
_IN_STATEMENT = 500
"""Names in one statement; SQLite takes 32,766."""


@dataclass(frozen=True)
class _Job:
    work: Work[Any]
    future: Future[Any]
    truncate: bool


class Database:
    """Reads and writes of one file. Every write is done whole or not at all, whatever else shares its commit.

    Args:
        durable: whether a write is on the disk before it is acknowledged; else a crash of the machine, though not of the
            process, may lose the last ones.
    """

    def __init__(self, path: str, *, durable: bool) -> None:
        self.path, self._durable, self._closed = path, durable, False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._own, self._opened, self._lock = threading.local(), list[sqlite3.Connection](), threading.Lock()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self._writer = threading.Thread(target=self._write_all, name="store-write", daemon=True)

    def connect(self) -> sqlite3.Connection:
        """Return a new connection, set as all of ours are; the file is made where there is none."""
        db = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        with self._lock:
            self._opened.append(db)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'OFF'}")
        db.execute("PRAGMA secure_delete=ON")
        db.execute("PRAGMA cache_size=-32768")
        db.execute("PRAGMA temp_store=MEMORY")
        return db

    async def read(self, work: Work[T]) -> T:
        """Return what a function of a connection returns that only reads; it sees one state of the file.

        Raises:
            StoreError: the file cannot be read now.
        """
        if self._closed:
            raise StoreError("the store is closed")
        return await asyncio.wrap_future(self._readers.submit(self._read, work))

    async def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query."""
        return await self.read(lambda db: db.execute(query, values).fetchall())

    async def write(self, work: Work[T], *, truncate: bool = False) -> T:
        """Return what a function of a connection returns, once all that it wrote is kept.

        Args:
            truncate: leave nothing in the log of what was overwritten.

        Raises:
            StoreError: the file cannot be written now, and nothing of this is kept; or only the log could not be emptied.
        """
        if self._closed:
            raise StoreError("the store is closed")
        with self._lock:
            if self._writer.ident is None:
                self._writer.start()
        job = _Job(work, Future(), truncate)
        self._jobs.put(job)
        result: T = await asyncio.wrap_future(job.future)
        return result

    async def execute(self, query: str, values: Sequence[Any] = ()) -> int:
        """Do one statement; return how many rows it changed."""
        return await self.write(lambda db: db.execute(query, values).rowcount)

    async def close(self) -> None:
        """Finish what waits and close the file."""
        self._closed = True
        if self._writer.is_alive():
            self._jobs.put(None)
            await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        for db in self._opened:
            db.close()

    def _read(self, work: Work[T]) -> T:
        with _told():
            if not hasattr(self._own, "db"):
                self._own.db = self.connect()
            db: sqlite3.Connection = self._own.db
            with _transaction(db, "BEGIN"):
                return work(db)

    def _write_all(self) -> None:
        db: sqlite3.Connection | None = None
        while (job := self._jobs.get()) is not None:
            jobs, started = [job], time.monotonic()
            try:
                with _told():
                    db = db or self.connect()
                    results = self._group(db, jobs)
            except Exception as err:  # noqa: BLE001 - those who wait are told
                for failed in jobs:
                    _settle(failed.future, err, None)
                continue
            left = self._truncated(db) if any(done.truncate for done in jobs) else None
            for done, (error, result) in zip(jobs, results, strict=True):
                _settle(done.future, error or (left if done.truncate else None), result)
            if time.monotonic() - started > _GROUP_S:
                time.sleep(_BREATH_S)

    def _group(self, db: sqlite3.Connection, jobs: list[_Job]) -> list[tuple[Exception | None, Any]]:
        """Do the one job there is, and those that wait behind it, in one transaction; return each one's error or result."""
        results: list[tuple[Exception | None, Any]] = []
        until = time.monotonic() + _GROUP_S
        with _transaction(db, "BEGIN IMMEDIATE"):
            while True:
                results.append(_attempted(db, jobs[-1].work))
                if len(jobs) >= _GROUP or time.monotonic() > until or self._jobs.empty():
                    return results
                following = self._jobs.get()
                if following is None:  # the end, which is for `_write_all` to see
                    self._jobs.put(None)
                    return results
                jobs.append(following)

    def _truncated(self, db: sqlite3.Connection) -> StoreError | None:
        """Move the log into the file and empty it; return an error where others stand in the way all the time."""
        with suppress(sqlite3.OperationalError):
            if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0:
                return None
        return StoreError(f"it is deleted, but the log of {self.path} is in use and could not be emptied: ask once more")


def chunked(db: sqlite3.Connection, query: str, names: Sequence[str], before: Sequence[Any] = ()) -> list[Any]:
    """Return the rows of a query whose `{}` stands for any number of names, whose parameters follow others."""
    rows: list[Any] = []
    for start in range(0, len(names), _IN_STATEMENT):
        chunk = names[start : start + _IN_STATEMENT]
        rows += db.execute(query.format(",".join("?" * len(chunk))), (*before, *chunk)).fetchall()
    return rows


def _attempted(db: sqlite3.Connection, work: Work[Any]) -> tuple[Exception | None, Any]:
    """Return an error, having undone what came before it, or a result."""
    db.execute("SAVEPOINT job")
    try:
        with _told():
            result = work(db)
    except Exception as err:
        if not db.in_transaction:  # as on a full disk: SQLite has undone everything, of the others, too
            raise
        db.execute("ROLLBACK TO job")
        db.execute("RELEASE job")
        return err, None
    db.execute("RELEASE job")
    return None, result


def _settle(future: Future[Any], error: Exception | None, result: Any) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


@contextmanager
def _transaction(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    db.execute(begin)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def _told() -> Iterator[None]:
    """Turn the database's own errors into ours."""
    try:
        yield
    except sqlite3.Error as err:
        raise StoreError(f"the store could not be used: {err}") from err

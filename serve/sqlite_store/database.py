"""One SQLite file: a thread that groups waiting writes into one commit, and threads that read; it knows no tables."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from ..errors import StoreError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
_Job = tuple[Work[Any], "Future[Any]", bool]

_READERS = 4
_BUSY_S = 5.0
_GROUP_S = 0.05
_GROUP = 256
_TRUNCATIONS = 20


class Database:
    """Reads and writes of one file. Every write is its own savepoint: it is done whole or not at all.

    Args:
        durable: whether a write is on the disk before it is acknowledged; else a crash of the machine may lose the last.
    """

    def __init__(self, path: str, *, durable: bool) -> None:
        self.path, self._durable = path, durable
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._local, self._open, self._lock = threading.local(), list[sqlite3.Connection](), threading.Lock()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-read")
        self._writer = threading.Thread(target=self._write_all, name="sqlite-write", daemon=True)
        self._closed = False

    def connect(self) -> sqlite3.Connection:
        """Return a new connection, set as all of ours are; the file is made where there is none."""
        db = sqlite3.connect(
            self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'OFF'}")
        db.execute("PRAGMA secure_delete=ON")
        db.execute("PRAGMA cache_size=-32768")
        db.execute("PRAGMA temp_store=MEMORY")
        with self._lock:
            self._open.append(db)
        return db

    async def read(self, work: Work[T]) -> T:
        """Return what a function of a connection returns that only reads; it sees one state of the file.

        Raises:
            StoreError: the file cannot be read now.
        """
        return await asyncio.wrap_future(self._readers.submit(self._read, work))

    async def write(self, work: Work[T], *, truncate: bool = False) -> T:
        """Return what a function of a connection returns, once all that it wrote is on the disk.

        Args:
            truncate: leave nothing in the log of what was overwritten.

        Raises:
            StoreError: the file cannot be written now; nothing of this write is kept, or, where only the log could not be
                emptied, all of it.
        """
        if self._closed:
            raise StoreError("the store is closed")
        if not self._writer.is_alive():
            with self._lock, suppress(RuntimeError):  # another call has started it
                self._writer.start()
        future: Future[T] = Future()
        self._jobs.put((work, future, truncate))
        return await asyncio.wrap_future(future)

    async def close(self) -> None:
        """Finish what waits and close the file."""
        self._closed = True
        if self._writer.is_alive():
            self._jobs.put(None)
            await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        for db in self._open:
            db.close()

    def _read(self, work: Work[T]) -> T:
        with _told():
            db = getattr(self._local, "db", None)
            if db is None:
                db = self._local.db = self.connect()
            with _transaction(db, "BEGIN"):
                return work(db)

    def _write_all(self) -> None:
        db: sqlite3.Connection | None = None
        while (job := self._jobs.get()) is not None:
            jobs: list[_Job] = []
            try:
                with _told():
                    db = db or self.connect()
                    results = self._group(db, job, jobs)
            except Exception as err:  # noqa: BLE001 - those who wait are told
                for _, future, _ in jobs or [job]:
                    _settle(future, err, None)
                continue
            left = self._truncated(db) if any(truncate for _, _, truncate in jobs) else None
            for (_, future, truncate), (error, result) in zip(jobs, results, strict=True):
                _settle(future, error or (left if truncate else None), result)

    def _group(self, db: sqlite3.Connection, first: _Job, jobs: list[_Job]) -> list[tuple[Exception | None, Any]]:
        """Do a job and those that wait behind it in one transaction; return each one's error or result."""
        results: list[tuple[Exception | None, Any]] = []
        jobs.append(first)
        until = time.monotonic() + _GROUP_S
        with _transaction(db, "BEGIN IMMEDIATE"):
            while True:
                results.append(_attempt(db, jobs[-1][0]))
                if len(jobs) >= _GROUP or time.monotonic() > until:
                    return results
                try:
                    following = self._jobs.get_nowait()
                except queue.Empty:
                    return results
                if following is None:
                    self._jobs.put(None)
                    return results
                jobs.append(following)

    def _truncated(self, db: sqlite3.Connection) -> StoreError | None:
        """Move the log into the file and empty it; return an error where readers stand in the way."""
        for _ in range(_TRUNCATIONS):
            with suppress(sqlite3.OperationalError):
                if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0:
                    return None
            time.sleep(0.05)
        return StoreError(f"the log of {self.path} could not be emptied: it is read all the time; ask once more")


def _attempt(db: sqlite3.Connection, work: Work[Any]) -> tuple[Exception | None, Any]:
    db.execute("SAVEPOINT job")
    try:
        with _told():
            result = work(db)
    except Exception as err:  # noqa: BLE001 - it is the caller's, who is told
        if db.in_transaction:
            db.execute("ROLLBACK TO job")
            db.execute("RELEASE job")
        return err, None
    db.execute("RELEASE job")
    return None, result


def _settle(future: Future[Any], error: BaseException | None, result: Any) -> None:
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
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextmanager
def _told() -> Iterator[None]:
    """Turn the database's own errors into ours."""
    try:
        yield
    except sqlite3.Error as err:
        raise StoreError(f"the store could not be used: {err}") from err

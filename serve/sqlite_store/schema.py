"""The tables of the embedded store, and the steps that bring an older file to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from tryon_core.errors import ConfigError

from .database import Database

Step = str | Callable[[sqlite3.Connection], None]
"""What brings a file from one version to the next: statements, or a function."""

_FIRST = """
CREATE TABLE garments (id TEXT PRIMARY KEY, etag TEXT NOT NULL, image TEXT, contents TEXT NOT NULL, record TEXT NOT NULL);
CREATE INDEX garments_image ON garments (image) WHERE image IS NOT NULL;
CREATE TABLE embeddings (part TEXT NOT NULL, encoder TEXT NOT NULL, garment_id TEXT NOT NULL, content TEXT NOT NULL,
    value BLOB NOT NULL, PRIMARY KEY (part, encoder, garment_id)) WITHOUT ROWID;
CREATE INDEX embeddings_garment ON embeddings (garment_id);
CREATE TABLE shoppers (id TEXT PRIMARY KEY, expires_at REAL NOT NULL, record TEXT NOT NULL);
CREATE INDEX shoppers_expiry ON shoppers (expires_at);
CREATE TABLE shopper_embeddings (shopper_id TEXT NOT NULL, part TEXT NOT NULL, encoder TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (shopper_id, part, encoder)) WITHOUT ROWID;
CREATE TABLE advices (id TEXT PRIMARY KEY, shopper_id TEXT NOT NULL, expires_at REAL NOT NULL, record TEXT NOT NULL);
CREATE INDEX advices_shopper ON advices (shopper_id) WHERE shopper_id <> '';
CREATE INDEX advices_expiry ON advices (expires_at);
CREATE TABLE tombstones (number INTEGER PRIMARY KEY AUTOINCREMENT, shopper_id TEXT NOT NULL UNIQUE, at REAL NOT NULL);
CREATE TABLE replicas (name TEXT PRIMARY KEY, number INTEGER NOT NULL, at REAL NOT NULL);
CREATE TABLE lines (id TEXT PRIMARY KEY, garment_id TEXT NOT NULL, history_id TEXT NOT NULL, size TEXT NOT NULL,
    outcome TEXT NOT NULL, ordered_at REAL NOT NULL, occurred_at REAL NOT NULL, fit TEXT, reason TEXT,
    customer TEXT NOT NULL, recommendation_id TEXT);
CREATE INDEX lines_customer ON lines (customer, history_id, occurred_at) WHERE customer <> '';
CREATE INDEX lines_recommendation ON lines (recommendation_id) WHERE recommendation_id IS NOT NULL;
CREATE TABLE counts (history_id TEXT NOT NULL, size TEXT NOT NULL, num INTEGER NOT NULL, small REAL NOT NULL,
    fit REAL NOT NULL, large REAL NOT NULL, PRIMARY KEY (history_id, size)) WITHOUT ROWID;
CREATE TABLE keys (name TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
# Of verdicts that were counted before there was a tally, none is told: their number is more than the tally's.
_TALLIES = ";".join(
    f"ALTER TABLE counts ADD COLUMN num_{verdict} INTEGER NOT NULL DEFAULT 0" for verdict in ("small", "fit", "large")
)
STEPS: tuple[Step, ...] = (_FIRST, _TALLIES)
"""Step N, from 1 on, leads from version N - 1 to N; version 0 is an empty file. Steps are added and never changed."""


def migrate(database: Database, steps: Sequence[Step]) -> None:
    """Bring a file to the latest version, every step whole or not at all; of several processes one does it.

    Raises:
        ConfigError: it is no SQLite file, cannot be written, or is of a version not known here.
    """
    try:
        db = database.connect()
        while _version(db) != len(steps):
            _step(db, steps)
    except sqlite3.Error as err:
        raise ConfigError(f"expected store {database.path} as an SQLite file that can be written, got: {err}") from err


def _step(db: sqlite3.Connection, steps: Sequence[Step]) -> None:
    with db:
        db.execute("BEGIN IMMEDIATE")
        version = _version(db)
        if version > len(steps):
            told = f"at most version {len(steps)}, got version {version}: it was written by a later release, which is needed"
            raise ConfigError(f"expected a store of {told}")
        if version < len(steps):
            step = steps[version]
            for statement in step.split(";") if isinstance(step, str) else ():
                db.execute(statement)
            if callable(step):
                step(db)
            db.execute(f"PRAGMA user_version={version + 1}")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])

"""The sandbox's own store: SQLite, in memory or in a file that survives restarts."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Row = sqlite3.Row

# What was answered outlives the process at once, a power cut after the next checkpoint.
_PRAGMAS = """
PRAGMA busy_timeout = 5000;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
"""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    account TEXT PRIMARY KEY, entity_id TEXT NOT NULL UNIQUE, first_name TEXT NOT NULL DEFAULT '',
    last_name TEXT NOT NULL DEFAULT '', auth_key TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY, entity_id TEXT NOT NULL UNIQUE, account TEXT NOT NULL, client_id TEXT NOT NULL,
    scope TEXT NOT NULL, refresh_token TEXT UNIQUE, refresh_used INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL, expires REAL NOT NULL);
CREATE INDEX IF NOT EXISTS tokens_account ON tokens (account);
CREATE TABLE IF NOT EXISTS issuers (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, entity_id TEXT NOT NULL UNIQUE, created_by TEXT,
    open INTEGER NOT NULL DEFAULT 0, document TEXT NOT NULL, created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS staff (
    issuer TEXT NOT NULL, account TEXT NOT NULL, role TEXT NOT NULL, PRIMARY KEY (issuer, account));
CREATE TABLE IF NOT EXISTS badgeclasses (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, entity_id TEXT NOT NULL UNIQUE, issuer TEXT NOT NULL,
    created_by TEXT, document TEXT NOT NULL, archived_at TEXT, archival_note TEXT, created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS badgeclasses_issuer ON badgeclasses (issuer);
CREATE TABLE IF NOT EXISTS assertions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, entity_id TEXT NOT NULL UNIQUE, badgeclass TEXT NOT NULL,
    issuer TEXT NOT NULL, account TEXT NOT NULL, created_by TEXT NOT NULL, recipient TEXT NOT NULL,
    recipient_type TEXT NOT NULL, hashed INTEGER NOT NULL, salt TEXT, issued_on TEXT NOT NULL,
    expires TEXT, narrative TEXT, evidence TEXT NOT NULL, extensions TEXT NOT NULL, image TEXT,
    revoked INTEGER NOT NULL DEFAULT 0, revocation_reason TEXT, acceptance TEXT NOT NULL,
    notify INTEGER NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS assertions_badgeclass ON assertions (badgeclass, recipient);
CREATE INDEX IF NOT EXISTS assertions_issuer ON assertions (issuer, recipient);
CREATE INDEX IF NOT EXISTS assertions_recipient ON assertions (recipient);
CREATE INDEX IF NOT EXISTS assertions_updated ON assertions (updated_at, seq);
CREATE TABLE IF NOT EXISTS claim_codes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL UNIQUE, badgeclass TEXT NOT NULL,
    label TEXT, most INTEGER, expiration_date TEXT, enabled INTEGER NOT NULL DEFAULT 1,
    archived INTEGER NOT NULL DEFAULT 0, created_by TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS collections (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, entity_id TEXT NOT NULL UNIQUE, account TEXT NOT NULL,
    document TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS credly_templates (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, entity_id TEXT NOT NULL UNIQUE, organization TEXT NOT NULL,
    name TEXT NOT NULL, document TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS credly_badges (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, entity_id TEXT NOT NULL UNIQUE, organization TEXT NOT NULL,
    template TEXT NOT NULL, account TEXT NOT NULL, recipient TEXT NOT NULL, person TEXT NOT NULL,
    earner TEXT, first_name TEXT NOT NULL, middle_name TEXT, last_name TEXT NOT NULL, locale TEXT NOT NULL,
    issued_at TEXT NOT NULL, expires_at TEXT, evidence TEXT NOT NULL, message TEXT, notify INTEGER NOT NULL,
    state TEXT NOT NULL, state_updated_at TEXT, revocation_reason TEXT, created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS credly_badges_template ON credly_badges (template, recipient);
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    account TEXT, status INTEGER, counted INTEGER NOT NULL DEFAULT 0, seconds REAL);
CREATE INDEX IF NOT EXISTS calls_time ON calls (time);
"""


class Store:
    """One connection, used by one event loop; each statement is its own transaction.

    Raises OSError when the file cannot be used.
    """

    def __init__(self, data: Path | None) -> None:
        if data is not None:
            data.touch(mode=0o600)  # it holds addresses and tokens
        self._connection = sqlite3.connect(
            ":memory:" if data is None else data, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        try:
            self._connection.executescript(_PRAGMAS + _SCHEMA)
        except sqlite3.Error as error:
            self._connection.close()
            raise OSError(f"{data} cannot hold a sandbox's data: {error}") from error

    def one(self, sql: str, *values: Any) -> Row | None:
        """Return the first row, if there is one."""
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return every row."""
        return self._connection.execute(sql, values).fetchall()

    def run(self, sql: str, *values: Any) -> int:
        """Change something; return how many rows were."""
        return self._connection.execute(sql, values).rowcount

    def insert(self, table: str, **values: Any) -> int:
        """Insert a row and return its number. `table` and the names come from this package alone."""
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  # names from this package
        number = self._connection.execute(sql, tuple(values.values())).lastrowid
        return number or 0

    def update(self, table: str, entity_id: str, **values: Any) -> None:
        """Change columns of one entity. `table` and the names come from this package alone."""
        pairs = ", ".join(f"{name} = ?" for name in values)
        sql = f"UPDATE {table} SET {pairs} WHERE entity_id = ?"  # noqa: S608  # names from this package
        self._connection.execute(sql, (*values.values(), entity_id))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

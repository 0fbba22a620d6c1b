"""Statements written by hand, each parsed once: reading their parameters anew for every batch costs."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Executable, TextClause, text

from worker.adapters.database.types import Instant


@lru_cache(maxsize=512)
def statement(sql: str) -> TextClause:
    """Return the statement that `sql` is, with parameters as `:name`."""
    return text(sql)


@lru_cache(maxsize=512)
def returning_instants(sql: str, *columns: str) -> Executable:
    """Return a statement whose result has these columns as instants: SQLite has them as text."""
    return text(sql).columns(**{column: Instant() for column in columns})

"""Statements that SQLAlchemy compiles once for all engines of a kind, as it does where there is one of each.

Tests make an engine each, and would spend a third of their time on compiling the same statements anew.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache

Key = tuple[Any, ...]
MOST = 2000  # statements


class Compiled(LRUCache[Key, Any]):
    """What was compiled, by statement and kind of database; the former key is of one engine alone."""

    def get(self, key: Key, default: Any = None) -> Any:
        return super().get(_of_its_kind(key), default)

    def __setitem__(self, key: Key, value: Any) -> None:
        super().__setitem__(_of_its_kind(key), value)


def _of_its_kind(key: Key) -> Key:
    dialect, *rest = key
    return type(dialect), dialect.server_version_info, *rest


def share_compiled_statements() -> None:
    """Let every engine that is made from now on in this process look there first."""
    shared = Compiled(MOST)

    def engine_created(_dialect: type[DefaultDialect], engine: Engine) -> None:
        engine.update_execution_options(compiled_cache=shared)

    # SQLAlchemy calls it for every engine; a dialect's own does nothing.
    DefaultDialect.engine_created = classmethod(engine_created)  # type: ignore[assignment,method-assign]

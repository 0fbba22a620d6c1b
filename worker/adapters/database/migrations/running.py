"""Bringing a database to the newest schema, by Alembic alone."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from worker.adapters.database.engine import reading, transaction
from worker.adapters.database.locks import MIGRATION


def config() -> Config:
    """Return Alembic's configuration for these scripts."""
    alembic = Config()
    alembic.set_main_option("script_location", str(Path(__file__).parent))
    return alembic


def upgrade(engine: Engine) -> str:
    """Bring the database to the newest schema and return its revision. Two at once take turns."""
    alembic = config()
    with transaction(engine) as connection:
        MIGRATION.exclude(connection)
        alembic.attributes["connection"] = connection
        command.upgrade(alembic, "head")
    return head()


def head() -> str:
    """Return the newest revision there is."""
    return str(ScriptDirectory.from_config(config()).get_current_head())


def current(engine: Engine) -> str | None:
    """Return the database's revision, or None if it has no schema yet."""
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()

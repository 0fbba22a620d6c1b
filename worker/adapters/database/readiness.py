"""Whether a database can be used as it is: that it is there, and that its schema is the newest."""

from __future__ import annotations

from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from worker.adapters.database import migrations
from worker.errors import ConfigurationError


def schema_problem(engine: Engine) -> str | None:
    """Return what is wrong with the database's schema; raises DatabaseUnavailable.

    One that is newer than this program is all right: migrations come before new programs.
    """
    if is_missing_file(engine):
        return "the database does not exist yet; run `badge-worker db upgrade`"
    try:
        found = migrations.current(engine)
    except DBAPIError as error:
        raise ConfigurationError(f"BADGE_WORKER_DATABASE_URL: cannot be used: {error.orig}") from error
    if found is None:
        return "the database has no schema yet; run `badge-worker db upgrade`"
    if found != (head := migrations.head()) and found in _known_revisions():
        return f"the database's schema is old ({found}, not {head}); run `badge-worker db upgrade`"
    return None


def is_missing_file(engine: Engine) -> bool:
    """Say whether a SQLite database is still to be made: looking into it would make an empty one."""
    name = engine.url.database
    if engine.url.get_backend_name() != "sqlite" or not name or name.startswith((":", "file:")):
        return False
    return not Path(name).exists()


def _known_revisions() -> set[str]:
    return {each.revision for each in ScriptDirectory.from_config(migrations.config()).walk_revisions()}

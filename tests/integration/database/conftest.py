"""Ground to try the database side on: a database of each kind, with its schema and nothing else in it."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.support.ground import Ground
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.adapters.database.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.services import Postgres

IN_MEMORY = Path("/dev/shm")  # noqa: S108 # where it is there, a commit need not wait for a disk


@contextmanager
def _ground(url: str) -> Iterator[Ground]:
    engine = make_engine(url)
    yield Ground(engine)
    engine.dispose()


def _migrated(url: str) -> None:
    with _ground(url) as ground:
        upgrade(ground.engine)


# PostgreSQL: making a database takes longer than most tests, so each test process has two, and empties them.


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: Postgres) -> Iterator[str]:
    with postgres_server.database() as url:
        _migrated(url)
        yield url


@pytest.fixture
def postgres(migrated_postgres: str) -> Iterator[Ground]:
    """PostgreSQL as it is after the migrations; whoever changes its schema asks for `own_postgres`."""
    with _ground(migrated_postgres) as ground:
        _empty(ground)
        yield ground


def _empty(ground: Ground) -> None:
    """Make the tables as the migrations leave them; whoever still holds a lock loses it."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    with ground.engine.begin() as connection:
        connection.execute(text(f"{others} AND pid <> pg_backend_pid()"))
        for table in metadata.sorted_tables:
            if table.name != "rulebook":
                connection.execute(table.delete())
        connection.execute(text("UPDATE rulebook SET version = 0, swept_to = now(), forgotten = 0"))


@pytest.fixture
def own_postgres(postgres_url: str) -> Iterator[Ground]:
    """PostgreSQL that is thrown away afterwards."""
    _migrated(postgres_url)
    with _ground(postgres_url) as ground:
        yield ground


# SQLite: a copy of one file is quickly made.


@pytest.fixture(scope="session")
def sqlite_files() -> Iterator[Path]:
    """Return a folder with a migrated database file to be copied within it."""
    parent = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=parent, prefix="badge-worker-tests-") as folder:
        _migrated(f"sqlite:///{folder}/template.db")
        yield Path(folder)


@contextmanager
def _on_sqlite(files: Path) -> Iterator[Ground]:
    with tempfile.TemporaryDirectory(dir=files) as folder:
        copy = shutil.copy(files / "template.db", folder)
        with _ground(f"sqlite:///{copy}") as ground:
            yield ground


@pytest.fixture
def sqlite(sqlite_files: Path) -> Iterator[Ground]:
    with _on_sqlite(sqlite_files) as ground:
        yield ground


@pytest.fixture(params=["sqlite", "postgresql"])
def ground(request: pytest.FixtureRequest) -> Ground:
    """One database of each kind."""
    found: Ground = request.getfixturevalue("sqlite" if request.param == "sqlite" else "postgres")
    return found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lasting_ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """One database of each kind for many small tests, which clear it."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield stack.enter_context(_on_sqlite(request.getfixturevalue("sqlite_files")))
        else:
            url = stack.enter_context(request.getfixturevalue("postgres_server").database())
            _migrated(url)
            yield stack.enter_context(_ground(url))

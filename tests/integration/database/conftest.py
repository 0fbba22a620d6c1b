"""Ground to try the database side on: a migrated database of one's own for each test, quickly copied."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from tests.support.ground import Ground
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.services import Postgres


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Postgres) -> Iterator[str]:
    """Give the name of a database with the newest schema, to be copied."""
    with postgres_server.database() as url:
        _migrated(url)
        name = make_url(url).database
        assert name
        yield name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database file with the newest schema, to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrated(f"sqlite:///{file}")
    return file


def _migrated(url: str) -> None:
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()


@pytest.fixture
def postgres(postgres_server: Postgres, postgres_template: str) -> Iterator[Ground]:
    with postgres_server.database(template=postgres_template) as url:
        engine = make_engine(url)
        yield Ground(engine)
        engine.dispose()


@pytest.fixture
def sqlite(tmp_path: Path, sqlite_template: Path) -> Iterator[Ground]:
    file = tmp_path / "badge-worker.db"
    shutil.copyfile(sqlite_template, file)
    engine = make_engine(f"sqlite:///{file}")
    yield Ground(engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def ground(request: pytest.FixtureRequest) -> Ground:
    """One database of each kind."""
    found: Ground = request.getfixturevalue("sqlite" if request.param == "sqlite" else "postgres")
    return found

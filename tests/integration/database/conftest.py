"""Ground to try the database side on: a migrated database of one's own for each test, quickly copied."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
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


@contextmanager
def _ground(url: str) -> Iterator[Ground]:
    engine = make_engine(url)
    yield Ground(engine)
    engine.dispose()


@contextmanager
def _on_sqlite(template: Path, folder: Path) -> Iterator[Ground]:
    file = folder / "badge-worker.db"
    shutil.copyfile(template, file)
    with _ground(f"sqlite:///{file}") as ground:
        yield ground


@pytest.fixture
def postgres(postgres_server: Postgres, postgres_template: str) -> Iterator[Ground]:
    with postgres_server.database(template=postgres_template) as url, _ground(url) as ground:
        yield ground


@pytest.fixture
def sqlite(tmp_path: Path, sqlite_template: Path) -> Iterator[Ground]:
    with _on_sqlite(sqlite_template, tmp_path) as ground:
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
            folder = request.getfixturevalue("tmp_path_factory").mktemp("lasting")
            template = request.getfixturevalue("sqlite_template")
            yield stack.enter_context(_on_sqlite(template, folder))
        else:
            server = request.getfixturevalue("postgres_server")
            template = request.getfixturevalue("postgres_template")
            url = stack.enter_context(server.database(template=template))
            yield stack.enter_context(_ground(url))

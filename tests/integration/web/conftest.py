"""Sites for tests: GraphQL on a database of each kind, which tests clear, and files for the admin page."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.admin_site import fill
from tests.support.graphql_site import Site, migrated, served
from tests.support.ground import Ground
from worker.adapters.database.engine import make_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lasting_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site on each kind of database."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('site') / 'badge-worker.db'}"
        else:
            url = stack.enter_context(request.getfixturevalue("postgres_server").database())
        migrated(url)
        yield stack.enter_context(served(url))


@pytest.fixture(scope="session")
def filled_file(migrated_file: Path) -> Path:
    """Return a SQLite file that is filled for the admin page, to be copied."""
    file = migrated_file.with_name("filled.db")
    shutil.copyfile(migrated_file, file)
    engine = make_engine(f"sqlite:///{file}")
    fill(Ground(engine))
    engine.dispose()
    return file

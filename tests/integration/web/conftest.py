"""GraphQL on a database of each kind, for the tests of one module, which clear it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.graphql_site import Site, migrated, served

if TYPE_CHECKING:
    from collections.abc import Iterator


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

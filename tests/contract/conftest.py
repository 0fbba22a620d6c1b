"""The Badgr server that the issuing contract runs against, where the environment names one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.badgr_server import Server, named_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def named_badgr() -> Iterator[Server]:
    """The server that the environment names; what the tests issued there is revoked in the end."""
    server = named_server()
    assert server is not None
    server.check()
    yield server
    server.tidy_up()

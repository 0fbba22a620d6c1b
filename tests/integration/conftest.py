"""A database of one's own in a file, for tests that need nothing of a server's."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.ground import Ground
from tests.support.outbox import enrol_badge
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file with the newest schema, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "template.db"
    engine = make_engine(f"sqlite:///{file}")
    upgrade(engine)
    engine.dispose()
    return file


@pytest.fixture
def one_badge(migrated_file: Path, tmp_path: Path) -> Iterator[Ground]:
    """A database with one badge that is issued, for being enrolled in learning path 40; nobody has it."""
    file = tmp_path / "badge-worker.db"
    shutil.copyfile(migrated_file, file)
    engine = make_engine(f"sqlite:///{file}")
    ground = Ground(engine)
    ground.apply(**{"40": enrol_badge("40")})
    yield ground
    engine.dispose()

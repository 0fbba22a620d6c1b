"""Ground for the commands: a folder, settings, a database with its schema, and a real Valkey."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import settle_in
from tests.support.ground import Ground
from worker.adapters.database.engine import make_engine
from worker.adapters.queues import RedisStreamQueue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with no settings at all."""
    settle_in(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture
def ground(
    bare: Path, migrated_file: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ground]:
    """A database with its schema, which the commands are set to."""
    shutil.copyfile(migrated_file, bare / "badge-worker.db")
    monkeypatch.setenv("BADGE_WORKER_DATABASE_URL", sqlite_url)
    engine = make_engine(sqlite_url)
    yield Ground(engine)
    engine.dispose()


@pytest.fixture
def queue(bare: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisStreamQueue]:
    """An empty event queue, which the commands are set to; broker and shared state are in the same Valkey."""
    del bare  # it was asked for because it takes other settings away
    for name in ("EVENTS_URL", "BROKER_URL", "REDIS_URL"):
        monkeypatch.setenv(f"BADGE_WORKER_{name}", redis_url)
    opened = RedisStreamQueue(redis_url)
    yield opened
    opened.close()

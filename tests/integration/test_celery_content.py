"""What Celery's processes read: JSON. Whoever can write to the broker cannot make them run what they send."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from celery import Celery

from tests.support.waiting import wait_until
from worker.adapters.celery_app import make_celery

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from tests.conftest import Spawn

WORKER = ("-m", "celery", "-q", "-A", "worker.app", "worker", "--loglevel", "INFO", "--without-mingle")
PATIENCE = 60.0


class Deadly:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self._file), "w")


def test_a_pickle_on_the_broker_is_thrown_away_unread(
    spawn: Spawn, tmp_path: Path, redis_url: str, redis_client: redis.Redis
) -> None:
    made, rogue = tmp_path / "made-by-a-pickle", make_celery(lambda: redis_url)
    send(rogue, "awards.issue", Deadly(made), "pickle")
    send(rogue, "no.such.task", "nothing", "json")
    settings = {
        **{f"BADGE_WORKER_{name}_URL": redis_url for name in ("BROKER", "REDIS")},
        "BADGE_WORKER_DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}",
    }

    worker = spawn([sys.executable, *WORKER], settings, tmp_path)
    wait_until(lambda: "no.such.task" in worker.output(), PATIENCE, "what came after the pickle")
    wait_until(lambda: not redis_client.llen("badge-worker:celery:awards"), PATIENCE, "an empty queue")

    assert "Refusing to deserialize" in worker.output()
    assert not made.exists()


def send(celery: Celery, task: str, argument: object, serializer: str) -> None:
    celery.send_task(task, args=[argument], queue="awards", serializer=serializer)

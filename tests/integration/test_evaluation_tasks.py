"""Everybody's evaluation by the task workers, as whoever watches with Flower sees it."""

from __future__ import annotations

import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from celery import Celery
from celery.events.state import State

from tests.support.bodies import enrolled, posted
from tests.support.ground import Ground, badge, definitions, now, read
from tests.support.waiting import wait_until
from worker.adapters.celery_app import make_celery
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.adapters.database.schema import awards, evaluations
from worker.applying import apply
from worker.ports import Evaluation, Reason
from worker.tasks.rules import said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Spawn

WORKER = ("-m", "celery", "-q", "-A", "worker.app", "worker", "--without-mingle", "-c", "2")
PATIENCE = 60.0
PEOPLE = [f"user-{number}" for number in range(5)]


class Watcher:
    """What Flower keeps of the events it hears, and what it heard of evaluations."""

    def __init__(self, app: Celery) -> None:
        self.heard: list[tuple[str, str | None]] = []
        self._app = app
        self._state = State()
        self._stop = threading.Event()
        self.listens = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)

    def tasks(self) -> list[Any]:
        return [task for _, task in self._state.tasks_by_time() if task.name == "rules.evaluate"]

    def _listen(self) -> None:
        with self._app.connection() as connection:
            receiver = self._app.events.Receiver(connection, handlers={"*": self._note})
            with receiver.consumer_context() as (its_own, *_):
                self.listens.set()
                while not self._stop.is_set():
                    try:
                        its_own.drain_events(timeout=0.2)
                    except TimeoutError:
                        continue

    def _note(self, event: dict[str, Any]) -> None:
        self._state.event(event)
        if event["type"] in {"task-progress", "task-succeeded"}:
            self.heard.append((event["type"], event.get("result")))


@pytest.fixture
def watcher(redis_url: str) -> Iterator[Watcher]:
    app = make_celery(lambda: redis_url)
    made = Watcher(app)
    made.listens.wait(PATIENCE)
    yield made
    made.stop()
    app.close()


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """Everybody has earned two badges, and nobody was evaluated for them yet."""
    engine = make_engine(f"sqlite:///{tmp_path / 'badge-worker.db'}")
    upgrade(engine)
    made = Ground(engine)
    made.ingest(*(enrolled(1, name) for name in PEOPLE), *(posted(1, name, name) for name in PEOPLE))
    badges = {
        "enrol": badge({"lp_enroll": {"learning_path_id": "40"}}),
        "post": badge({"social_engagement": {"threshold": 1}}),
    }
    apply(made.database, read(definitions(badges)))
    yield made
    engine.dispose()


def test_one_tick_sets_off_a_chain_of_tasks_that_say_how_far_they_are(
    ground: Ground, watcher: Watcher, spawn: Spawn, tmp_path: Path, redis_url: str
) -> None:
    env = {
        f"BADGE_WORKER_{name}": value
        for name, value in {
            "DATABASE_URL": ground.engine.url.render_as_string(),
            "BROKER_URL": redis_url,
            "REDIS_URL": redis_url,
        }.items()
    }
    spawn([sys.executable, *WORKER], env, tmp_path)
    app = make_celery(lambda: redis_url)

    app.send_task("rules.backfill")
    wait_until(lambda: not ground.database.evaluations(), PATIENCE, "everybody evaluated")
    wait_until(lambda: [task.state for task in watcher.tasks()].count("SUCCESS") >= 2, PATIENCE, "it is seen")
    by_day = ground.earned()
    with ground.engine.begin() as connection:
        connection.execute(awards.delete())
        connection.execute(evaluations.update().values(started_at=now() - timedelta(days=3)))
    app.send_task("rules.nightly")
    wait_until(lambda: bool(ground.database.evaluations()), PATIENCE, "the night begins")
    app.send_task("rules.backfill")
    wait_until(lambda: not ground.database.evaluations(), PATIENCE, "the night is over")
    app.close()

    done = "100 %: 5 of 5 people looked at, 5 new awards"
    assert {(task.kwargs, task.result) for task in watcher.tasks()} >= {
        (str({"badge": name, "version": 1, "reason": "rules"}), repr(done)) for name in ("enrol", "post")
    }
    assert ("task-progress", done) in watcher.heard
    assert len(by_day) == 10
    assert ground.earned() == by_day


@pytest.mark.parametrize(
    ("people", "looked_at", "found", "words"),
    [
        (0, 0, 0, "0 %: 0 of 0 people looked at, 0 new awards"),
        (1_000_000, 370_000, 12, "37 %: 370,000 of 1,000,000 people looked at, 12 new awards"),
        (10, 12, 0, "100 %: 12 of 10 people looked at, 0 new awards"),  # some came meanwhile
    ],
)
def test_how_far_it_is_in_words(people: int, looked_at: int, found: int, words: str) -> None:
    assert said(Evaluation("b", 1, Reason.ASKED, people, looked_at, found)) == words

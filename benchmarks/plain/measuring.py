"""How fast the plain design is, and whether it comes to the same counts and badges."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from benchmarks.bare import taking_in
from benchmarks.ground import Ground
from benchmarks.ingest import check
from benchmarks.plain.app import QUEUE, app
from benchmarks.stream import POLL
from tests.support.processes import Spawned, spawn
from tests.support.services import plain
from worker.adapters.redis_connection import connect

PROCESSES = 2
_ROOT = Path(__file__).parents[2]
_STAGED, _SHELF = "plain-staged", 2
_UNACKED = "unacked"  # kombu's hash of what was handed out
Outcome = tuple[list[tuple[object, ...]], list[tuple[object, ...]]]


class PlainDesign:
    """The plain design on the same servers. Tasks are queued before the clock starts, as the events are."""

    def __init__(self, ground: Ground, warm_up: Sequence[bytes], events: Sequence[bytes]) -> None:
        self._ground = ground
        self._warm_up, self._events = warm_up, events
        self._client = connect(ground.redis_url)
        self._shelf_url = _database(ground.redis_url, _SHELF)
        self._expected: Outcome | None = None

    def measure(self, template: str) -> float:
        """Return events a second; raises ValueError if the outcome is not that of `worker`."""
        if self._expected is None:
            self._expected = self._outcome_of_ours(template)
        self._client.flushdb()
        with self._ground.copy(template) as url, self._worker(url) as worker:
            _send(self._ground.redis_url, QUEUE, self._warm_up)
            self._await_done(worker)
            self._stage()
            self._ground.checkpoint()
            begin = time.perf_counter()
            self._client.rename(_STAGED, QUEUE)
            self._await_done(worker)
            seconds = time.perf_counter() - begin
            if _outcome(url) != self._expected:
                raise ValueError("the plain design came to other counts or badges")
        return len(self._events) / seconds

    def _outcome_of_ours(self, template: str) -> Outcome:
        with self._ground.copy(template) as url:
            with taking_in(url) as (awarding, _):
                awarding.ingest(self._warm_up)
                for start in range(0, len(self._events), 500):
                    awarding.ingest(self._events[start : start + 500])
            return _outcome(url)

    @contextmanager
    def _worker(self, url: str) -> Iterator[Spawned]:
        """Give the running Celery worker."""
        command = [
            sys.executable,
            "-m",
            "celery",
            "--app",
            "benchmarks.plain.app",
            "worker",
            "--pool",
            "prefork",
        ]
        options = [
            "--concurrency",
            str(PROCESSES),
            "--loglevel",
            "error",
            "--without-gossip",
            "--without-mingle",
        ]
        env = {
            "PLAIN_DATABASE_URL": url,
            "PLAIN_BROKER_URL": self._ground.redis_url,
            "PYTHONPATH": str(_ROOT),
        }
        log = self._ground.folder / "plain.log"
        with spawn([*command, *options, "--without-heartbeat"], log, env, self._ground.folder) as worker:
            yield worker

    def _stage(self) -> None:
        """Lay the tasks ready: published once, copied every time."""
        with connect(self._shelf_url) as shelf:
            if not shelf.exists(_STAGED):
                _send(self._shelf_url, _STAGED, self._events)
            shelf.copy(_STAGED, _STAGED, destination_db="0", replace=True)

    def _await_done(self, worker: Spawned) -> None:
        """Wait until nothing is queued and nothing unacknowledged: everything was committed."""
        looks = 0
        while self._client.llen(QUEUE) or self._client.hlen(_UNACKED):
            looks += 1
            if looks % 50 == 0:
                check([worker])
            time.sleep(POLL)


def _send(broker_url: str, queue: str, bodies: Sequence[bytes]) -> None:
    with app.connection_for_write(broker_url) as connection, app.amqp.Producer(connection) as producer:
        for body in bodies:
            app.send_task("plain.take", [body.decode()], queue=queue, producer=producer)


def _outcome(url: str) -> Outcome:
    """Return all counts, and who has which badge."""
    with psycopg.connect(plain(url)) as connection:
        counts = connection.execute("SELECT user_id, kind, value FROM counts ORDER BY 1, 2").fetchall()
        awards = connection.execute("SELECT user_id, badge_id FROM awards ORDER BY 1, 2").fetchall()
    return counts, awards


def _database(redis_url: str, number: int) -> str:
    return make_url(redis_url).set(database=str(number)).render_as_string(hide_password=False)

"""`consume`: to the end of the queue, and to the end that a signal makes."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import redis
from sqlalchemy import make_url

from tests.conftest import Spawn
from tests.support import bodies, commands
from tests.support.forwarder import Forwarder
from tests.support.ground import Ground, badge
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.adapters.queues import RedisStreamQueue
from worker.adapters.queues.redis_streams import GROUP, STREAM
from worker.adapters.redis_connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENROLLED = {"lp_enroll": {"learning_path_id": "40"}}
CONSUME = [*commands.PROGRAM, "consume"]


@pytest.fixture
def ready(ground: Ground) -> Ground:
    ground.apply(one=badge(ENROLLED))
    return ground


def _pending(redis_url: str) -> int:
    """Count what a consumer has read and not acknowledged."""
    with connect(redis_url) as client, suppress(redis.ResponseError):  # there is no group yet
        found: Any = client.xpending(STREAM, GROUP)
        return int(found["pending"])
    return 0


# To the end of the queue


def test_until_idle_takes_in_all_that_is_there_and_ends(ready: Ground, queue: RedisStreamQueue) -> None:
    queue.publish([bodies.enrolled(0, "ada"), b"no event", bodies.event("post.liked", 0, user_id="ada")])

    ended = commands.run("consume", "--until-idle", "0.1")

    assert (ended.code, ended.out) == (0, "")
    assert ready.states() == {"ada": "earned"}
    assert len(ready.database.list_dead_letters()) == 1
    assert queue.backlog() == 0


def test_awards_nudge_the_dispatcher(ready: Ground, queue: RedisStreamQueue, redis_url: str) -> None:
    del ready
    queue.publish([bodies.enrolled(0, "ada")])

    commands.run("consume", "--until-idle", "0.1")

    with connect(redis_url) as client:
        assert client.llen("badge-worker:celery:dispatch") == 1


def test_what_was_done_is_logged_at_the_end(
    ready: Ground, queue: RedisStreamQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    del ready
    monkeypatch.setenv("BADGE_WORKER_LOG_FORMAT", "json")
    queue.publish([bodies.enrolled(0, "ada"), b"no event", bodies.event("post.liked", 0, user_id="ada")])

    ended = commands.run("consume", "--until-idle", "0.1")

    assert '"event": "consumer.started"' in ended.err
    last = ended.err.splitlines()[-1]
    for fact in ('"event": "consumer.ended"', '"events": 1', '"awards": 1', '"dead": 1', '"unknown": 1'):
        assert fact in last


# Settings


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("EVENTS_URL", None, "BADGE_WORKER_EVENTS_URL: missing"),
        ("BROKER_URL", None, "BADGE_WORKER_BROKER_URL: missing"),
        ("BROKER_URL", "nonsense://host", "BADGE_WORKER_BROKER_URL: not a broker's address"),
        ("BROKER_URL", "redis://user:secret@host:port/0", "BADGE_WORKER_BROKER_URL: not a broker's address"),
    ],
)
def test_a_consumer_without_what_it_needs_does_not_begin(
    ready: Ground,
    queue: RedisStreamQueue,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str | None,
    said: str,
) -> None:
    queue.publish([bodies.enrolled(0, "ada")])
    if value is None:
        monkeypatch.delenv(f"BADGE_WORKER_{variable}")
    else:
        monkeypatch.setenv(f"BADGE_WORKER_{variable}", value)

    ended = commands.run("consume", "--until-idle", "0")

    assert ended.code == 2
    assert ended.err.startswith(f"badge-worker: {said}")
    assert "secret" not in ended.err
    assert ready.earned() == {}


@pytest.mark.parametrize("seconds", ["-1", "soon"])
def test_how_long_to_be_idle_is_a_number(bare: Path, seconds: str) -> None:
    del bare

    assert commands.run("consume", "--until-idle", seconds).code == 2


# To the end that a signal makes


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_batch_in_hand_is_finished_before_a_signal_ends_the_consumer(
    ready: Ground,
    queue: RedisStreamQueue,
    redis_url: str,
    spawn: Spawn,
    number: signal.Signals,
    code: int,
) -> None:
    consumer = spawn(CONSUME)
    consumer.wait_for("consumer.started")

    with ready.engine.begin():  # the database's one writer: the batch has to wait for us
        queue.publish([bodies.enrolled(n, user) for n, user in enumerate(["ada", "ben"])])
        wait_until(lambda: _pending(redis_url) == 2, what="both events are in hand")
        consumer.signal(number)
    ended = consumer.wait()

    assert ended == code
    assert ready.states() == {"ada": "earned", "ben": "earned"}
    assert queue.backlog() == 0


# Waiting for what it needs


@pytest.fixture
def late_database(
    bare: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Ground, Forwarder]]:
    """A database that cannot be reached yet."""
    del bare
    engine = make_engine(postgres_url)
    upgrade(engine)
    ground = Ground(engine)
    ground.apply(one=badge(ENROLLED))
    url = make_url(postgres_url)
    assert url.port
    with Forwarder(url.port) as forwarder:
        late = url.set(host="127.0.0.1", port=forwarder.port).render_as_string(hide_password=False)
        monkeypatch.setenv("BADGE_WORKER_DATABASE_URL", late)
        yield ground, forwarder
    engine.dispose()


def test_a_consumer_waits_for_its_database(
    late_database: tuple[Ground, Forwarder], queue: RedisStreamQueue, spawn: Spawn
) -> None:
    ground, forwarder = late_database
    queue.publish([bodies.enrolled(0, "ada")])

    consumer = spawn(CONSUME)
    consumer.wait_for("consumer.waits")
    forwarder.open()
    wait_until(lambda: ground.states() == {"ada": "earned"})
    consumer.signal(signal.SIGTERM)

    assert consumer.wait() == 143
    assert consumer.output().count("consumer.waits") == 1


def test_a_consumer_waits_for_its_queue(
    ready: Ground, queue: RedisStreamQueue, redis_url: str, spawn: Spawn
) -> None:
    queue.publish([bodies.enrolled(0, "ada")])
    url = make_url(redis_url)
    assert url.port

    with Forwarder(url.port) as forwarder:
        late = url.set(host="127.0.0.1", port=forwarder.port).render_as_string(hide_password=False)
        consumer = spawn(CONSUME, {"BADGE_WORKER_EVENTS_URL": late})
        consumer.wait_for("consumer.waits")
        forwarder.open()
        wait_until(lambda: ready.states() == {"ada": "earned"})
        consumer.signal(signal.SIGTERM)

        assert consumer.wait() == 143
    assert consumer.output().count("consumer.waits") == 1


def test_a_signal_ends_a_consumer_that_waits(bare: Path, queue: RedisStreamQueue, spawn: Spawn) -> None:
    del bare, queue
    nowhere = f"postgresql+psycopg://worker@127.0.0.1:{free_port()}/worker"

    consumer = spawn(CONSUME, {"BADGE_WORKER_DATABASE_URL": nowhere})
    consumer.wait_for("consumer.waits")
    consumer.signal(signal.SIGTERM)

    assert consumer.wait() == 143

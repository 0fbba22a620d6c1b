"""Consumers that die, and databases that fail, at any point of a batch: nothing is lost or counted twice."""

from __future__ import annotations

import itertools
import random
import threading
import tracemalloc
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import structlog
from sqlalchemy import make_url, text

from examples.replay import replay
from tests.support.bodies import enrolled, event, met, posted, registered
from tests.support.faults import Killed, Mortal, NoTaskWorkers, consuming, fail_at_first
from tests.support.forwarder import Forwarder
from tests.support.ground import Ground, badge, definitions, now
from tests.support.lives import CRITERIA, Lives
from tests.support.waiting import wait_until
from worker.adapters.database.engine import make_engine
from worker.adapters.database.store import Database
from worker.adapters.queues.memory import MemoryQueue
from worker.awarding import Awarding
from worker.consuming import Consumer, Pace
from worker.errors import QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.ports import Message

BADGES = {badge_id: badge(criteria, issued=True) for badge_id, criteria in CRITERIA.items()}
TWO_POSTS = badge({"social_engagement": {"threshold": 2}})
LIFE = next(
    lives for seed in itertools.count() if len((lives := Lives(seed)).bodies) > 35 and not lives.shuffled
)
POSTS = [posted(1, "ada", "p1"), posted(2, "ada", "p2"), b"junk"]
WAITED = ["consumer.waits", "consumer.goes_on"]


@pytest.fixture
def lived(ground: Ground) -> Ground:
    ground.apply(**BADGES)
    return ground


def test_a_consumer_killed_at_every_point_of_every_batch_loses_nothing(lived: Ground) -> None:
    bodies = [*LIFE.bodies, b"junk"]
    deaths = 0
    for start in range(0, len(bodies), 4):
        deaths += _die_at_every_point(lived, bodies[start : start + 4])

    assert deaths >= 200
    assert_all_is_there(lived, bodies)


def assert_all_is_there(ground: Ground, bodies: list[bytes]) -> None:
    """What is stored is what brute force makes of these, in this order; each award was decided once."""
    reading = replay(definitions(BADGES), bodies, now(), in_order=True)
    histories = {tuple(ground.history(*award)) for award in reading.awards}
    assert ground.earned().keys() == reading.awards.keys()
    assert ground.counts() == ground.recounted() == reading.counts
    assert {letter.body for letter in ground.database.list_dead_letters()} == {b"junk"}
    assert histories <= {("decided",), ("decided", "what it waited for came")}


def _die_at_every_point(ground: Ground, batch: list[bytes]) -> int:
    """Take the batch in, at last; return how often that was cut short."""
    for deaths in itertools.count():
        with Mortal(ground.engine.url, deaths) as process:
            try:
                Awarding(Database(process.engine), now).ingest(batch)
            except Killed:
                continue
        assert not process.died
        assert ground.counts() == ground.recounted()
        return deaths
    raise AssertionError("unreachable")


def test_consumers_killed_one_after_another_at_random_points_lose_nothing(lived: Ground) -> None:
    bodies = [*LIFE.bodies, b"junk"]
    chances = random.Random(7)  # noqa: S311 # repeatable, not secret
    queue = MemoryQueue()
    queue.publish(bodies)
    deaths = 0
    while queue.backlog():
        with Mortal(lived.engine.url, chances.randrange(20 + 8 * deaths)) as process, suppress(Killed):
            awarding = Awarding(Database(process.engine), now)
            Consumer(queue.consumer(), awarding, NoTaskWorkers(), Pace(4, 0)).run(threading.Event(), 0)
        deaths += process.died

    assert deaths > 5
    assert_all_is_there(lived, bodies)


# Waiting until it can go on


@pytest.fixture
def logs() -> Iterator[list[str]]:
    """What consumers say of waiting, in order."""
    said: list[str] = []

    def note(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if str(line["event"]).startswith(("consumer.", "queue.")):
            said.append(str(line["event"]))
        return line

    before = structlog.get_config()["processors"]
    structlog.configure(processors=[note, *before])
    yield said
    structlog.configure(processors=before)


def queue_of(*bodies: bytes) -> MemoryQueue:
    queue = MemoryQueue()
    queue.publish(bodies)
    return queue


def until_done(queue: MemoryQueue) -> None:
    wait_until(lambda: queue.backlog() == 0, what="everything is taken in")


@pytest.mark.parametrize("state", ["40P01", "40001", "53100", "53200", "57P03"])
def test_an_error_that_time_mends_is_tried_again_and_said_once(
    own_postgres: Ground, logs: list[str], state: str
) -> None:
    own_postgres.apply(posts=TWO_POSTS)
    fail_at_first(own_postgres, "activities", state, times=2)
    queue = queue_of(*POSTS)

    with consuming(own_postgres.awarding(), queue):
        until_done(queue)

    assert logs == WAITED
    assert_taken_in_once(own_postgres)


def assert_taken_in_once(ground: Ground) -> None:
    assert ground.history("ada", "posts") == ["decided"]
    assert ground.counts() == {("ada", "post"): 2}
    assert [letter.times for letter in ground.database.list_dead_letters()] == [1]


def test_a_batch_that_loses_a_deadlock_is_tried_again(postgres: Ground, logs: list[str]) -> None:
    postgres.ingest(registered(0, "ada"), registered(0, "bob"))
    queue = queue_of(met(1, "ada", "bob"))
    lock = "SELECT 1 FROM users WHERE user_id = :user FOR UPDATE"

    with postgres.engine.connect() as other, consuming(postgres.awarding(), queue):
        other.execute(text(lock), {"user": "bob"})
        wait_until(postgres.waiting)
        other.execute(text(lock), {"user": "ada"})
        other.commit()
        until_done(queue)

    assert logs == WAITED
    assert postgres.counts() == {("ada", "connected"): 1, ("bob", "connected"): 1}


def test_a_batch_whose_connection_is_cut_in_the_middle_is_tried_again(
    postgres: Ground, logs: list[str]
) -> None:
    postgres.apply(posts=TWO_POSTS)
    queue = queue_of(*POSTS)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

    with postgres.engine.connect() as other, consuming(postgres.awarding(), queue):
        other.execute(text("LOCK TABLE activities IN EXCLUSIVE MODE"))
        wait_until(postgres.waiting)
        other.execute(text(cut))
        wait_until(lambda: logs)
        other.commit()
        until_done(queue)

    assert logs == WAITED
    assert_taken_in_once(postgres)


def test_a_database_that_is_gone_for_a_while_is_waited_for(postgres: Ground, logs: list[str]) -> None:
    postgres.apply(posts=TWO_POSTS)
    url = make_url(postgres.engine.url)
    queue = queue_of(POSTS[0])

    with Forwarder(url.port or 5432) as way:
        engine = make_engine(url.set(host="127.0.0.1", port=way.port).render_as_string(hide_password=False))
        way.open()
        with consuming(Awarding(Database(engine), now), queue):
            until_done(queue)
            way.close()
            queue.publish(POSTS[1:])
            wait_until(lambda: logs)
            way.open()
            until_done(queue)
        engine.dispose()

    assert logs == WAITED
    assert_taken_in_once(postgres)


def test_a_full_disk_is_waited_for(sqlite: Ground, logs: list[str]) -> None:
    sqlite.apply(posts=TWO_POSTS)
    queue = queue_of(*POSTS, *(posted(9, f"user-{number}", "p" * 200) for number in range(200)))
    limit_pages(sqlite, "(SELECT page_count FROM pragma_page_count())")

    with consuming(sqlite.awarding(), queue, size=500):
        wait_until(lambda: logs)
        limit_pages(sqlite, "1073741823")
        until_done(queue)

    assert logs == WAITED
    assert sqlite.history("ada", "posts") == ["decided"]
    assert sum(sqlite.counts().values()) == 202


def limit_pages(ground: Ground, pages: str) -> None:
    """Let the database file have so many pages at most, for each connection that there is."""
    with ground.engine.connect() as connection:
        most = connection.exec_driver_sql(f"SELECT {pages}").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")


class Forgetful(MemoryQueue):
    """A queue that cannot be reached when something is acknowledged."""

    def acknowledge(self, messages: Sequence[Message]) -> None:
        raise QueueUnavailable(f"gone with {len(messages)} messages")


def test_what_could_not_be_acknowledged_comes_again_and_changes_nothing(
    ground: Ground, logs: list[str]
) -> None:
    ground.apply(posts=TWO_POSTS)
    queue = Forgetful()
    queue.publish(POSTS)

    with consuming(ground.awarding(), queue):
        wait_until(lambda: logs)
    left = queue.backlog()
    others = queue.consumer()
    with consuming(ground.awarding(), others):
        until_done(others)

    assert (logs, left) == (["queue.not_acknowledged"], 3)
    assert ground.history("ada", "posts") == ["decided"]
    assert ground.counts() == {("ada", "post"): 2}


# Memory


def test_memory_stays_flat(sqlite: Ground) -> None:
    sqlite.apply(**BADGES)
    queue = MemoryQueue()
    consumer = Consumer(queue, sqlite.awarding(), NoTaskWorkers(), Pace(100, 0))
    tracemalloc.start()
    try:
        grown = [take_in(consumer, queue, batch) for batch in range(5)]
    finally:
        tracemalloc.stop()

    # What leaks, leaks each time; a cache may be filled for the first time in any of them.
    assert min(later - earlier for earlier, later in pairwise(grown[1:])) < 100_000


def take_in(consumer: Consumer, queue: MemoryQueue, part: int) -> int:
    """Let it take in 500 events, no two alike, and return how much memory is in use then."""
    for number in range(part * 100, (part + 1) * 100):
        who = f"user-{number}"
        queue.publish([enrolled(1, who), posted(2, who, who), met(3, who, "b"), b"junk %d" % number])
        queue.publish([event(f"course.rated-{number}", 1)])
    consumer.run(threading.Event(), until_idle=0)
    return tracemalloc.get_traced_memory()[0]

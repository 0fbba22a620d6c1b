"""Two consumers at once on a real PostgreSQL: nothing is lost, doubled or deadlocked (design.md 1)."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import text

from examples.replay import replay
from tests.support.bodies import (
    DAY,
    at,
    blocked,
    completed,
    enrolled,
    met,
    posted,
    registered,
    unblocked,
    unposted,
    updated,
)
from tests.support.ground import Ground, badge, read
from tests.support.population import population, untidied
from tests.support.running import Running
from worker.applying import apply

TWO_POSTS = badge({"social_engagement": {"threshold": 2}})
TWO_A_WEEK = badge({"social_connection": {"threshold": 2, "period": 7 * DAY}})
ENROL = badge({"lp_enroll": {"learning_path_id": "40"}}, issued=True)


@pytest.fixture
def known(postgres: Ground) -> Ground:
    """Ground that knows its users; two who insert the same new one wait for each other in any case."""
    postgres.ingest(*(registered(0, name) for name in ("ada", "bob", "eve")))
    return postgres


def at_once(ground: Ground, first: bytes, second: bytes) -> None:
    """Let one consumer stand before its commit until the other waits for it, or is through."""
    with ground.holding_batch(first) as one:
        other = Running(lambda: ground.ingest(second))
        ground.until_waiting(other)
        one.commits()
        other.result()


def test_what_only_both_their_events_reach_is_awarded_once(known: Ground) -> None:
    known.apply(posts=TWO_POSTS, week=TWO_A_WEEK)

    at_once(known, posted(1, "ada", "p1"), posted(2, "ada", "p2"))
    at_once(known, met(1, "ada", "bob"), met(2, "eve", "ada"))

    assert known.earned() == {("ada", "posts"): at(2), ("ada", "week"): at(2)}
    assert known.counts() == known.recounted()
    assert known.history("ada", "posts") == ["decided"]


PATH_AND_POST = badge(
    {"all_of": [{"lp_enroll": {"learning_path_id": "40"}}, {"social_engagement": {"threshold": 1}}]}
)
TWO_WAYS = badge(
    {
        "any_of": [
            {"all_of": [{"lp_passed": {"learning_path_id": "40"}}, {"social_connection": {"threshold": 1}}]},
            {"social_engagement": {"threshold": 99}},
        ]
    }
)


def test_leaves_of_different_kinds_that_only_both_reach_are_awarded_once(known: Ground) -> None:
    """Nothing but the users' locks lets the two meet: their activities and counts are different rows."""
    known.apply(both=PATH_AND_POST, ways=TWO_WAYS)

    at_once(known, enrolled(1, "ada"), posted(2, "ada", "p1"))
    at_once(known, posted(2, "bob", "p2"), enrolled(1, "bob"))
    at_once(known, completed(3, "eve", passed=True), met(4, "eve", "zoe"))
    at_once(known, met(4, "ada", "yan"), completed(3, "ada", passed=True))

    assert known.earned() == {
        ("ada", "both"): at(2),
        ("bob", "both"): at(2),
        ("eve", "ways"): at(4),
        ("ada", "ways"): at(4),
    }
    assert known.history("ada", "both") == known.history("bob", "both") == ["decided"]


def test_a_block_that_ends_with_one_and_the_last_leaf_with_the_other_earn_together(known: Ground) -> None:
    known.apply(both=PATH_AND_POST)
    for name, first in (("ada", unblocked(9, "ada")), ("bob", enrolled(3, "bob"))):
        known.ingest(posted(1, name, "p"), blocked(2, name))
        at_once(known, first, enrolled(3, "ada") if name == "ada" else unblocked(9, "bob"))

    assert known.earned() == {("ada", "both"): at(9), ("bob", "both"): at(9)}


def test_the_same_event_with_both_counts_once(known: Ground) -> None:
    body = met(1, "ada", "bob")

    at_once(known, body, body)

    assert known.counts() == {("ada", "connected"): 1, ("bob", "connected"): 1}


def test_a_beginning_with_one_and_its_removal_with_the_other_are_both_kept(known: Ground) -> None:
    at_once(known, posted(1, "ada", "p"), unposted(2, "ada", "p"))
    at_once(known, unposted(2, "ada", "q"), posted(1, "ada", "q"))

    assert known.recounted() == known.counts() == {}


def test_an_unblock_with_one_and_the_last_post_with_the_other_earn_together(known: Ground) -> None:
    known.apply(posts=TWO_POSTS)
    for name, first, second in (("ada", unblocked, posted), ("bob", posted, unblocked)):
        known.ingest(posted(1, name, "p1"), blocked(2, name))
        last = {unblocked: unblocked(9, name), posted: posted(3, name, "p2")}
        at_once(known, last[first], last[second])

    assert known.earned() == {("ada", "posts"): at(9), ("bob", "posts"): at(9)}


def test_an_address_with_one_and_the_award_with_the_other_do_not_miss_each_other(known: Ground) -> None:
    known.apply(enrol=ENROL)

    at_once(known, updated(1, "ada", email="ada@example.org"), enrolled(2, "ada"))
    at_once(known, enrolled(2, "bob"), updated(1, "bob", email="bob@example.org"))

    assert known.states() == {"ada": "pending", "bob": "pending"}


def test_the_same_event_about_new_people_with_both_counts_once(postgres: Ground) -> None:
    body = met(1, "new", "newer")

    at_once(postgres, body, body)

    assert postgres.counts() == {("new", "connected"): 1, ("newer", "connected"): 1}


def test_consumers_with_different_users_do_not_wait_for_each_other(postgres: Ground) -> None:
    with postgres.holding_batch(posted(1, "ada", "p")):
        other = Running(lambda: postgres.ingest(posted(1, "bob", "p")))

        assert other.result().events == 1


def test_users_are_locked_in_the_order_of_their_ids(postgres: Ground) -> None:
    """Not in that of the table or of the events: else two consumers could wait for each other."""
    for name in ("z", "m", "a"):
        postgres.ingest(posted(1, name, "p"))
    with postgres.engine.connect() as one, postgres.engine.connect() as other:
        one.execute(text("SELECT 1 FROM users WHERE user_id = 'a' FOR NO KEY UPDATE"))
        consumer = Running(lambda: postgres.ingest(met(2, "z", "a"), posted(3, "m", "q")))
        postgres.until_waiting(consumer)

        free = other.execute(text("SELECT user_id FROM users FOR NO KEY UPDATE SKIP LOCKED")).scalars().all()

        other.rollback()
        one.rollback()
        consumer.result()
    assert sorted(free) == ["m", "z"]


def test_missing_users_are_inserted_in_the_order_of_their_ids(postgres: Ground) -> None:
    with postgres.engine.connect() as one, postgres.engine.connect() as other:
        one.execute(text("INSERT INTO users (user_id) VALUES ('a')"))
        consumer = Running(lambda: postgres.ingest(met(2, "z", "a"), posted(3, "m", "q")))
        postgres.until_waiting(consumer)

        other.execute(text("SET LOCAL lock_timeout = '500ms'"))
        added = other.execute(text("INSERT INTO users (user_id) VALUES ('z'), ('m') ON CONFLICT DO NOTHING"))

        assert added.rowcount == 2
        other.rollback()
        one.rollback()
        consumer.result()


def test_four_consumers_of_a_repeated_and_shuffled_stream_find_what_a_second_reading_finds(
    postgres: Ground,
) -> None:
    crowd = population(people=10, events=250, seed=7)
    apply(postgres.database, read(crowd.definitions))
    streams = [untidied(crowd.bodies[part::2], seed=part) for part in (0, 1)] * 2

    consumers = [Running(partial(postgres.ingest, *stream, size=9)) for stream in streams]
    for consumer in consumers:
        consumer.result()

    expected = replay(crowd.definitions, streams[0] + streams[1], datetime.now(UTC))
    assert len(expected.awards) > 20
    assert postgres.earned().keys() == expected.awards.keys()
    assert postgres.counts() == postgres.recounted() == expected.counts


def test_many_people_in_any_order_are_no_deadlock(postgres: Ground) -> None:
    people = [f"user-{number}" for number in range(30)]
    orders = [random.Random(seed).sample(people, 30) for seed in range(4)]  # noqa: S311 # repeatable

    def take_in(order: list[str]) -> int:
        bodies = [completed(1, name, passed=True) for name in order]
        return sum(postgres.ingest(*bodies).events for _ in range(5))

    consumers = [Running(partial(take_in, order)) for order in orders]

    assert [consumer.result() for consumer in consumers] == [150] * 4
    assert set(postgres.counts().values()) == {1}

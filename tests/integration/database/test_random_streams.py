"""Random streams: the tables hold what they should, and what a second reading by brute force finds."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples.replay import Reading, replay
from tests.support import bodies as say
from tests.support.ground import Ground, badge, definitions

BADGES: dict[str, dict[str, Any]] = {
    "enrol": badge({"lp_enroll": {"learning_path_id": "1"}}, issued=True),
    "complete": badge({"lp_complete": {"learning_path_id": "1"}}),
    "pass": badge({"lp_passed": {"learning_path_id": "2"}}, issued=True),
    "posts": badge({"social_engagement": {"threshold": 2}}),
    "friends": badge({"social_connection": {"threshold": 2}}, issued=True),
    "span": badge({"social_connection": {"threshold": 2, "period": 5}}),
    "age": badge({"registered_for": {"threshold": 60}}),
}
SWEPT_TO = datetime.now(UTC) - timedelta(minutes=1)
PEOPLE, OBJECTS = st.sampled_from("abc"), st.sampled_from("12")
PAIRS = st.permutations("abc").map(lambda people: people[:2])
TIMES = st.integers(0, 20)
FLAGS = st.sampled_from([True, False, None])
GROWING = st.one_of(
    st.builds(say.enrolled, TIMES, PEOPLE, OBJECTS),
    st.builds(say.unenrolled, TIMES, PEOPLE, OBJECTS),
    st.builds(
        lambda when, who, path, passed, score: say.completed(
            when, who, path, passed=passed, score=score, required_score=80
        ),
        TIMES,
        PEOPLE,
        OBJECTS,
        FLAGS,
        st.sampled_from([79, 80]),
    ),
    st.builds(say.posted, TIMES, PEOPLE, OBJECTS),
    st.builds(lambda when, pair: say.met(when, *pair), TIMES, PAIRS),
    st.builds(lambda when, who: say.registered(when, who, email=f"{who}@example.org"), TIMES, PEOPLE),
    st.builds(lambda when, who: say.registered(when, who, is_active=True), TIMES, PEOPLE),
    st.builds(say.unblocked, TIMES, PEOPLE),
    st.builds(lambda when, who: say.updated(when, who, scope="AUTHENTICATED"), TIMES, PEOPLE),
)
TAKING = st.one_of(
    st.builds(say.unposted, TIMES, PEOPLE, OBJECTS),
    st.builds(lambda when, pair: say.parted(when, *pair), TIMES, PAIRS),
    st.builds(say.blocked, TIMES, PEOPLE),
    st.builds(lambda when, who: say.updated(when, who, is_active=False), TIMES, PEOPLE),
    st.builds(lambda when, who: say.updated(when, who, scope="ANONYMOUS"), TIMES, PEOPLE),
    st.builds(say.deleted, TIMES, st.just("c")),
)
BROKEN = st.sampled_from([b"junk", b"{}", say.event("course.rated", 1)])
STATES = {"issued": "pending", "waiting": "waiting", "earned": "earned"}
SMALL = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,  # the same streams every time; other seeds are for a person to try
)


@pytest.fixture(scope="module")
def ready(lasting_ground: Ground) -> Ground:
    lasting_ground.apply(**BADGES)
    lasting_ground.swept_to(SWEPT_TO)
    return lasting_ground


def second_reading(stream: list[bytes], *, in_order: bool) -> Reading:
    return replay(definitions(BADGES), stream, SWEPT_TO, in_order=in_order)


def assert_counts(ground: Ground, reading: Reading) -> None:
    assert ground.counts() == ground.recounted() == reading.counts


@SMALL
@given(stream=st.lists(GROWING | TAKING | BROKEN, max_size=20), size=st.integers(1, 7))
def test_whatever_comes_counts_are_what_the_activities_say(
    ready: Ground, stream: list[bytes], size: int
) -> None:
    ready.clear()

    ready.ingest(*stream, size=size)

    reading = second_reading(stream, in_order=True)
    assert_counts(ready, reading)
    assert sum(letter.times for letter in ready.database.list_dead_letters()) == len(reading.dead_letters)


@SMALL
@given(stream=st.lists(GROWING | TAKING, max_size=20), size=st.integers(1, 7))
def test_who_earns_is_what_a_second_reading_event_by_event_finds(
    ready: Ground, stream: list[bytes], size: int
) -> None:
    ready.clear()

    ready.ingest(*stream, size=size)

    assert ready.earned().keys() == second_reading(stream, in_order=True).awards.keys()


@SMALL
@given(stream=st.lists(GROWING | TAKING, max_size=20))
def test_one_by_one_everything_about_an_award_is_what_a_second_reading_finds(
    ready: Ground, stream: list[bytes]
) -> None:
    ready.clear()

    ready.ingest(*stream, size=1)

    reading = second_reading(stream, in_order=True)
    assert ready.earned() == {pair: award.earned_at for pair, award in reading.awards.items()}
    assert_states(ready, reading)


@SMALL
@given(stream=st.lists(GROWING, max_size=20), size=st.integers(1, 9), seed=st.integers(0, 99))
def test_growing_streams_earn_the_same_in_any_order_of_any_batches(
    ready: Ground, stream: list[bytes], size: int, seed: int
) -> None:
    ready.clear()
    shuffled = stream + stream[::2]
    random.Random(seed).shuffle(shuffled)  # noqa: S311 # repeatable, not secret

    ready.ingest(*shuffled, size=size)

    reading = second_reading(stream, in_order=False)
    assert ready.earned().keys() == reading.awards.keys()
    assert_counts(ready, reading)
    assert_states(ready, reading)


def assert_states(ground: Ground, reading: Reading) -> None:
    for (user_id, badge_id), award in reading.awards.items():
        row = ground.award(user_id, badge_id)
        assert row is not None
        assert row.state == STATES[award.state]

"""Arbitrary streams, through the real ingestion on both databases, held to a second reading by brute force.

A quick look by default; BADGE_WORKER_TEST_EXAMPLES=2000 tries so many of each kind, other ones each time.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples.replay import Reading, replay
from tests.support.bodies import DAY, at
from tests.support.ground import Ground, badge, definitions, read
from tests.support.running import Running
from tests.support.streams import Bodies, arbitrary, freed, growing, orderly, repeated
from worker.adapters.database.listings import AwardFilter
from worker.applying import apply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

POSTS: dict[str, Any] = {"social_engagement": {"threshold": 2}}
FRIENDS: dict[str, Any] = {"social_connection": {"threshold": 2}}
SPAN: dict[str, Any] = {"social_connection": {"threshold": 2, "period": 5}}
ENROLLED: dict[str, Any] = {"lp_enroll": {"learning_path_id": "1"}}
PASSED: dict[str, Any] = {"lp_passed": {"learning_path_id": "2"}}
OLD: dict[str, Any] = {"registered_for": {"threshold": 7}}
NOT_YET: dict[str, Any] = {"registered_for": {"threshold": 1000 * DAY}}
BADGES = {
    "enrolled": badge(ENROLLED, issued=True),
    "completed": badge({"lp_complete": {"learning_path_id": "1"}}),
    "passed": badge(PASSED, issued=True, by="partner"),
    "posts": badge(POSTS),
    "three-posts": badge({"social_engagement": {"threshold": 3}}),
    "friends": badge(FRIENDS, issued=True),
    "three-friends": badge({"social_connection": {"threshold": 3}}),
    "span": badge(SPAN),
    "long-span": badge({"social_connection": {"threshold": 3, "period": 9}}),
    "old": badge(OLD),
    "very-old": badge(NOT_YET),
    "all": badge({"all_of": [POSTS, FRIENDS]}),
    "all-old": badge({"all_of": [OLD, SPAN]}),
    "any": badge({"any_of": [PASSED, SPAN, NOT_YET]}, issued=True),
    "either": badge({"any_of": [{"all_of": [ENROLLED, POSTS]}, {"all_of": [PASSED, FRIENDS]}]}),
}
# What decides late by the clock alone is known at once when the clock is far ahead: `earned_at` then depends
# on what was known by then, not on the order of time.
BY_CLOCK = {"any-old": badge({"any_of": [OLD, POSTS]})}
CLOCK = at(100)
DEEP = os.environ.get("BADGE_WORKER_TEST_EXAMPLES")
EXAMPLES = settings(
    max_examples=int(DEEP or 30),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=not DEEP,
    print_blob=True,
)
MOST = 70 if DEEP else 25  # events in a stream
SIZES = st.integers(1, 9) | st.just(MOST)
SEEDS = st.integers(0, 999)


@pytest.fixture(scope="module")
def ready(lasting_ground: Ground) -> Ground:
    apply(lasting_ground.database, read(definitions({**BADGES, **BY_CLOCK})))
    lasting_ground.swept_to(CLOCK)
    return lasting_ground


def oracle(stream: Bodies, *, in_order: bool) -> Reading:
    return replay(definitions({**BADGES, **BY_CLOCK}), stream, CLOCK, in_order=in_order)


def by_time(awards: dict[tuple[str, str], datetime]) -> dict[tuple[str, str], datetime]:
    return {(user_id, name): when for (user_id, name), when in awards.items() if name not in BY_CLOCK}


def instants(reading: Reading) -> dict[tuple[str, str], datetime]:
    return {key: award.earned_at for key, award in reading.awards.items()}


def states(ground: Ground) -> dict[tuple[str, str], str]:
    rows = ground.database.list_awards(AwardFilter())
    return {(row.user_id, row.badge_id): {"pending": "issued"}.get(row.state, row.state) for row in rows}


def letters(ground: Ground) -> dict[str, int]:
    return {letter.id: letter.times for letter in ground.database.list_dead_letters()}


def assert_the_same(ground: Ground, reading: Reading) -> None:
    """Awards with their states, counts and dead letters are what the oracle says."""
    assert states(ground) == {key: award.state for key, award in reading.awards.items()}
    assert_counted(ground, reading)


def assert_counted(ground: Ground, reading: Reading) -> None:
    assert ground.counts() == ground.recounted() == reading.counts
    buried = Counter(hashlib.sha256(body).hexdigest() for _, body in reading.dead_letters)
    assert letters(ground) == buried


def after_each_batch(ground: Ground, stream: Bodies, size: int) -> Iterator[Bodies]:
    """Let one consumer take the stream in; after each batch, give all that it has seen.

    At the end alone, what one batch missed could have been made up for by a later one.
    """
    awarding = ground.awarding()
    for start in range(0, len(stream), size):
        awarding.ingest(stream[start : start + size])
        yield stream[: start + size]


def shuffled(stream: Bodies, seed: int, times: int = 1) -> Bodies:
    """Return the stream out of order, a part of it twice."""
    rng = random.Random(seed)  # noqa: S311 # repeatable, not secret
    mixed = stream * times + rng.sample(stream, len(stream) // 3)
    rng.shuffle(mixed)
    return mixed


@EXAMPLES
@given(stream=growing(MOST), size=SIZES, seed=SEEDS)
def test_what_only_grows_leads_to_the_same_in_any_order(
    ready: Ground, stream: Bodies, size: int, seed: int
) -> None:
    ready.clear()
    mixed = shuffled(stream, seed)

    for seen in after_each_batch(ready, mixed, size):
        assert_the_same(ready, oracle(seen, in_order=False))


@EXAMPLES
@given(stream=growing(MOST), sizes=st.tuples(SIZES, SIZES), seed=SEEDS)
def test_what_only_grows_leads_to_the_same_with_two_consumers(
    ready: Ground, stream: Bodies, sizes: tuple[int, int], seed: int
) -> None:
    ready.clear()
    mixed = shuffled(stream, seed)

    two_consumers(ready, mixed, sizes)

    assert_the_same(ready, oracle(mixed, in_order=False))


def two_consumers(ground: Ground, stream: Bodies, sizes: tuple[int, int]) -> None:
    """Let each take in every other event, in batches of a size of its own."""
    parts = (stream[0::2], stream[1::2])
    running = [
        Running(partial(ground.ingest, *part, size=size)) for part, size in zip(parts, sizes, strict=True)
    ]
    for each in running:
        each.result()


@EXAMPLES
@given(stream=arbitrary(MOST), sizes=st.tuples(SIZES, SIZES), seed=SEEDS)
def test_whatever_is_taken_away_two_consumers_count_the_same_in_any_order(
    ready: Ground, stream: Bodies, sizes: tuple[int, int], seed: int
) -> None:
    ready.clear()
    mixed = shuffled(stream, seed)

    two_consumers(ready, mixed, sizes)

    assert_counted(ready, oracle(mixed, in_order=True))


@EXAMPLES
@given(stream=repeated(arbitrary(MOST)), size=SIZES)
def test_whatever_is_taken_away_every_size_of_batch_leads_to_the_same(
    ready: Ground, stream: Bodies, size: int
) -> None:
    ready.clear()

    for seen in after_each_batch(ready, stream, size):
        reading = oracle(seen, in_order=True)
        assert_the_same(ready, reading)
        if size == 1:
            assert ready.earned() == instants(reading)


@EXAMPLES
@given(batches=freed())
def test_whatever_comes_along_with_the_end_of_a_block_everything_is_evaluated(
    ready: Ground, batches: list[Bodies]
) -> None:
    ready.clear()

    for batch in batches:
        ready.ingest(*batch)

    assert_the_same(ready, oracle([body for batch in batches for body in batch], in_order=True))


@EXAMPLES
@given(stream=repeated(orderly(MOST)), size=SIZES)
def test_in_the_order_of_time_badges_are_earned_at_the_same_instant(
    ready: Ground, stream: Bodies, size: int
) -> None:
    ready.clear()

    for seen in after_each_batch(ready, stream, size):
        reading = oracle(seen, in_order=True)
        assert_the_same(ready, reading)
        assert by_time(ready.earned()) == by_time(instants(reading))

"""The vectors that were worked out by hand, from bodies to tables (numbers as in the facts, 14)."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.support.bodies import (
    DAY,
    at,
    blocked,
    completed,
    deleted,
    enrolled,
    met,
    parted,
    posted,
    registered,
    unblocked,
    unenrolled,
    unposted,
    updated,
)
from tests.support.ground import Ground, badge, now
from worker.adapters.queues import open_queue
from worker.consuming import Consumer, Pace
from worker.reevaluation import sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

SAME = met(1, "a", "b")
THREE = {"social_connection": {"threshold": 3}}
THREE_A_WEEK = {"social_connection": {"threshold": 3, "period": 7 * DAY}}
FIVE_POSTS = {"social_engagement": {"threshold": 5}}
ENROL = {"lp_enroll": {"learning_path_id": "40"}}
COMPLETE = {"lp_complete": {"learning_path_id": "40"}}
PASS = {"lp_passed": {"learning_path_id": "40"}}
AGE = {"registered_for": {"threshold": 24 * 60}}


def meetings(*days: float) -> list[bytes]:
    return [met(day * DAY, "a", f"other-{day}") for day in days]


def posts(number: int) -> list[bytes]:
    return [posted(when, "a", f"p{when}", parent="p0" if when > 2 else None) for when in range(number)]


class Vector(NamedTuple):
    """What is given, and when `a` earns the badge: in seconds, minutes where the clock decides, or never."""

    criterion: dict[str, Any]
    bodies: Sequence[bytes]
    moment: float | None
    id: str


VECTORS = [
    Vector(THREE, meetings(0, 10, 20, 30), 20 * DAY, id="1-the-third-counts"),
    Vector(THREE_A_WEEK, meetings(0, 3, 8), None, id="2-eight-days-are-too-long"),
    Vector(THREE_A_WEEK, meetings(0, 3, 8, 9), 9 * DAY, id="2-a-later-span-fits"),
    Vector(THREE_A_WEEK, meetings(0, 5, 7), 7 * DAY, id="3-ends-included"),
    Vector(THREE_A_WEEK, meetings(9, 8, 3), 9 * DAY, id="4-any-order"),
    Vector(
        THREE,
        [met(1, "a", "b"), met(2, "a", "c"), parted(3, "a", "b"), met(4, "a", "d")],
        None,
        id="5-a-removal-before-the-third",
    ),
    Vector(
        THREE,
        [met(1, "a", "b"), met(2, "a", "c"), met(3, "a", "d"), parted(4, "a", "b")],
        3,
        id="6-a-removal-after-the-third",
    ),
    Vector(THREE, [met(1, "a", "b"), met(2, "b", "a"), met(3, "a", "c")], None, id="7-the-same-pair-twice"),
    Vector(FIVE_POSTS, [*posts(5)[:4], unposted(9, "a", "p4"), *posts(5)[4:]], None, id="11-one-deleted"),
    Vector(FIVE_POSTS, posts(5), 4, id="12-comments-count"),
    Vector(COMPLETE, [completed(5, "a", passed=False)], 5, id="13-failed-is-complete"),
    Vector(PASS, [completed(5, "a", passed=False)], None, id="13-failed-is-not-passed"),
    Vector(PASS, [completed(5, "a", passed=False), completed(9, "a", passed=True)], 9, id="14-passed-later"),
    Vector(
        COMPLETE,
        [completed(5, "a", passed=False), completed(9, "a", passed=True)],
        5,
        id="14-complete-before",
    ),
    Vector(PASS, [completed(5, "a", score=80, required_score=80)], 5, id="15-the-scores-decide"),
    Vector(PASS, [completed(5, "a")], None, id="16-undecided"),
    Vector(COMPLETE, [completed(5, "a"), enrolled(1, "a")], 5, id="17-complete-before-enrolled"),
    Vector(ENROL, [completed(5, "a"), enrolled(1, "a")], 1, id="17-enrolled-afterwards"),
    Vector(ENROL, [enrolled(1, "a"), unenrolled(2, "a"), enrolled(3, "a")], 1, id="18-left-and-back"),
]


@pytest.fixture(scope="module")
def all_badges(lasting_ground: Ground) -> Ground:
    """Ground with a badge for each criterion of the vectors, named by its place."""
    lasting_ground.apply(**{name_of(criterion): badge(criterion) for criterion in CRITERIA})
    return lasting_ground


CRITERIA: list[dict[str, Any]] = [THREE, THREE_A_WEEK, FIVE_POSTS, ENROL, COMPLETE, PASS, AGE]


def name_of(criterion: dict[str, Any]) -> str:
    return f"badge-{CRITERIA.index(criterion)}"


def by_its_number(vector: Vector | Count) -> str:
    return vector.id


@pytest.mark.parametrize("vector", VECTORS, ids=by_its_number)
@pytest.mark.parametrize("size", [1, 500])
def test_a_badge_is_earned_at(all_badges: Ground, vector: Vector, size: int) -> None:
    all_badges.clear()

    all_badges.ingest(*vector.bodies, size=size)

    earned = all_badges.earned().get(("a", name_of(vector.criterion)))
    assert earned == (None if vector.moment is None else at(vector.moment))


TOGETHER = {("a", "connected"): 1, ("b", "connected"): 1}
TWO_OF_THREE = {("a", "connected"): 2, ("c", "connected"): 1, ("d", "connected"): 1}


class Count(NamedTuple):
    """What is given, and the counts that it leads to."""

    bodies: Sequence[bytes]
    counts: dict[tuple[str, str], int]
    id: str


COUNTS = [
    Count(
        [met(1, "a", "b"), met(2, "a", "c"), parted(3, "a", "b"), met(4, "a", "d")],
        TWO_OF_THREE,
        id="5-two-are-left",
    ),
    Count(
        [met(1, "a", "b"), met(2, "a", "c"), met(3, "a", "d"), parted(4, "a", "b")],
        TWO_OF_THREE,
        id="6-after-the-award-too",
    ),
    Count([met(1, "a", "b"), met(2, "b", "a")], TOGETHER, id="7-one-pair-is-one"),
    Count([SAME, SAME, SAME], TOGETHER, id="8-the-same-event-three-times"),
    Count([met(1, "a", "b")], TOGETHER, id="9-it-counts-for-both"),
    Count([parted(5, "a", "b"), met(3, "a", "b")], {}, id="10-the-removal-comes-first"),
]


@pytest.mark.parametrize("vector", COUNTS, ids=by_its_number)
@pytest.mark.parametrize("size", [1, 500])
def test_the_counts_are(all_badges: Ground, vector: Count, size: int) -> None:
    all_badges.clear()

    all_badges.ingest(*vector.bodies, size=size)

    assert all_badges.counts() == all_badges.recounted() == vector.counts


def test_leaving_and_enrolling_in_any_order_earns_at_the_first_time(ground: Ground) -> None:
    ground.apply(badge=badge(ENROL))

    for order in permutations([enrolled(3, "a"), unenrolled(4, "a"), enrolled(9, "a")]):
        ground.clear()
        ground.ingest(*order)
        assert ground.earned() == {("a", "badge"): at(3)}


# By the clock, in minutes, so that one step of the sweep goes all the way.

REGISTERED = now() - timedelta(minutes=50)


def minute(number: float) -> datetime:
    return REGISTERED + timedelta(minutes=number)


BY_THE_CLOCK = [
    Vector(AGE, [], 24, id="19-the-clock-awards"),
    Vector(AGE, [blocked(minute(20), "a"), unblocked(minute(30), "a")], 30, id="20-blocked-over-the-instant"),
    Vector(AGE, [blocked(minute(20), "a")], None, id="blocked-for-good"),
    Vector(AGE, [blocked(minute(9), "a"), unblocked(minute(9), "a")], None, id="a-tie-blocks"),
    Vector(AGE, [deleted(minute(2), "a")], None, id="deleted"),
    Vector(AGE, [updated(minute(2), "a", scope="ANONYMOUS")], None, id="anonymous"),
    Vector(
        AGE,
        [updated(minute(2), "a", is_active=False), updated(minute(12), "a", is_active=True)],
        24,
        id="active",
    ),
]


def in_minutes(vector: Vector) -> dict[tuple[str, str], datetime]:
    return {} if vector.moment is None else {("a", name_of(AGE)): minute(vector.moment)}


@pytest.mark.parametrize("vector", BY_THE_CLOCK, ids=by_its_number)
def test_21_a_badge_is_earned_at_its_instant_however_late_the_sweep_is(
    all_badges: Ground, vector: Vector
) -> None:
    all_badges.clear()
    all_badges.swept_to(minute(1))

    all_badges.ingest(registered(REGISTERED, "a"), *vector.bodies, size=1)
    before = all_badges.earned()
    sweep(all_badges.database)

    assert before == {}
    assert all_badges.earned() == in_minutes(vector)


@pytest.mark.parametrize("vector", BY_THE_CLOCK, ids=by_its_number)
def test_a_badge_is_earned_at_its_instant_however_late_the_registration_is(
    all_badges: Ground, vector: Vector
) -> None:
    all_badges.clear()
    all_badges.swept_to(minute(49))

    all_badges.ingest(*vector.bodies, registered(REGISTERED, "a"), size=1)

    assert all_badges.earned() == in_minutes(vector)


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_an_age_is_reached_to_the_second_and_counts_from_the_earliest_registration(
    all_badges: Ground, moved: int
) -> None:
    all_badges.clear()
    all_badges.swept_to(minute(24) + timedelta(seconds=moved - 1))

    all_badges.ingest(registered(minute(3), "a"), registered(REGISTERED, "a"), registered(minute(5), "a"))

    assert all_badges.earned() == ({("a", name_of(AGE)): minute(24)} if moved else {})


def test_22_a_badge_that_is_published_again_is_earned_at_the_time_of_the_activity(ground: Ground) -> None:
    ground.apply(badge=badge(ENROL, status="disabled"))
    ground.ingest(enrolled(7, "a"))
    while_disabled = ground.earned()

    ground.apply(badge=badge(ENROL))

    assert while_disabled == {}
    assert ground.earned() == {("a", "badge"): at(7)}


# All of them once more, from the queue to the database at once, with people of their own.


class NoTaskWorkers:
    """Nobody issues anything here."""

    def nudge(self) -> None:
        pass

    def send(self, call: object) -> None:
        raise NotImplementedError(call)


def consume(ground: Ground, redis_url: str, bodies: list[bytes]) -> None:
    queue = open_queue(f"{redis_url}?stream=badge-events")
    queue.publish(bodies)
    done = Consumer(queue, ground.awarding(), NoTaskWorkers(), Pace(size=7)).run(threading.Event(), 0)
    assert done.events == len(bodies)


def as_others(name: str, bodies: Sequence[bytes]) -> list[bytes]:
    """Return the bodies about people of this name."""
    renamed = []
    for event in map(json.loads, bodies):
        data = event["data"]
        if "user_ids" in data:
            data["user_ids"] = [f"{name} {user_id}" for user_id in data["user_ids"]]
        else:
            data["user_id"] = f"{name} {data['user_id']}"
        renamed.append(json.dumps(event).encode())
    return renamed


def test_1_to_22_from_the_queue_to_the_database(ground: Ground, redis_url: str) -> None:
    by_name = {name_of(criterion): badge(criterion) for criterion in CRITERIA}
    ground.apply(**by_name, late=badge(ENROL, status="disabled"))
    ground.swept_to(minute(1))
    bodies = as_others("22", [enrolled(7, "a")])
    expected: dict[tuple[str, str], datetime | None] = {("22 a", "late"): at(7)}
    for vector in [*VECTORS, *BY_THE_CLOCK]:
        by_clock = vector in BY_THE_CLOCK
        bodies += as_others(vector.id, [*[registered(REGISTERED, "a")] * by_clock, *vector.bodies])
        moment = minute if by_clock else at
        earned = None if vector.moment is None else moment(vector.moment)
        expected[f"{vector.id} a", name_of(vector.criterion)] = earned
    for count in COUNTS:
        bodies += as_others(count.id, count.bodies)

    consume(ground, redis_url, bodies)
    sweep(ground.database)
    ground.apply(**by_name, late=badge(ENROL))

    awards, counts = ground.earned(), ground.counts()
    assert {pair: awards.get(pair) for pair in expected} == expected
    for count in COUNTS:
        of_its_people = {key: value for key, value in counts.items() if key[0].startswith(f"{count.id} ")}
        named = {(f"{count.id} {user_id}", kind): value for (user_id, kind), value in count.counts.items()}
        assert of_its_people == named

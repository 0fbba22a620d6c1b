"""The vectors that were worked out by hand, from bodies to tables (numbers as in the facts, 14)."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

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
from worker.reevaluation import sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

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


VECTORS = [
    pytest.param(THREE, meetings(0, 10, 20, 30), 20 * DAY, id="1-the-third-counts"),
    pytest.param(THREE_A_WEEK, meetings(0, 3, 8), None, id="2-eight-days-are-too-long"),
    pytest.param(THREE_A_WEEK, meetings(0, 3, 8, 9), 9 * DAY, id="2-a-later-span-fits"),
    pytest.param(THREE_A_WEEK, meetings(0, 5, 7), 7 * DAY, id="3-ends-included"),
    pytest.param(THREE_A_WEEK, meetings(9, 8, 3), 9 * DAY, id="4-any-order"),
    pytest.param(
        THREE,
        [met(1, "a", "b"), met(2, "a", "c"), parted(3, "a", "b"), met(4, "a", "d")],
        None,
        id="5-a-removal-before-the-third",
    ),
    pytest.param(
        THREE,
        [met(1, "a", "b"), met(2, "a", "c"), met(3, "a", "d"), parted(4, "a", "b")],
        3,
        id="6-a-removal-after-the-third",
    ),
    pytest.param(
        THREE, [met(1, "a", "b"), met(2, "b", "a"), met(3, "a", "c")], None, id="7-the-same-pair-twice"
    ),
    pytest.param(
        FIVE_POSTS, [*posts(5)[:4], unposted(9, "a", "p4"), *posts(5)[4:]], None, id="11-one-deleted"
    ),
    pytest.param(FIVE_POSTS, posts(5), 4, id="12-comments-count"),
    pytest.param(COMPLETE, [completed(5, "a", passed=False)], 5, id="13-failed-is-complete"),
    pytest.param(PASS, [completed(5, "a", passed=False)], None, id="13-failed-is-not-passed"),
    pytest.param(
        PASS, [completed(5, "a", passed=False), completed(9, "a", passed=True)], 9, id="14-passed-later"
    ),
    pytest.param(
        COMPLETE,
        [completed(5, "a", passed=False), completed(9, "a", passed=True)],
        5,
        id="14-complete-before",
    ),
    pytest.param(PASS, [completed(5, "a", score=80, required_score=80)], 5, id="15-the-scores-decide"),
    pytest.param(PASS, [completed(5, "a")], None, id="16-undecided"),
    pytest.param(COMPLETE, [completed(5, "a"), enrolled(1, "a")], 5, id="17-complete-before-enrolled"),
    pytest.param(ENROL, [completed(5, "a"), enrolled(1, "a")], 1, id="17-enrolled-afterwards"),
    pytest.param(ENROL, [enrolled(1, "a"), unenrolled(2, "a"), enrolled(3, "a")], 1, id="18-left-and-back"),
]


@pytest.fixture(scope="module")
def all_badges(lasting_ground: Ground) -> Ground:
    """Ground with a badge for each criterion of the vectors, named by its place."""
    lasting_ground.apply(**{name_of(criterion): badge(criterion) for criterion in CRITERIA})
    return lasting_ground


CRITERIA: list[dict[str, Any]] = [THREE, THREE_A_WEEK, FIVE_POSTS, ENROL, COMPLETE, PASS, AGE]


def name_of(criterion: dict[str, Any]) -> str:
    return f"badge-{CRITERIA.index(criterion)}"


@pytest.mark.parametrize(("criterion", "bodies", "moment"), VECTORS)
@pytest.mark.parametrize("size", [1, 500])
def test_a_badge_is_earned_at(
    all_badges: Ground, criterion: dict[str, Any], bodies: list[bytes], moment: float | None, size: int
) -> None:
    all_badges.clear()

    all_badges.ingest(*bodies, size=size)

    earned = all_badges.earned().get(("a", name_of(criterion)))
    assert earned == (None if moment is None else at(moment))


def test_a_removal_after_the_award_lowers_the_count_and_takes_nothing_back(ground: Ground) -> None:
    ground.apply(badge=badge(THREE))
    ground.ingest(met(1, "a", "b"), met(2, "a", "c"), met(3, "a", "d"), parted(4, "a", "b"))

    assert ground.earned() == {("a", "badge"): at(3)}
    assert ground.counts()["a", "connected"] == 2


def test_the_same_event_three_times_has_one_effect(ground: Ground) -> None:
    body = met(1, "a", "b")

    ground.ingest(body, body, size=1)
    ground.ingest(body, body)

    assert ground.counts() == {("a", "connected"): 1, ("b", "connected"): 1}


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
    pytest.param([], 24, id="19-the-clock-awards"),
    pytest.param(
        [blocked(minute(20), "a"), unblocked(minute(30), "a")], 30, id="20-blocked-over-the-instant"
    ),
    pytest.param([blocked(minute(20), "a")], None, id="blocked-for-good"),
    pytest.param([blocked(minute(9), "a"), unblocked(minute(9), "a")], None, id="a-tie-blocks"),
    pytest.param([deleted(minute(2), "a")], None, id="deleted"),
    pytest.param([updated(minute(2), "a", scope="ANONYMOUS")], None, id="anonymous"),
    pytest.param(
        [updated(minute(2), "a", is_active=False), updated(minute(12), "a", is_active=True)], 24, id="active"
    ),
]


@pytest.mark.parametrize(("news", "moment"), BY_THE_CLOCK)
def test_21_a_badge_is_earned_at_its_instant_however_late_the_sweep_is(
    all_badges: Ground, news: Sequence[bytes], moment: float | None
) -> None:
    all_badges.clear()
    all_badges.swept_to(minute(1))

    all_badges.ingest(registered(REGISTERED, "a"), *news, size=1)
    before = all_badges.earned()
    sweep(all_badges.database)

    assert before == {}
    assert all_badges.earned() == ({} if moment is None else {("a", name_of(AGE)): minute(moment)})


@pytest.mark.parametrize(("news", "moment"), BY_THE_CLOCK)
def test_a_badge_is_earned_at_its_instant_however_late_the_registration_is(
    all_badges: Ground, news: Sequence[bytes], moment: float | None
) -> None:
    all_badges.clear()
    all_badges.swept_to(minute(49))

    all_badges.ingest(*news, registered(REGISTERED, "a"), size=1)

    assert all_badges.earned() == ({} if moment is None else {("a", name_of(AGE)): minute(moment)})


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

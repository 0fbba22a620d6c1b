"""Whom an evaluation finds: exactly those who get the badge, by one query (design.md section 4)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.support.bodies import (
    at,
    blocked,
    deleted,
    enrolled,
    met,
    posted,
    registered,
    unblocked,
    updated,
)
from tests.support.ground import Ground
from tests.support.lives import CRITERIA, Lives
from worker.deciding import decide
from worker.rules.criteria import criterion_of
from worker.rules.rulebook import Rule

if TYPE_CHECKING:
    from worker.rules.criteria import Criterion

EVERYBODY = ("", "\U0010ffff")
ENROL = {"lp_enroll": {"learning_path_id": "40"}}
WEEK = 7 * 86_400


def found(ground: Ground, criteria: dict[str, Any], badge_id: str = "b") -> list[str]:
    """Return whom the database finds, and see that it counts them alike."""
    criterion: Criterion = criterion_of(criteria)
    rule = Rule(badge_id, 1, criterion)
    people = ground.database.find_candidates(rule, *EVERYBODY)
    assert ground.database.count_candidates(rule, *EVERYBODY) == len(people)
    return people


RULES = {badge_id: Rule(badge_id, 1, criterion_of(criteria)) for badge_id, criteria in CRITERIA.items()}


def decided(ground: Ground) -> dict[str, list[str]]:
    """Let the rules decide about everybody and every badge; return who earned which."""
    with ground.database.backfill() as chunk:
        state = chunk.begin([])
        users = chunk.lock_users(["a", "b", "c", "d", "e"])
        candidates = [(user_id, rule) for user_id in users for rule in RULES.values()]
        decide(chunk, candidates, users, state.swept_to)
    earned = sorted(ground.earned())
    return {badge_id: [user for user, earned_one in earned if earned_one == badge_id] for badge_id in RULES}


def test_those_are_found_whom_the_rules_give_the_badge(ground: Ground) -> None:
    ever_found: set[str] = set()
    for seed in range(25):
        ground.clear()
        ground.swept_to(at(6))
        ground.ingest(*Lives(seed).bodies)

        before = {badge_id: found(ground, criteria, badge_id) for badge_id, criteria in CRITERIA.items()}
        earned = decided(ground)
        after = {badge_id: found(ground, criteria, badge_id) for badge_id, criteria in CRITERIA.items()}

        assert before == earned, seed
        assert not any(after.values()), seed
        ever_found |= {badge_id for badge_id, people in before.items() if people}
    assert ever_found == CRITERIA.keys() - {"for-ever"}


def test_a_window_includes_its_ends_to_the_microsecond(ground: Ground) -> None:
    one = timedelta(microseconds=1)
    ends = {"inside": -one, "on-the-end": 0 * one, "outside": one}
    for name, more in ends.items():
        last = at(WEEK) + timedelta(microseconds=999_999) + more
        ground.ingest(
            met(at(0) + timedelta(microseconds=999_999), name, f"{name}-1"), met(last, name, f"{name}-2")
        )

    people = found(ground, {"social_connection": {"threshold": 2, "period": WEEK}})

    assert people == ["inside", "on-the-end"]


def test_a_window_may_lie_anywhere_among_a_persons_connections(ground: Ground) -> None:
    for name, days in {
        "early": (0, 1, 2, 30, 60),
        "late": (0, 30, 60, 61, 62),
        "never": (0, 5, 10, 15),
    }.items():
        ground.ingest(*(met(day * 86_400, name, f"{name}-{day}") for day in days))

    assert found(ground, {"social_connection": {"threshold": 3, "period": WEEK}}) == ["early", "late"]


def test_a_window_of_one_connection_is_any_connection(ground: Ground) -> None:
    ground.ingest(met(0, "ada", "bob"), posted(0, "eve", "p"))

    assert found(ground, {"social_connection": {"threshold": 1, "period": 1}}) == ["ada", "bob"]


def test_who_may_not_earn_is_not_found(ground: Ground) -> None:
    names = ("plain", "blocked", "unblocked", "tied", "gone", "anonymous")
    ground.ingest(*(enrolled(1, name) for name in names))
    ground.ingest(blocked(2, "blocked"), blocked(2, "unblocked"), unblocked(3, "unblocked"))
    ground.ingest(blocked(2, "tied"), unblocked(2, "tied"))
    ground.ingest(deleted(2, "gone"), updated(2, "anonymous", scope="ANONYMOUS"))

    assert found(ground, ENROL) == ["plain", "unblocked"]


def test_an_age_is_found_by_the_sweeps_clock(ground: Ground) -> None:
    ground.swept_to(at(100))
    ground.ingest(registered(40, "just"), registered(41, "not-yet"), posted(1, "unknown", "p"))

    assert found(ground, {"registered_for": {"threshold": 60}}) == ["just"]


def test_only_people_of_the_range_are_found(ground: Ground) -> None:
    ground.ingest(*(enrolled(1, name) for name in "abcde"))
    rule = Rule("b", 1, criterion_of({"any_of": [ENROL, {"social_engagement": {"threshold": 1}}]}))

    assert ground.database.find_candidates(rule, "b", "d") == ["c", "d"]

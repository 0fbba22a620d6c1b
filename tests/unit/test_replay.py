"""The oracle, held to vectors that were worked out by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count, permutations
from typing import Any

import pytest

from examples.bodies import NotAnEvent, read_event
from examples.replay import replay

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86400
NUMBERS = count(1)


def body(kind: str, at: float, **data: Any) -> str:
    """Return an event that occurred so many seconds after the beginning of 2025."""
    time = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
    event = {
        "specversion": "1.0",
        "id": f"{next(NUMBERS)}",
        "source": "https://lms.example.org",
        "type": f"{kind}.v1",
        "time": time.isoformat(),
        "data": data,
    }
    return json.dumps(event)


def met(at: float, one: str, other: str) -> str:
    return body("connection.established", at, user_ids=[one, other])


def parted(at: float, one: str, other: str) -> str:
    return body("connection.removed", at, user_ids=[one, other])


def posted(at: float, post_id: str) -> str:
    return body("post.created", at, user_id="a", post_id=post_id)


def completed(at: float, passed: bool | None, **scores: float) -> str:
    return body("learning_path.completed", at, user_id="a", learning_path_id="40", passed=passed, **scores)


def earned(criterion: dict[str, Any], bodies: list[str], *, in_order: bool = False) -> float | None:
    """Return when `a` earned the one badge, in seconds after the beginning of 2025."""
    definitions = {"issuers": {}, "badges": {"badge": {"criteria": criterion}}}
    award = replay(definitions, bodies, NOW, in_order=in_order).awards.get(("a", "badge"))
    return None if award is None else (award.earned_at - datetime(2025, 1, 1, tzinfo=UTC)).total_seconds()


def connected(bodies: list[str]) -> int:
    return replay({"badges": {}}, bodies, NOW).counts.get(("a", "connected"), 0)


THREE = {"social_connection": {"threshold": 3}}
THREE_A_WEEK = {"social_connection": {"threshold": 3, "period": 7 * DAY}}
ENROL = {"lp_enroll": {"learning_path_id": 40}}
COMPLETE = {"lp_complete": {"learning_path_id": "40"}}
PASS = {"lp_passed": {"learning_path_id": "40"}}
ONE_DAY = {"registered_for": {"threshold": DAY}}


def meetings(*days: float) -> list[str]:
    return [met(day * DAY, "a", f"other-{day}") for day in days]


@pytest.mark.parametrize(
    ("criterion", "bodies", "moment"),
    [
        pytest.param(THREE, meetings(0, 10, 20, 30), 20 * DAY, id="the-third-counts"),
        pytest.param(THREE_A_WEEK, meetings(0, 3, 8), None, id="eight-days-are-too-long"),
        pytest.param(THREE_A_WEEK, meetings(0, 3, 8, 9), 9 * DAY, id="a-later-span-fits"),
        pytest.param(THREE_A_WEEK, meetings(9, 8, 3, 0), 9 * DAY, id="any-order"),
        pytest.param(THREE_A_WEEK, meetings(0, 5, 7), 7 * DAY, id="ends-included"),
        pytest.param(THREE_A_WEEK, meetings(0, 5, 7.0001), None, id="just-over"),
        pytest.param(
            PASS, [completed(5, passed=False, score=90, required_score=80)], None, id="the-flag-decides"
        ),
        pytest.param(COMPLETE, [completed(5, passed=False)], 5, id="failed-is-complete"),
        pytest.param(PASS, [completed(5, passed=False), completed(9, passed=True)], 9, id="passed-later"),
        pytest.param(PASS, [completed(5, passed=None, score=80, required_score=80)], 5, id="scores-decide"),
        pytest.param(
            PASS, [completed(5, passed=None, score=79.9, required_score=80)], None, id="just-failed"
        ),
        pytest.param(PASS, [completed(5, passed=None)], None, id="undecided"),
        pytest.param(ENROL, [completed(5, passed=True)], None, id="completing-is-not-enrolling"),
    ],
)
def test_a_badge_is_earned_at(criterion: dict[str, Any], bodies: list[str], moment: float | None) -> None:
    assert earned(criterion, bodies) == moment


def test_leaving_a_learning_path_takes_nothing_back() -> None:
    path = {"user_id": "a", "learning_path_id": 40}
    enrolled, left = body("learning_path.enrolled", 3, **path), body("learning_path.unenrolled", 4, **path)
    again = body("learning_path.enrolled", 9, **path)

    assert {earned(ENROL, list(order)) for order in permutations([enrolled, left, again])} == {3}


def test_a_removal_before_the_third_keeps_the_badge_away() -> None:
    bodies = [met(1, "a", "b"), met(2, "a", "c"), parted(3, "a", "b"), met(4, "a", "d")]

    assert earned(THREE, bodies, in_order=True) is None
    assert connected(bodies) == 2


def test_a_removal_after_the_award_takes_nothing_back_in_order() -> None:
    bodies = [met(1, "a", "b"), met(2, "a", "c"), met(3, "a", "d"), parted(4, "a", "b")]

    assert earned(THREE, bodies, in_order=True) == 3
    assert earned(THREE, bodies) is None
    assert connected(bodies) == 2


@pytest.mark.parametrize(
    ("bodies", "live"),
    [
        pytest.param([met(1, "a", "b"), met(1, "b", "a")], 1, id="the-same-pair-twice"),
        pytest.param([parted(5, "a", "b"), met(3, "a", "b")], 0, id="the-removal-came-first"),
        pytest.param([met(5, "a", "b"), parted(5, "b", "a")], 0, id="a-tie-is-removed"),
        pytest.param([met(3, "a", "b"), parted(5, "a", "b"), met(6, "a", "b")], 1, id="connected-again"),
    ],
)
def test_live_connections_are(bodies: list[str], live: int) -> None:
    assert {connected(list(order)) for order in permutations(bodies)} == {live}


def test_a_pair_that_parted_and_met_again_counts_since_the_second_meeting() -> None:
    one = {"social_connection": {"threshold": 1}}

    assert earned(one, [met(3, "a", "b"), parted(5, "a", "b"), met(6, "a", "b")]) == 6


def test_a_deleted_post_does_not_count_in_any_order() -> None:
    bodies = [posted(1, "x"), posted(2, "y"), body("post.deleted", 0, user_id="a", post_id="y")]

    assert {
        earned({"social_engagement": {"threshold": 2}}, list(order)) for order in permutations(bodies)
    } == {None}


def registered(at: float = 0, **data: Any) -> str:
    return body("user.registered", at, user_id="a", **data)


@pytest.mark.parametrize(
    ("bodies", "moment"),
    [
        pytest.param([registered()], DAY, id="the-clock-awards"),
        pytest.param([registered(900), registered(60)], DAY + 60, id="the-earliest-registration"),
        pytest.param([registered(364.5 * DAY)], None, id="too-young"),
        pytest.param(
            [
                registered(),
                body("user.blocked", 20 * 3600, user_id="a"),
                body("user.unblocked", 30 * 3600, user_id="a"),
            ],
            30 * 3600,
            id="blocked-over-the-instant",
        ),
        pytest.param([registered(is_active=False)], None, id="inactive"),
        pytest.param(
            [registered(is_active=False), body("user.updated", DAY / 2, user_id="a", is_active=True)],
            DAY,
            id="active-in-time",
        ),
        pytest.param(
            [registered(), body("user.blocked", 9, user_id="a"), body("user.unblocked", 9, user_id="a")],
            None,
            id="a-tie-blocks",
        ),
        pytest.param([registered(scope="ANONYMOUS")], None, id="anonymous"),
        pytest.param([registered(), body("user.deleted", 5, user_id="a")], None, id="deleted"),
    ],
)
def test_registered_for_a_day_is_earned_at(bodies: list[str], moment: float | None) -> None:
    assert {earned(ONE_DAY, list(order)) for order in permutations(bodies)} == {moment}


def test_all_of_waits_for_the_last_and_any_of_for_the_first() -> None:
    bodies = [registered(), completed(5, passed=True)]

    assert earned({"all_of": [ONE_DAY, PASS]}, bodies) == DAY
    assert earned({"any_of": [ONE_DAY, PASS]}, bodies) == 5
    assert earned({"all_of": [ONE_DAY, PASS, ENROL]}, bodies) is None
    assert earned({"any_of": [ENROL, {"all_of": [PASS]}]}, bodies) == 5


@pytest.mark.parametrize(
    ("provider", "profile", "fate"),
    [
        pytest.param("badgr", {"email": "Ada@Example.org"}, ("issued", "ada@example.org"), id="address"),
        pytest.param("badgr", {"email": "  "}, ("waiting", None), id="blank"),
        pytest.param("badgr", {}, ("waiting", None), id="no-address"),
        pytest.param("credly", {"email": "a@example.org"}, ("waiting", None), id="credly-wants-names"),
        pytest.param(
            "credly",
            {"email": "a@example.org", "first_name": "Ada", "last_name": "Alnes"},
            ("issued", "a@example.org"),
            id="credly-with-names",
        ),
    ],
)
def test_an_award_gets_as_far_as_the_profile_lets_it(
    provider: str, profile: dict[str, str], fate: tuple[str, str | None]
) -> None:
    definitions = {
        "issuers": {"academy": {"provider": provider}},
        "badges": {"badge": {"issue": {"issuer": "academy"}, "criteria": ONE_DAY}},
    }

    award = replay(definitions, [registered(0, **profile)], NOW).awards["a", "badge"]

    assert (award.state, award.recipient) == fate


def test_the_latest_address_counts_in_any_order() -> None:
    definitions = {
        "issuers": {"academy": {"provider": "badgr"}},
        "badges": {"badge": {"issue": {"issuer": "academy"}, "criteria": ONE_DAY}},
    }
    news = [
        registered(0, email="old@example.org"),
        body("user.updated", 9, user_id="a", email="new@example.org"),
    ]

    for order in permutations(news):
        assert replay(definitions, order, NOW).awards["a", "badge"].recipient == "new@example.org"


def change(**attributes: Any) -> bytes:
    return json.dumps({**json.loads(posted(1, "x")), **attributes}).encode()


@pytest.mark.parametrize(
    ("raw", "category"),
    [
        pytest.param(b"\xff", "json", id="not-utf-8"),
        pytest.param(b" " * 65536 + b"{}", "size", id="too-big"),
        pytest.param(change(specversion="1"), "specversion", id="specversion"),
        pytest.param(change(time="2025-01-01T00:00:00"), "time", id="no-offset"),
        pytest.param(change(time="2026-01-01T00:05:01Z"), "time", id="too-far-ahead"),
        pytest.param(change(time="0001-01-01T00:00:00+23:59"), "time", id="off-the-calendar"),
        pytest.param(change(data={"user_id": "a", "post_id": "\0"}), "data", id="nul"),
        pytest.param(change(data={"user_id": "a", "post_id": "\ud800"}), "json", id="lone-surrogate"),
        pytest.param(change(data={"user_id": False, "post_id": "x"}), "data", id="a-boolean-is-no-number"),
    ],
)
def test_what_is_no_event_is_refused_for(raw: bytes, category: str) -> None:
    with pytest.raises(NotAnEvent) as refusal:
        read_event(raw, NOW)

    assert refusal.value.category == category


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(change(time="2026-01-01T00:05:00Z"), id="five-minutes-ahead"),
        pytest.param(change(time="1970-01-01T00:00:00Z"), id="1970"),
        pytest.param(change(time="2025-01-01t02:00:00.123456789+02:00"), id="fraction-and-offset"),
        pytest.param(change(data={"user_id": 7, "post_id": "x" * 255}), id="number-and-longest-id"),
        pytest.param(
            change(extra=1, data={"user_id": "a", "post_id": "x", "likes": []}), id="unknown-fields"
        ),
    ],
)
def test_what_is_an_event_is_read(raw: bytes) -> None:
    event = read_event(raw, NOW)

    assert event is not None
    assert event.type == "post.created.v1"

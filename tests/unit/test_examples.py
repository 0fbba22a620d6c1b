from __future__ import annotations

import itertools
import json
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from examples import generate
from examples.bodies import IDS, NotAnEvent, read_event
from examples.replay import Reading, replay
from worker.errors import InvalidEvent
from worker.events import UnknownEvent, parse_event
from worker.rules.definitions import read_definitions

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CRITERIA = {
    "lp_enroll",
    "lp_complete",
    "lp_passed",
    "social_connection",
    "social_engagement",
    "registered_for",
}


@cache
def lines() -> list[str]:
    return (EXAMPLES / "events.jsonl").read_text("utf-8").splitlines()


@cache
def expected() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EXAMPLES / "expected.json").read_text("utf-8"))
    return document


@cache
def reading() -> Reading:
    return replay(generate.definitions(), lines(), generate.NOW)


def worker_reads(line: str) -> str:
    try:
        event = parse_event(line.encode(), generate.NOW)
    except InvalidEvent:
        return "broken"
    return "unknown" if isinstance(event, UnknownEvent) else event.type


def oracle_reads(line: str) -> str:
    try:
        event = read_event(line, generate.NOW)
    except NotAnEvent:
        return "broken"
    return event.type if event else "unknown"


@pytest.mark.parametrize("name", ["events.jsonl", "expected.json"])
def test_the_committed_sample_is_what_the_generator_writes(name: str) -> None:
    written = generate.files()[name]

    assert (EXAMPLES / name).read_text("utf-8") == written


def test_the_worker_takes_the_same_lines_for_events_as_the_oracle() -> None:
    assert [worker_reads(line) for line in lines()] == [oracle_reads(line) for line in lines()]


def test_the_shipped_badges_are_right() -> None:
    _, problems = read_definitions(generate.definitions())

    assert problems == []


@pytest.mark.parametrize("year", [2025, 2027, 2030, 2033])
def test_the_expectation_holds_whatever_the_year(year: int) -> None:
    found = generate.expected(lines(), datetime(year, 12, 31, tzinfo=UTC))

    assert found == expected()


def test_every_badge_on_offer_is_earned_by_some_and_missed_by_others() -> None:
    badges = generate.definitions()["badges"]
    on_offer = {badge_id for badge_id, badge in badges.items() if badge.get("status") != "disabled"}

    earners = {badge: [a for a in expected()["issued"] if a["badge"] == badge] for badge in badges}

    assert {badge for badge in badges if earners[badge]} == on_offer
    assert all(len(earners[badge]) < 45 for badge in on_offer)


def test_the_shipped_badges_use_every_criterion() -> None:
    badges = generate.definitions()["badges"].values()

    used = {name for badge in badges for name in badge["criteria"]}
    periods = [badge["criteria"].get("social_connection", {}).get("period") for badge in badges]

    assert used == CRITERIA
    assert 604800 in periods
    assert any("social_connection" in badge["criteria"] for badge in badges)


def test_no_two_badges_share_a_badge_class() -> None:
    classes = [badge["issue"]["badgeclass"] for badge in generate.definitions()["badges"].values()]

    assert len(set(classes)) == len(classes)
    assert all(re.fullmatch(r"[\w-]{22}", one) for one in classes)


def test_the_disabled_badge_would_have_been_earned() -> None:
    definitions = generate.definitions()
    definitions["badges"]["pioneer"]["status"] = "published"

    found = replay(definitions, lines(), generate.NOW)

    assert any(badge == "pioneer" for _, badge in found.awards)
    assert not any(badge == "pioneer" for _, badge in reading().awards)


def test_the_sample_is_small_enough_for_one_rate_window() -> None:
    assert 900 <= len(lines()) <= 1100
    assert 150 <= len(expected()["issued"]) <= 250


def test_one_line_in_ten_comes_twice() -> None:
    repeated = len(lines()) - len(set(lines()))

    assert 80 <= repeated <= 120


def test_events_come_out_of_order() -> None:
    events = [json.loads(line) for line in lines() if oracle_reads(line) == "post.created.v1"]
    times = [datetime.fromisoformat(event["time"]) for event in events]

    overtaken = sum(one > other for one, other in itertools.pairwise(times))

    assert overtaken >= 100


def test_events_of_every_known_type_occur() -> None:
    assert {oracle_reads(line) for line in lines()} == {*IDS, "broken", "unknown"}


def test_there_are_broken_lines_of_many_kinds_and_strangers() -> None:
    assert expected()["dead_letters"] >= 30
    assert expected()["dead_letter_deliveries"] > expected()["dead_letters"]
    assert {"json", "time", "data", "specversion", "id", "source", "type"} == set(
        expected()["dead_letter_reasons"]
    )
    assert expected()["ignored"] >= 10


def test_whoever_never_has_an_address_waits() -> None:
    waiting = {award["user"] for award in expected()["waiting"]}

    assert waiting == {"1033"}


def test_whoever_gets_an_address_later_is_issued_to() -> None:
    recipients = {award["user"]: award["recipient"] for award in expected()["issued"]}

    assert recipients["1007"] == "greta.gruber@example.org"
    assert recipients["1028"] == "berta.bloom@example.net"


def test_addresses_are_lower_case_and_nobody_shares_one() -> None:
    owners: dict[str, set[str]] = {}
    for award in expected()["issued"]:
        owners.setdefault(award["recipient"], set()).add(award["user"])

    assert all(address == address.lower() for address in owners)
    assert all(len(users) == 1 for users in owners.values())
    assert any("@" in line and re.search(r'"email": "[a-z.]*[A-Z]', line) for line in lines())


@pytest.mark.parametrize(
    ("user", "badges"),
    [
        pytest.param("1041", {"first-steps", "safety-certified", "contributor"}, id="unblocked"),
        pytest.param("1042", set(), id="blocked-for-good"),
        pytest.param("1043", set(), id="deleted"),
        pytest.param("1044", set(), id="anonymous"),
        pytest.param("1045", {"ten-years"}, id="blocked-on-the-day"),
        pytest.param("1046", {"first-steps", "safety-certified", "contributor"}, id="inactive"),
        pytest.param("1047", set(), id="one-connection-removed"),
        pytest.param("1048", set(), id="two-posts-deleted"),
        pytest.param("1049", {"connector"}, id="connected-again"),
    ],
)
def test_whoever_is_special_earns_what_the_story_says(user: str, badges: set[str]) -> None:
    earned = {award["badge"] for award in expected()["issued"] if award["user"] == user}

    assert earned == badges


def test_the_week_of_the_networker_is_exact() -> None:
    earners = {
        award["user"]: award["earned_at"] for award in expected()["issued"] if award["badge"] == "networker"
    }

    assert earners["1001"] == "2025-03-15T08:00:00Z"  # the tenth exactly one week after the first
    assert "1002" not in earners  # a second later
    assert reading().counts["1002", "connected"] >= 10


def test_a_block_over_the_day_puts_it_off_to_the_blocks_end() -> None:
    earned = {a["user"]: a["earned_at"] for a in expected()["issued"] if a["badge"] == "ten-years"}

    assert earned["1045"] == "2024-12-24T00:00:00Z"

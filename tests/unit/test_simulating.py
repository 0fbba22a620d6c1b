"""Dry runs: the worker's own code over a store in memory, held to the second reading by brute force."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import generate
from examples.replay import replay
from tests.support import streams
from tests.support.bodies import at, enrolled, event, met, posted, unposted, updated
from tests.support.ground import badge, definitions, read
from tests.support.lives import CRITERIA, Lives
from tests.unit.rules.story import tried
from worker.adapters.memory_store import MemoryStore
from worker.rules.definitions import Definitions
from worker.simulating import BATCH, Simulated, difference, simulate, stored_badges

if TYPE_CHECKING:
    from collections.abc import Iterable

SAMPLE = Path(generate.__file__).parent
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ENROL = {"lp_enroll": {"learning_path_id": "40"}}
TWO_POSTS = {"social_engagement": {"threshold": 2}}
THREE_POSTS = {"social_engagement": {"threshold": 3}}
BADGES = {badge_id: badge(criteria, issued=True) for badge_id, criteria in CRITERIA.items()}


def run(rules: Definitions, lines: Iterable[bytes], now: datetime = NOW) -> Simulated:
    return simulate(MemoryStore(stored_badges(rules), now), rules, lines, now)


def of(*lines: bytes, **badges: dict[str, Any]) -> Simulated:
    return run(read(definitions(badges)), lines)


def earned(found: Simulated) -> dict[tuple[str, str], datetime]:
    return {(each.user_id, each.badge_id): each.earned_at for each in found.awards}


def states(found: Simulated) -> dict[tuple[str, str], str]:
    return {(each.user_id, each.badge_id): each.state.value for each in found.awards}


@pytest.mark.parametrize("clock", [3, 8, 3600])
@pytest.mark.parametrize("block", range(4))
def test_random_lives_end_as_brute_force_says(clock: int, block: int) -> None:
    rules = read(definitions(BADGES))
    for seed in range(block * 25, (block + 1) * 25):
        lives = Lives(seed)

        found = run(rules, lives.bodies, at(clock))

        reading = replay(definitions(BADGES), lives.bodies, at(clock), in_order=True)
        wanted = {
            key: {"issued": "pending"}.get(each.state, each.state) for key, each in reading.awards.items()
        }
        assert (seed, states(found)) == (seed, wanted)


@tried
@given(streams.repeated(streams.arbitrary()), st.sampled_from([3, 3600]))
def test_any_stream_earns_what_brute_force_says(stream: list[bytes], clock: int) -> None:
    found = run(read(definitions(BADGES)), stream, at(clock))

    reading = replay(definitions(BADGES), stream, at(clock), in_order=True)
    assert earned(found).keys() == reading.awards.keys()
    assert len(found.refused) == len(reading.dead_letters)
    assert found.unknown.total() == reading.ignored


def test_the_sample_leads_to_what_is_expected() -> None:
    expected = json.loads((SAMPLE / "expected.json").read_text("utf-8"))

    with (SAMPLE / "events.jsonl").open("rb") as lines:
        found = run(read(generate.definitions()), lines)

    made = [
        (each.badge_id, each.user_id, each.earned_at.isoformat().replace("+00:00", "Z"), each.state.value)
        for each in found.awards
    ]
    wanted = [
        (each["badge"], each["user"], each["earned_at"], {"issued": "pending"}.get(state, state))
        for state in ("issued", "waiting")
        for each in expected[state]
    ]
    assert sorted(made) == sorted(wanted)
    assert len(found.refused) == expected["dead_letter_deliveries"]


def test_awards_stand_in_the_order_in_which_they_were_earned_with_what_made_them_hold() -> None:
    lines = [posted(5, "b", "p1"), posted(9, "b", "p2"), enrolled(7, "a")]

    found = of(*lines, posts=badge(TWO_POSTS), enrol=badge(ENROL))

    assert [(each.user_id, each.badge_id, each.earned_at) for each in found.awards] == [
        ("a", "enrol", at(7)),
        ("b", "posts", at(9)),
    ]
    assert [reason["object"] for reason in found.awards[1].because] == ["p1", "p2"]


def test_lines_that_are_no_events_are_named_by_their_number_and_left_out() -> None:
    lines = [b"junk\n", enrolled(1, "a") + b"\r\n", b"\n", b"  \n", b"junk\n", b"{}", enrolled(1, "b")]

    found = of(*lines, enrol=badge(ENROL))

    assert [line.line for line in found.refused] == [1, 5, 6]
    assert found.refused[0].reason.startswith("body: not JSON")
    assert (found.lines, found.events, len(found.awards)) == (7, 2, 2)


def test_bad_lines_keep_their_numbers_over_several_batches() -> None:
    lines = [posted(1, "a", "p")] * (BATCH + 3) + [b"junk"] + [posted(1, "a", "p")] * BATCH + [b"junk"]

    found = of(*lines, posts=badge(TWO_POSTS))

    assert [line.line for line in found.refused] == [BATCH + 4, 2 * BATCH + 5]


def test_types_that_are_passed_over_are_counted() -> None:
    found = of(event("post.liked", 1), event("post.liked", 2), enrolled(1, "a"), enrol=badge(ENROL))

    assert found.unknown == {"post.liked.v1": 2}


@pytest.mark.parametrize(
    ("fields", "profile", "state"),
    [
        pytest.param({}, {}, "earned", id="no-issuer"),
        pytest.param({"issued": True}, {}, "waiting", id="no-address"),
        pytest.param({"issued": True}, {"email": "a@example.org"}, "pending", id="an-address"),
        pytest.param({"issued": True, "by": "partner"}, {"email": "a@example.org"}, "waiting", id="no-names"),
    ],
)
def test_an_award_ends_where_it_would_before_anything_is_sent(
    fields: dict[str, Any], profile: dict[str, Any], state: str
) -> None:
    found = of(enrolled(1, "a"), updated(2, "a", **profile), enrol=badge(ENROL, **fields))

    assert states(found) == {("a", "enrol"): state}


def test_what_is_taken_back_in_time_is_not_earned_and_later_changes_nothing() -> None:
    before = of(posted(1, "a", "p"), unposted(2, "a", "p"), posted(3, "a", "q"), posts=badge(TWO_POSTS))
    after = of(posted(1, "a", "p"), posted(3, "a", "q"), unposted(4, "a", "p"), posts=badge(TWO_POSTS))

    assert (earned(before), earned(after)) == ({}, {("a", "posts"): at(3)})


def test_ages_are_decided_against_the_instant_given() -> None:
    rules = read(definitions({"old": badge({"registered_for": {"threshold": 60}})}))
    line = event("user.registered", 0, user_id="a")

    assert earned(run(rules, [line], at(59))) == {}
    assert earned(run(rules, [line], at(60))) == {("a", "old"): at(60)}


def test_a_disabled_badge_is_earned_by_nobody() -> None:
    assert of(enrolled(1, "a"), enrol=badge(ENROL, status="disabled")).awards == []


def test_a_difference_says_who_gains_who_loses_and_who_earns_at_another_time() -> None:
    lines = [
        *(posted(n, "a", f"p{n}") for n in range(3)),
        *(posted(n, "b", f"p{n}") for n in range(2)),
        enrolled(1, "c"),
        met(1, "a", "b"),
    ]
    kept, gone = badge({"social_connection": {"threshold": 1}}), badge(ENROL)

    found = difference(
        of(*lines, posts=badge(THREE_POSTS), kept=kept, gone=gone),
        of(*lines, posts=badge(TWO_POSTS), kept=kept),
    )

    assert [(each.user_id, each.badge_id) for each in found.gained] == [("b", "posts")]
    assert [(each.user_id, each.badge_id) for each in found.lost] == [("c", "gone")]
    assert [(each.user_id, each.before, each.after) for each in found.moved] == [("a", at(2), at(1))]
    assert found.unchanged == 2

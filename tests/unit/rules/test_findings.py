"""Findings and their words: the same judgement as awards, with what is wanted, there and missing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.story import DAY, at, tried
from worker.activities import Kind
from worker.rules.criteria import criterion_of
from worker.rules.facts import Counted, Facts
from worker.rules.findings import Span, find
from worker.rules.wording import asked, lacking, span

WEEK = {"social_connection": {"threshold": 3, "period": 7 * DAY}}


def connections(*days: float) -> Facts:
    some = tuple(Counted(f"other-{day}", at(day * DAY), "lms", f"e-{day}") for day in days)
    return Facts(at(0), {Kind.CONNECTED: some})


@pytest.mark.parametrize(
    ("days", "best"),
    [
        pytest.param([], None, id="none"),
        pytest.param([3], (3, 3, 1), id="one-alone"),
        pytest.param([0, 20, 25, 40], (20, 25, 2), id="the-fullest"),
        pytest.param([0, 5, 40, 46], (40, 46, 2), id="of-several-the-latest"),
        pytest.param([0, 7], (0, 7, 2), id="ends-included"),
        pytest.param([0, 1, 2, 3, 4], (0, 4, 5), id="more-than-wanted"),
    ],
)
def test_a_windows_best_span(days: list[float], best: tuple[float, float, int] | None) -> None:
    found = find(criterion_of(WEEK), connections(*days))

    assert found.span == (best and Span(at(best[0] * DAY), at(best[1] * DAY), best[2]))
    assert (found.present, len(found.counting)) == ((best[2],) * 2 if best else (0, 0))


@tried
@given(st.lists(st.integers(0, 40), max_size=10), st.integers(1, 4), st.none() | st.integers(1, 20))
def test_what_is_missing_is_nothing_exactly_when_it_holds(
    days: list[int], threshold: int, period: int | None
) -> None:
    wanted = criterion_of({"social_connection": {"threshold": threshold, "period": period and period * DAY}})

    found = find(wanted, connections(*sorted(days)))

    assert found.holds == (found.missing == 0)
    assert found.missing == max(threshold - found.present, 0)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"lp_enroll": {"learning_path_id": "40"}}, "enrolled in learning path 40"),
        ({"lp_complete": {"learning_path_id": "40"}}, "completed learning path 40"),
        ({"lp_passed": {"learning_path_id": "40"}}, "passed learning path 40"),
        ({"social_connection": {"threshold": 1}}, "1 connection"),
        (WEEK, "3 connections within 7 days"),
        ({"social_engagement": {"threshold": 1}}, "1 post or comment"),
        ({"social_engagement": {"threshold": 5}}, "5 posts and comments"),
        ({"registered_for": {"threshold": 90000}}, "an account at least 1 day 1 hour old"),
        (
            {
                "all_of": [
                    WEEK,
                    {
                        "any_of": [
                            {"lp_passed": {"learning_path_id": "1"}},
                            {"social_engagement": {"threshold": 2}},
                        ]
                    },
                ]
            },
            "3 connections within 7 days and (passed learning path 1 or 2 posts and comments)",
        ),
    ],
)
def test_what_a_criterion_asks_for(written: dict[str, Any], words: str) -> None:
    assert asked(criterion_of(written)) == words


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"social_connection": {"threshold": 3}}, "1 of 3 connections is missing"),
        (WEEK, "2 of 3 connections within 7 days are missing (1 at most so far)"),
        (
            {"any_of": [WEEK, {"all_of": [{"lp_enroll": {"learning_path_id": "1"}}]}]},
            (
                "none of these holds: (2 of 3 connections within 7 days are missing (1 at most so far)) "
                "or (not enrolled in learning path 1)"
            ),
        ),
        (
            {"all_of": [{"social_connection": {"threshold": 1}}, {"lp_passed": {"learning_path_id": "1"}}]},
            "not passed learning path 1",
        ),
    ],
)
def test_what_a_user_lacks(written: dict[str, Any], words: str) -> None:
    assert lacking(find(criterion_of(written), connections(0, 30))) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (61, "1 minute 1 second"),
        (3600, "1 hour"),
        (604800, "7 days"),
        (90061, "1 day 1 hour"),
    ],
)
def test_a_span_in_words(seconds: int, words: str) -> None:
    assert span(seconds) == words

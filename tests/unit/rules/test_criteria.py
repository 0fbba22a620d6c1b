"""The six criteria: since when each holds and because of what, or what is wanted and what is there."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.rules.story import DAY, at, criterion, tried
from worker.activities import Kind
from worker.rules.criteria import CRITERIA, Holds, NotYet, Reason
from worker.rules.facts import Counted, Facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.rules.criteria import Criterion


def counted(seconds: float, object_id: str = "x") -> Counted:
    return Counted(object_id, at(seconds), "lms", f"event-{seconds}")


def facts(kind: Kind, *some: Counted, clock: float = 0, registered: float | None = None) -> Facts:
    return Facts(at(clock), {kind: some}, None if registered is None else at(registered))


def because(kind: Kind, *some: Counted) -> tuple[Reason, ...]:
    return tuple(Reason(kind, fact) for fact in some)


def others(*seconds: float) -> list[Counted]:
    return [counted(each, f"other-{number}") for number, each in enumerate(seconds)]


PATHS = [("lp_enroll", Kind.ENROLLED), ("lp_complete", Kind.COMPLETED), ("lp_passed", Kind.PASSED)]


def test_these_are_the_criteria_of_the_contract() -> None:
    assert list(CRITERIA) == [
        "lp_enroll",
        "lp_complete",
        "lp_passed",
        "social_connection",
        "social_engagement",
        "registered_for",
    ]


@pytest.mark.parametrize(("name", "kind"), PATHS)
def test_a_learning_path_criterion_holds_since_its_own_activity(name: str, kind: Kind) -> None:
    fact = counted(5, "40")

    judgement = criterion(name, learning_path_id="40").judge(facts(kind, counted(1, "41"), fact))

    assert judgement == Holds(at(5), because(kind, fact))


@pytest.mark.parametrize(("name", "kind"), PATHS)
def test_a_learning_path_criterion_knows_no_other_path_and_no_other_kind(name: str, kind: Kind) -> None:
    wanted = criterion(name, learning_path_id="40")
    elsewhere = [facts(other, counted(5, "40")) for other in Kind if other is not kind]

    judgements = {wanted.judge(each) for each in [facts(kind, counted(5, "4")), *elsewhere]}

    assert judgements == {NotYet(wanted=1, present=0)}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("social_connection", Kind.CONNECTED, id="connections"),
        pytest.param("social_engagement", Kind.POST, id="posts"),
    ],
)
@pytest.mark.parametrize(
    ("threshold", "seconds", "moment"),
    [
        pytest.param(1, [], None, id="none"),
        pytest.param(1, [4], 4, id="one"),
        pytest.param(3, [1, 2], None, id="one-short"),
        pytest.param(3, [1, 2, 9], 9, id="just-enough"),
        pytest.param(3, [1, 2, 9, 10, 11], 9, id="more-change-nothing"),
        pytest.param(3, [5, 5, 5], 5, id="all-at-once"),
    ],
)
def test_a_count_holds_since_the_one_that_made_it_enough(
    name: str, kind: Kind, threshold: int, seconds: list[float], moment: float | None
) -> None:
    some = others(*seconds)

    judgement = criterion(name, threshold=threshold).judge(facts(kind, *some))

    if moment is None:
        assert judgement == NotYet(wanted=threshold, present=len(seconds))
    else:
        assert judgement == Holds(at(moment), because(kind, *some[:threshold]))


@pytest.mark.parametrize(
    ("threshold", "period", "seconds", "found"),
    [
        pytest.param(3, 10, [0, 5, 10], (10, 0), id="both-ends-included"),
        pytest.param(3, 10, [0, 5, 10.000001], (None, 2), id="a-microsecond-too-long"),
        pytest.param(3, 10, [0, 8, 12, 16], (16, 1), id="the-window-slides"),
        pytest.param(3, 10, [0, 4, 8, 9, 9], (8, 0), id="the-first-window-counts"),
        pytest.param(3, 10, [7, 7, 7], (7, 0), id="all-at-once"),
        pytest.param(1, 1, [0, 100], (0, 0), id="one-is-always-within"),
        pytest.param(3, 10, [0, 20, 40], (None, 1), id="all-too-far-apart"),
        pytest.param(3, 10, [0, 1, 50, 51], (None, 2), id="two-pairs-are-no-three"),
        pytest.param(3, 10, [0, 1], (None, 2), id="too-few"),
    ],
)
def test_a_window_holds_since(
    threshold: int, period: int, seconds: list[float], found: tuple[float | None, int]
) -> None:
    some = others(*seconds)
    moment, number = found

    judgement = criterion("social_connection", threshold=threshold, period=period).judge(
        facts(Kind.CONNECTED, *some)
    )

    if moment is None:
        assert judgement == NotYet(wanted=threshold, present=number)
    else:
        assert judgement == Holds(at(moment), because(Kind.CONNECTED, *some[number : number + threshold]))


def by_brute_force(seconds: Sequence[int], threshold: int, period: int) -> int | None:
    """Return the end of the first window that holds, trying every one that ends on a connection."""
    for end in sorted(seconds):
        if sum(end - period <= each <= end for each in seconds) >= threshold:
            return end
    return None


@tried
@given(st.lists(st.integers(0, 40), max_size=14), st.integers(1, 5), st.integers(1, 20))
def test_the_sliding_window_finds_what_brute_force_finds(
    seconds: list[int], threshold: int, period: int
) -> None:
    some = others(*sorted(seconds))
    moment = by_brute_force(seconds, threshold, period)
    most = max((sum(end - period <= each <= end for each in seconds) for end in seconds), default=0)

    judgement = criterion("social_connection", threshold=threshold, period=period).judge(
        facts(Kind.CONNECTED, *some)
    )

    if moment is None:
        assert judgement == NotYet(wanted=threshold, present=most)
    else:
        assert isinstance(judgement, Holds)
        assert judgement.at == judgement.because[-1].fact.counted_at == at(moment)
        assert len(judgement.because) == threshold
        assert judgement.because[0].fact.counted_at >= at(moment - period)


@tried
@given(st.lists(st.integers(0, 40), max_size=10), st.integers(1, 4))
def test_a_period_longer_than_everything_is_no_period(seconds: list[int], threshold: int) -> None:
    some = facts(Kind.CONNECTED, *others(*sorted(seconds)))

    with_period = criterion("social_connection", threshold=threshold, period=41)
    without = criterion("social_connection", threshold=threshold)

    assert with_period.judge(some) == without.judge(some)


@pytest.mark.parametrize(
    ("registered", "clock", "judgement"),
    [
        pytest.param(0, DAY, Holds(at(DAY)), id="on-the-instant"),
        pytest.param(0, 99 * DAY, Holds(at(DAY)), id="long-past-it"),
        pytest.param(-DAY, 0.5, Holds(at(0)), id="registered-before"),
        pytest.param(0, DAY - 1, NotYet(DAY, DAY - 1), id="a-second-early"),
        pytest.param(0, DAY - 0.000001, NotYet(DAY, DAY - 1), id="a-microsecond-early"),
        pytest.param(0, 0, NotYet(DAY, 0), id="just-registered"),
        pytest.param(300, 0, NotYet(DAY, 0), id="registered-ahead-of-the-clock"),
        pytest.param(None, 99 * DAY, NotYet(DAY, 0), id="registration-unknown"),
    ],
)
def test_an_age_of_a_day_holds(registered: float | None, clock: float, judgement: Holds | NotYet) -> None:
    some = facts(Kind.POST, clock=clock, registered=registered)

    assert criterion("registered_for", threshold=DAY).judge(some) == judgement


def test_the_longest_age_stays_within_the_calendar() -> None:
    longest = 1900 * 365 * DAY - 1

    judgement = criterion("registered_for", threshold=longest).judge(facts(Kind.POST, clock=7, registered=0))

    assert judgement == NotYet(longest, 7)
    assert (at(0) - (at(longest) - at(0))).year == 127


@pytest.mark.parametrize(("wanted", "present", "missing"), [(3, 1, 2), (3, 3, 0), (3, 5, 0)])
def test_what_is_missing_is_never_negative(wanted: int, present: int, missing: int) -> None:
    assert NotYet(wanted, present).missing == missing


NO_NUMBERS = [True, False, 0, -1, 3.0, 2.5, "3", None, [3], 2**31]
NO_PERIODS = [True, False, 0, -604800, 604800.0, "604800", "7d", [1], 1900 * 365 * DAY]


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        *product(["social_connection", "social_engagement"], ["threshold"], NO_NUMBERS),
        *[("social_connection", "period", value) for value in NO_PERIODS],
        *[("registered_for", "threshold", value) for value in [None, *NO_PERIODS]],
        *product([name for name, _ in PATHS], ["learning_path_id"], ["", "x" * 256, "a\0", True, 4.0, None]),
    ],
)
def test_a_field_that_makes_no_sense_is_refused(name: str, field: str, value: object) -> None:
    fields = {"threshold": 3} if field == "period" else {}

    with pytest.raises(ValidationError) as refusal:
        criterion(name, **fields | {field: value})

    assert [detail["loc"] for detail in refusal.value.errors()] == [(field,)]


@pytest.mark.parametrize("name", CRITERIA)
def test_a_field_that_is_missing_or_unknown_is_refused(name: str) -> None:
    for fields in ({}, {"threshold": 3, "learning_path_id": "40", "count_mode": "live"}):
        with pytest.raises(ValidationError):
            criterion(name, **fields)


@pytest.mark.parametrize(
    ("name", "fields", "same"),
    [
        pytest.param("lp_enroll", {"learning_path_id": 40}, {"learning_path_id": "40"}, id="number-as-text"),
        pytest.param(
            "social_connection", {"threshold": 3}, {"threshold": 3, "period": None}, id="no-period-is-null"
        ),
    ],
)
def test_two_ways_to_write_one_criterion(name: str, fields: dict[str, Any], same: dict[str, Any]) -> None:
    one: Criterion = criterion(name, **fields)

    assert one == criterion(name, **same)

"""The test vectors of the fact sheet (facts section 14), by number, from bytes on the queue to the verdict.

Numbers 20 to 22 are decided by the clock and by `apply`; what is pure of them stands here too.
"""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.unit.rules.story import (
    BEGINNING,
    DAY,
    SOURCE,
    Story,
    at,
    awarded,
    completed,
    criterion,
    enrolled,
    left,
    met,
    of_user,
    parted,
    posted,
    unposted,
)
from worker.activities import Kind
from worker.rules.criteria import Criterion

HOUR = 3600
THREE = criterion("social_connection", threshold=3)
THREE_A_WEEK = criterion("social_connection", threshold=3, period=7 * DAY)
FIVE_POSTS = criterion("social_engagement", threshold=5)
ENROL = criterion("lp_enroll", learning_path_id="40")
COMPLETE = criterion("lp_complete", learning_path_id="40")
PASS = criterion("lp_passed", learning_path_id="40")
ONE_DAY = criterion("registered_for", threshold=DAY)


def met_on(*seconds: float) -> list[bytes]:
    """Return meetings of `a`, each with somebody else."""
    return [met(each, "a", f"other-{each}") for each in seconds]


@pytest.mark.parametrize(
    ("wanted", "bodies", "moment"),
    [
        pytest.param(THREE, met_on(0, 10, 20, 30), 20, id="1-the-third-connection"),
        pytest.param(THREE_A_WEEK, met_on(0, 3 * DAY, 8 * DAY), None, id="2-eight-days-are-no-week"),
        pytest.param(
            THREE_A_WEEK, met_on(0, 3 * DAY, 8 * DAY, 9 * DAY), 9 * DAY, id="2-a-fourth-makes-a-week"
        ),
        pytest.param(THREE_A_WEEK, met_on(0, 5, 604800), 604800, id="3-exactly-a-period-apart"),
        pytest.param(THREE_A_WEEK, met_on(0, 5, 604801), None, id="3-a-second-more"),
        pytest.param(THREE_A_WEEK, met_on(9 * DAY, 8 * DAY, 3 * DAY, 0), 9 * DAY, id="4-delivered-backwards"),
        pytest.param(
            THREE,
            [met(1, "a", "b"), met(2, "a", "c"), parted(3, "a", "b"), met(4, "a", "d")],
            None,
            id="5-one-was-removed-before",
        ),
        pytest.param(
            FIVE_POSTS, [posted(n, f"{n}") for n in range(5)] + [unposted(9, "2")], None, id="11-one-deleted"
        ),
        pytest.param(
            FIVE_POSTS,
            [posted(n, f"{n}") for n in range(3)]
            + [posted(n, f"{n}", parent_post_id="0") for n in range(3, 5)],
            4,
            id="12-comments-count",
        ),
        pytest.param(COMPLETE, [completed(5, passed=False)], 5, id="13-failed-is-complete"),
        pytest.param(PASS, [completed(5, passed=False)], None, id="13-failed-is-not-passed"),
        pytest.param(
            PASS, [completed(5, passed=False), completed(9, passed=True)], 9, id="14-passed-the-second-time"
        ),
        pytest.param(
            COMPLETE, [completed(5, passed=False), completed(9, passed=True)], 5, id="14-complete-unchanged"
        ),
        pytest.param(PASS, [completed(5, passed=None, score=80, required_score=80)], 5, id="15-by-score"),
        pytest.param(PASS, [completed(5, passed=None)], None, id="16-undecided"),
        pytest.param(COMPLETE, [completed(5, passed=True)], 5, id="17-complete-at-once"),
        pytest.param(ENROL, [completed(5, passed=True)], None, id="17-not-enrolled-yet"),
        pytest.param(ENROL, [completed(5, passed=True), enrolled(2)], 2, id="17-enrolled-when-it-arrives"),
        pytest.param(ENROL, [enrolled(1), left(2), enrolled(3)], 1, id="18-the-first-time"),
        pytest.param(ONE_DAY, [of_user("registered", 0)], DAY, id="19-nothing-but-time"),
        pytest.param(
            ONE_DAY,
            [
                of_user("registered", 0),
                of_user("blocked", 20 * HOUR),
                of_user("unblocked", 30 * HOUR),
            ],
            30 * HOUR,
            id="20-blocked-over-the-instant",
        ),
    ],
)
def test_vector_is_earned_at(wanted: Criterion, bodies: list[bytes], moment: float | None) -> None:
    assert Story(bodies).earned(wanted) == moment


def test_vector_4_every_order_of_delivery_earns_at_the_same_instant() -> None:
    orders = permutations(met_on(0, 3 * DAY, 8 * DAY, 9 * DAY))

    assert {Story(order).earned(THREE_A_WEEK) for order in orders} == {9 * DAY}


def test_vector_5_two_connections_are_left() -> None:
    story = Story([met(1, "a", "b"), met(2, "a", "c"), parted(3, "a", "b"), met(4, "a", "d")])

    assert story.count(Kind.CONNECTED) == 2


def test_vector_6_a_removal_after_the_award_takes_nothing_back() -> None:
    bodies = [met(1, "a", "b"), met(2, "a", "c"), met(3, "a", "d"), parted(4, "a", "b")]

    assert awarded(THREE, bodies) == [3]
    assert Story(bodies).count(Kind.CONNECTED) == 2


def test_vector_7_the_same_pair_again_under_another_event_id_changes_nothing() -> None:
    story = Story([met(1, "a", "b", event_id="one")])
    before = story.facts()

    story.tell(met(2, "b", "a", event_id="two"))

    assert story.facts().counted == before.counted


def test_vector_8_the_same_event_three_times_is_one() -> None:
    event = met(1, "a", "b", event_id="one")
    once, thrice = Story([event]), Story([event, event, event])

    assert thrice.activities == once.activities
    assert thrice.count(Kind.CONNECTED) == 1


def test_vector_9_a_connection_counts_for_both() -> None:
    story = Story([met(1, "a", "b", event_id="one")])

    for user_id, other in (("a", "b"), ("b", "a")):
        (fact,) = story.facts(user_id).of(Kind.CONNECTED)
        assert (fact.object_id, fact.counted_at, fact.source, fact.event_id) == (other, at(1), SOURCE, "one")


def test_vector_10_a_removal_that_overtook_its_beginning_removes_it() -> None:
    story = Story([parted(5, "a", "b"), met(3, "a", "b")])

    assert (story.count(Kind.CONNECTED, "a"), story.count(Kind.CONNECTED, "b")) == (0, 0)


def test_vector_14_passing_later_awards_each_badge_once() -> None:
    bodies = [completed(5, passed=False), completed(9, passed=True), completed(12, passed=True)]

    assert (awarded(COMPLETE, bodies), awarded(PASS, bodies)) == ([5], [9])


def test_vector_16_a_later_completion_settles_what_was_undecided() -> None:
    bodies = [completed(5, passed=None), completed(9, passed=None, score=80, required_score=80)]

    assert awarded(PASS, bodies) == [9]


def test_vector_18_enrolling_again_awards_nothing_again() -> None:
    assert awarded(ENROL, [enrolled(1), left(2), enrolled(3)]) == [1]


@pytest.mark.parametrize(
    ("seen", "moment"),
    [
        pytest.param(DAY - 1, None, id="19-a-second-early"),
        pytest.param(DAY, DAY, id="19-on-the-instant"),
        pytest.param(9 * DAY, DAY, id="21-seen-days-later"),
    ],
)
def test_vector_an_account_comes_of_age_whenever_it_is_looked_at(seen: float, moment: float | None) -> None:
    story = Story([of_user("registered", 0)])

    assert story.earned(ONE_DAY, clock=at(seen)) == moment


def test_the_vectors_begin_where_the_story_does() -> None:
    (fact,) = Story([enrolled(0)]).facts().of(Kind.ENROLLED)

    assert fact.counted_at == BEGINNING

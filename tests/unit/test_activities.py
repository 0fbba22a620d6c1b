"""When an activity is live, since when it counts (design.md section 1), and that merging has no order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.story import tried
from worker.activities import Activity, Kind, began, ended

if TYPE_CHECKING:
    from collections.abc import Sequence

PATHS = [Kind.ENROLLED, Kind.COMPLETED, Kind.PASSED]


def day(number: int | None) -> datetime | None:
    return None if number is None else datetime(2026, 1, number, tzinfo=UTC)


def activity(first: int | None, last: int | None, removed: int | None) -> Activity:
    return Activity(day(first), day(last), day(removed), "lms", "1")


@pytest.mark.parametrize(
    ("kinds", "first", "last", "removed", "since"),
    [
        pytest.param(list(Kind), 3, 3, None, 3, id="seen-once"),
        pytest.param(list(Kind), 3, 7, None, 3, id="seen-twice-counts-from-the-first"),
        pytest.param(list(Kind), None, None, 5, None, id="only-a-removal"),
        pytest.param(PATHS, 3, 7, 5, 3, id="path-removed-between"),
        pytest.param(PATHS, 3, 7, 9, 3, id="path-removed-later"),
        pytest.param(PATHS, 3, 3, 3, 3, id="path-removed-at-once"),
        pytest.param([Kind.POST], 3, 3, 2, None, id="post-removed-before-it-was-seen"),
        pytest.param([Kind.POST], 3, 3, 3, None, id="post-removed-at-once"),
        pytest.param([Kind.POST], 3, 3, 9, None, id="post-removed-later"),
        pytest.param([Kind.POST], 3, 9, 5, None, id="post-seen-again-stays-removed"),
        pytest.param([Kind.CONNECTED], 3, 3, 2, 3, id="removed-before-the-first-time"),
        pytest.param([Kind.CONNECTED], 3, 7, 2, 3, id="removed-before-both-times"),
        pytest.param([Kind.CONNECTED], 3, 7, 3, 7, id="removed-on-the-first-counts-from-the-last"),
        pytest.param([Kind.CONNECTED], 3, 7, 5, 7, id="removed-between-counts-from-the-last"),
        pytest.param([Kind.CONNECTED], 3, 7, 7, None, id="a-tie-with-the-last-is-removed"),
        pytest.param([Kind.CONNECTED], 3, 3, 3, None, id="a-tie-with-the-only-one-is-removed"),
        pytest.param([Kind.CONNECTED], 3, 7, 8, None, id="removed-after-the-last"),
    ],
)
def test_an_activity_counts_since(
    kinds: list[Kind], first: int | None, last: int | None, removed: int | None, since: int | None
) -> None:
    found = {kind: activity(first, last, removed).counted_at(kind) for kind in kinds}

    assert found == dict.fromkeys(kinds, day(since))


def test_a_microsecond_parts_removed_from_connected() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    again = start + timedelta(microseconds=1)
    merged = began(start, "lms", "1").merged(began(again, "lms", "2")).merged(ended(start, "lms", "3"))

    assert merged.counted_at(Kind.CONNECTED) == again


def test_the_event_that_began_it_first_is_named_whichever_came_first() -> None:
    early, late = began(datetime(2026, 1, 1, tzinfo=UTC), "lms", "9"), activity(2, 2, None)

    assert late.merged(early).event_id == early.merged(late).event_id == "9"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("forum", "2"), ("lms", "1"), id="by-source"),
        pytest.param(("lms", "1"), ("lms", "2"), id="by-id"),
    ],
)
def test_two_events_of_one_instant_are_told_apart(one: tuple[str, str], other: tuple[str, str]) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    first, second = began(start, *one), began(start, *other)

    assert first.merged(second) == second.merged(first)
    assert (first.merged(second).source, first.merged(second).event_id) == one


def test_a_removal_names_no_beginning() -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    gone = ended(start, "lms", "2")

    merged = gone.merged(began(start - timedelta(days=1), "lms", "1"))

    assert (merged.event_id, merged.removed_at) == ("1", start)


MOMENTS = st.integers(0, 4).map(lambda n: datetime(2026, 1, 1 + n, tzinfo=UTC))
NEWS = st.builds(
    lambda make, at, source, event_id: make(at, source, event_id),
    st.sampled_from([began, ended]),
    MOMENTS,
    st.sampled_from(["forum", "lms"]),
    st.sampled_from("123"),
)


def told(news: Sequence[Activity]) -> Activity:
    return reduce(Activity.merged, news)


def seen(known: Activity) -> tuple[object, ...]:
    """Return what decides: all of it once the activity began, else its removal alone."""
    if known.first_at is None:
        return known.first_at, known.last_at, known.removed_at
    return known.first_at, known.last_at, known.removed_at, known.source, known.event_id


@tried
@given(st.lists(NEWS, min_size=1, max_size=7), st.data())
def test_merging_is_free_of_order(news: list[Activity], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(news))

    assert seen(told(shuffled)) == seen(told(news))


@tried
@given(st.lists(NEWS, min_size=1, max_size=5), st.data())
def test_merging_what_was_merged_before_changes_nothing(news: list[Activity], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(news), max_size=5))

    assert told([*news, *again]) == told(news)


@tried
@given(*[st.lists(NEWS, min_size=1, max_size=3)] * 3)
def test_merging_may_be_grouped_in_any_way(
    one: list[Activity], two: list[Activity], three: list[Activity]
) -> None:
    a, b, c = told(one), told(two), told(three)

    assert a.merged(b).merged(c) == a.merged(b.merged(c))


@tried
@given(st.lists(NEWS, min_size=1, max_size=7))
def test_what_is_merged_is_the_earliest_the_latest_and_the_last_removal(news: list[Activity]) -> None:
    beginnings = [each.first_at for each in news if each.first_at]
    removals = [each.removed_at for each in news if each.removed_at]

    merged = told(news)

    assert merged.first_at == min(beginnings, default=None)
    assert merged.last_at == max(beginnings, default=None)
    assert merged.removed_at == max(removals, default=None)


@tried
@given(st.lists(NEWS, min_size=1, max_size=7))
def test_a_connection_is_live_when_its_latest_news_is_a_meeting(news: list[Activity]) -> None:
    """A reading of the table that looks at all the news, not at three instants of it."""
    meetings = [each.first_at for each in news if each.first_at]
    removals = [each.removed_at for each in news if each.removed_at]
    since_removal = [at for at in meetings if all(at > removed for removed in removals)]

    since = told(news).counted_at(Kind.CONNECTED)

    assert (since is not None) == bool(since_removal)
    assert since is None or since in since_removal

"""An account's age, and blocks of it: right to the second, whatever came first (contract.md section 4)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.bodies import blocked, met, registered, unblocked, updated
from tests.support.ground import Ground, badge, now
from worker.reevaluation import backfill, begin_night, sweep

HOUR = timedelta(hours=1)
DAY = 86400
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
HOUR_OLD = badge({"registered_for": {"threshold": 3600}})


@pytest.mark.parametrize("order", ["all-before-the-sweep", "unblocked-after-it", "registered-after-it"])
@pytest.mark.parametrize(
    ("begins", "ends", "earned"),
    [
        pytest.param(-5 * MINUTE, 5 * MINUTE, 5 * MINUTE, id="due-within-the-block"),
        pytest.param(0 * SECOND, SECOND, SECOND, id="due-when-it-begins"),
        pytest.param(-SECOND, 0 * SECOND, 0 * SECOND, id="due-when-it-ends"),
        pytest.param(-SECOND, SECOND, SECOND, id="due-within-a-second-of-either-end"),
        pytest.param(-5 * MINUTE, -SECOND, 0 * SECOND, id="due-a-second-after-it"),
        pytest.param(SECOND, 5 * MINUTE, 0 * SECOND, id="due-a-second-before-it"),
    ],
)
def test_an_age_that_a_block_meets_counts_from(
    ground: Ground, begins: timedelta, ends: timedelta, earned: timedelta, order: str
) -> None:
    ground.apply(hour=HOUR_OLD)
    due = (now() - 20 * MINUTE).replace(microsecond=0)
    ground.swept_to(now() - 40 * MINUTE)
    registration, unblock = registered(due - HOUR, "ada"), unblocked(due + ends, "ada")
    late = {
        "all-before-the-sweep": [],
        "unblocked-after-it": [unblock],
        "registered-after-it": [registration],
    }
    early = [registration, blocked(due + begins, "ada"), unblock]

    ground.ingest(*(body for body in early if body not in late[order]))
    sweep(ground.database)
    ground.ingest(*late[order])

    assert ground.earned() == {("ada", "hour"): due + earned}


def test_who_is_blocked_comes_of_age_when_unblocked_and_not_before(ground: Ground) -> None:
    ground.apply(hour=HOUR_OLD)
    due = now() - 20 * MINUTE
    ground.swept_to(now() - 40 * MINUTE)
    ground.ingest(registered(due - HOUR, "ada"), blocked(due - MINUTE, "ada"))

    made = [sweep(ground.database), backfill(ground.database), sweep(ground.database)]

    assert made == [0, 0, 0]
    assert ground.earned() == {}


def test_beat_that_runs_twice_does_nothing_twice(ground: Ground) -> None:
    ground.apply(hour=HOUR_OLD)
    ground.ingest(registered(now() - HOUR - MINUTE, "ada"))
    ground.swept_to(now() - 10 * MINUTE)

    for _ in range(2):
        sweep(ground.database)
        begin_night(ground.database)
        backfill(ground.database)

    assert ground.history("ada", "hour") == ["decided"]


FREE_AGAIN = {
    "unblocked": (blocked(0, "ada"), unblocked(5 * DAY, "ada")),
    "not-anonymous-any-more": (
        updated(0, "ada", scope="ANONYMOUS"),
        updated(5 * DAY, "ada", scope="AUTHENTICATED"),
    ),
}


@pytest.mark.parametrize("how", sorted(FREE_AGAIN))
def test_what_comes_along_with_the_end_of_a_bar_hides_no_window_that_held_before(
    ground: Ground, how: str
) -> None:
    ground.apply(pair=badge({"social_connection": {"threshold": 2, "period": 60}}))
    begins, ends = FREE_AGAIN[how]
    ground.ingest(begins, met(10, "ada", "bob"), met(20, "ada", "cy"))

    ground.ingest(ends, met(5 * DAY + 10, "ada", "dan"))

    assert set(ground.earned()) == {("ada", "pair")}

"""An account's age, and blocks of it: right to the second, whatever came first (contract.md section 4)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.bodies import blocked, registered, unblocked
from tests.support.ground import Ground, badge, now
from worker.reevaluation import backfill, begin_night, sweep

HOUR = timedelta(hours=1)
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

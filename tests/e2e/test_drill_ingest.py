"""The short form of the ingestion drill (`make drill-ingest`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.drills.ingest import Drill, Plan
from tests.support.drill_storm import Weather
from tests.support.restartable import servers

if TYPE_CHECKING:
    from pathlib import Path

SHORT = Plan(
    events=4000,
    weather=Weather(kills=2, postgres_restarts=1, valkey_restarts=1, pause=(0.2, 0.6)),
    aged=True,
    longest=150.0,
)


@pytest.mark.timeout(240)
def test_nothing_is_lost_or_counted_twice_although_everything_is_killed_now_and_then(tmp_path: Path) -> None:
    with servers() as (postgres, valkey):
        report = Drill(SHORT, 5, postgres, valkey, tmp_path).run(print)

    assert report.right, report
    assert report.differences.awards > 500
    assert report.kills_with_entries_in_hand > 0

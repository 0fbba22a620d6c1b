"""The short form of the issuing drill (`make drill-issuing`)."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.drills.issuing import Drill, Plan

SHORT = Plan(awards=600, badges=12, workers=2, kills=3, kill_every=(2.0, 4.0), longest=150.0)


@pytest.mark.timeout(240)
def test_each_award_is_issued_once_although_the_provider_fails_and_workers_are_killed(
    postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        report = Drill(SHORT, 5, tmp_path, (postgres_url, redis_url), stack).run(print)

    assert report.right, report
    assert report.kills > 0
    assert sum(report.faults.values()) > 0

"""The short form of the ingestion drill (`make drill-ingest`)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.drills.ingest import Drill, Plan
from tests.support.drill_brokers import QueueOnRabbitMQ, StreamOnValkey
from tests.support.drill_storm import Weather
from tests.support.restartable import servers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.drill_brokers import Broker

SHORT = Plan(
    events=4000,
    weather=Weather(kills=2, postgres_restarts=1, broker_restarts=1, pause=(0.2, 0.6)),
    longest=150.0,
)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "broker",
    [
        pytest.param(partial(StreamOnValkey, aged=True), id="redis"),
        pytest.param(QueueOnRabbitMQ, id="rabbitmq"),
    ],
)
def test_nothing_is_lost_or_counted_twice_although_everything_is_killed_now_and_then(
    broker: Callable[[Path], Broker], tmp_path: Path
) -> None:
    with servers(broker) as (postgres, started):
        report = Drill(SHORT, 5, postgres, started, tmp_path).run(print)

    assert report.right, report
    assert report.differences.awards > 500
    assert report.kills_with_entries_in_hand > 0

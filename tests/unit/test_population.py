from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from examples.replay import replay
from tests.support.population import encoded, population, untidied

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIZES = [
    pytest.param(30, 700, id="thirty-people"),
    pytest.param(200, 3000, id="two-hundred-people"),
    pytest.param(1000, 12000, id="a-thousand-people"),
]


@pytest.mark.parametrize(("people", "events"), SIZES)
def test_every_badge_is_earned_by_some_and_missed_by_others(people: int, events: int) -> None:
    made = population(people, events)

    reading = replay(made.definitions, encoded(made.bodies), NOW)

    assert len(made.bodies) == events
    assert reading.dead_letters == []
    assert reading.ignored == 0
    earners = Counter(badge_id for _, badge_id in reading.awards)
    assert set(earners) == set(made.definitions["badges"])
    assert max(earners.values()) < people


def test_order_and_repetition_change_no_award() -> None:
    made = population(60, 1500, seed=7)

    tidy = replay(made.definitions, encoded(made.bodies), NOW)
    untidy = replay(made.definitions, untidied(made.bodies, seed=3), NOW)

    assert untidy == tidy


def test_judging_after_every_event_finds_the_same_earners() -> None:
    made = population(30, 600, seed=5)

    at_once = replay(made.definitions, encoded(made.bodies), NOW)
    one_by_one = replay(made.definitions, untidied(made.bodies, seed=4), NOW, in_order=True)

    assert set(one_by_one.awards) == set(at_once.awards)
    assert one_by_one.counts == at_once.counts


def test_one_seed_makes_one_population() -> None:
    assert population(20, 200, seed=1) == population(20, 200, seed=1)
    assert population(20, 200, seed=1).bodies != population(20, 200, seed=2).bodies

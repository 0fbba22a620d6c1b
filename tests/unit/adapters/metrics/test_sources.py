"""What each source makes of what it is told: every number under its name, with its labels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from worker.adapters.database.standing import BadgeStanding, RulesStanding
from worker.adapters.metrics import sources
from worker.ports import Evaluation, Leeway, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.adapters.metrics import Source

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Standing:
    """A database that stands like this."""

    def awards_by_state(self) -> dict[str, int]:
        return {"pending": 3, "issued": 40}

    def oldest_pending(self) -> float:
        return 61.5

    def dead_letters(self) -> int:
        return 5

    def rules(self) -> RulesStanding:
        return RulesStanding(7, LONG_AGO)

    def badges(self) -> list[BadgeStanding]:
        earned_at = LONG_AGO + timedelta(days=2)
        return [BadgeStanding("rare", LONG_AGO, None), BadgeStanding("usual", LONG_AGO, earned_at)]


class Lag:
    """A queue that is behind by so much."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds

    def messages(self) -> int:
        return 12

    def seconds(self) -> float | None:
        return self._seconds


class Beat:
    """A beat that ticked then, or never."""

    def __init__(self, last: float | None) -> None:
        self._last = last

    def last(self) -> float | None:
        return self._last


def told(given: Iterable[Source]) -> dict[str, float]:
    """Return the samples, by name and labels, as Prometheus writes them; each may be there but once."""
    samples = [each for source in given for family in source.read() for each in family.samples]
    named = [(each.name.removeprefix("badge_worker_"), each.labels, each.value) for each in samples]
    found = {f"{name}{labels or ''}": value for name, labels, value in named}
    assert len(found) == len(samples)
    return found


def database(*waiting: Evaluation) -> list[Source]:
    return sources.database_sources(cast("Any", Standing()), lambda: list(waiting))


def evaluation(version: int, looked_at: int, reason: Reason = Reason.RULES) -> Evaluation:
    return Evaluation("usual", version, reason, people=200, looked_at=looked_at, found=1)


def test_the_database_says_how_awards_rules_and_badges_stand() -> None:
    begun = LONG_AGO.timestamp()

    assert told(database()) == {
        "awards{'state': 'pending'}": 3,
        "awards{'state': 'issued'}": 40,
        "oldest_pending_award_seconds": 61.5,
        "dead_letters": 5,
        "rules_version": 7,
        "swept_to_timestamp_seconds": begun,
        "badge_created_timestamp_seconds{'badge': 'rare'}": begun,
        "badge_created_timestamp_seconds{'badge': 'usual'}": begun,
        "badge_last_earned_timestamp_seconds{'badge': 'usual'}": begun + 2 * 86400,
        "evaluations": 0,
    }


def test_each_evaluation_says_how_far_it_is() -> None:
    found = told(database(evaluation(3, 150), evaluation(3, 20, Reason.NIGHTLY)))

    assert {name: value for name, value in found.items() if name.startswith("evaluation")} == {
        "evaluations": 2,
        "evaluation_people{'badge': 'usual', 'reason': 'rules'}": 200,
        "evaluation_looked_at{'badge': 'usual', 'reason': 'rules'}": 150,
        "evaluation_people{'badge': 'usual', 'reason': 'nightly'}": 200,
        "evaluation_looked_at{'badge': 'usual', 'reason': 'nightly'}": 20,
    }


@pytest.mark.parametrize("order", [1, -1], ids=["older-first", "newer-first"])
def test_of_two_versions_of_a_badge_the_newer_one_is_told(order: int) -> None:
    found = told(database(*[evaluation(3, 150), evaluation(4, 20)][::order]))

    assert found["evaluation_looked_at{'badge': 'usual', 'reason': 'rules'}"] == 20
    assert found["evaluations"] == 2


@pytest.mark.parametrize(
    ("seconds", "more"),
    [
        pytest.param(90.5, {"queue_lag_seconds": 90.5}, id="ages-are-known"),
        pytest.param(0.0, {"queue_lag_seconds": 0.0}, id="nothing-waits"),
        pytest.param(None, {}, id="ages-are-not-known"),
    ],
)
def test_the_queue_says_how_far_behind_it_is(seconds: float | None, more: dict[str, float]) -> None:
    lag = Lag(seconds)

    assert told([sources.queue_source(lambda: cast("Any", lag))]) == {"queue_lag_messages": 12} | more


def test_each_issuer_says_what_it_has_room_for_and_how_it_is() -> None:
    leeways = {"academy": Leeway(88, 0.0, 1), "partner": Leeway(0, 30.5, 6)}

    assert told([sources.issuers_source(lambda: leeways)]) == {
        "permits_left{'issuer': 'academy'}": 88,
        "permits_left{'issuer': 'partner'}": 0,
        "issuer_paused_seconds{'issuer': 'academy'}": 0,
        "issuer_paused_seconds{'issuer': 'partner'}": 30.5,
        "issuer_failures_in_a_row{'issuer': 'academy'}": 1,
        "issuer_failures_in_a_row{'issuer': 'partner'}": 6,
    }


@pytest.mark.parametrize(
    ("last", "said"),
    [(None, {}), (1_700_000_000.0, {"beat_last_tick_timestamp_seconds": 1_700_000_000.0})],
    ids=["never", "once"],
)
def test_beat_says_when_it_ticked(last: float | None, said: dict[str, float]) -> None:
    beat = Beat(last)

    assert told([sources.beat_source(lambda: cast("Any", beat))]) == said

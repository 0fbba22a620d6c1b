"""How often one caller may come."""

from __future__ import annotations

import pytest

from worker.web import rate
from worker.web.rate import CallerRate, whole_seconds


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_so_many_may_come_at_once_and_then_one_after_the_other(clock: Clock) -> None:
    limit = CallerRate(3, 60.0, clock)

    waits = [limit.take("a") for _ in range(4)]
    clock.now = 19.9
    early = limit.take("a")
    clock.now = 20.0
    in_time = limit.take("a")

    assert waits == [0, 0, 0, 20.0]
    assert early == pytest.approx(0.1)
    assert in_time == 0


def test_each_caller_has_a_limit_of_its_own(clock: Clock) -> None:
    limit = CallerRate(1, 60.0, clock)

    assert [limit.take("a"), limit.take("b"), limit.take("a")] == [0, 0, 60.0]


def test_a_long_silence_saves_up_no_more_than_one_window(clock: Clock) -> None:
    limit = CallerRate(2, 60.0, clock)
    limit.take("a")
    clock.now = 86_400.0

    assert [limit.take("a") for _ in range(3)] == [0, 0, 30.0]


def test_callers_without_end_do_not_fill_the_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "_MOST_CALLERS", 10)
    limit = CallerRate(2, 60.0, clock)
    for number in range(50):
        clock.now += 60
        limit.take(f"caller-{number}")

    assert len(limit._buckets) <= 10


def test_who_is_kept_out_stays_out_while_others_are_forgotten(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate, "_MOST_CALLERS", 1)
    limit = CallerRate(1, 60.0, clock)
    limit.take("a")

    limit.take("b")

    assert limit.take("a") > 0


@pytest.mark.parametrize(("seconds", "said"), [(0.01, "1"), (1.0, "1"), (1.2, "2"), (30.0, "30")])
def test_nobody_is_told_to_come_too_early(seconds: float, said: str) -> None:
    assert whole_seconds(seconds) == said

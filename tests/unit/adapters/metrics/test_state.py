"""How things stand: asked seldom, one source at a time, and never in the way of the others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import GaugeMetricFamily

from worker.adapters.metrics import Source, State, answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """A source that counts how often it is asked, and takes its time by the clock."""

    def __init__(self, clock: Clock, seconds: float = 0.0) -> None:
        self.times = 0
        self.fails = False
        self._clock = clock
        self._seconds = seconds

    def __call__(self) -> Iterator[Metric]:
        self.times += 1
        self._clock.now += self._seconds
        if self.fails:
            raise RuntimeError("postgresql://user:password@host")
        yield GaugeMetricFamily("badge_worker_asked", "How often it was asked.", self.times)


def samples(state: State) -> dict[str, float]:
    found = [each for family in state.collect() for each in family.samples]
    return {" ".join([each.name, *each.labels.values()]): each.value for each in found}


def test_an_answer_is_kept_for_a_few_seconds() -> None:
    clock = Clock()
    asked = Asked(clock)
    state = State([Source("it", asked)], clock)

    first, second = samples(state), samples(state)
    clock.now += 4
    third = samples(state)

    assert [each["badge_worker_asked"] for each in (first, second, third)] == [1, 1, 2]


def test_what_takes_long_is_asked_less_often() -> None:
    clock = Clock()
    asked = Asked(clock, seconds=2.0)
    state = State([Source("it", asked)], clock)
    samples(state)

    clock.now += 99
    samples(state)
    asked_within = asked.times
    clock.now += 2
    samples(state)

    assert (asked_within, asked.times) == (1, 2)


def test_what_fails_says_so_and_nothing_else_until_it_can_be_read_again() -> None:
    clock = Clock()
    broken = Asked(clock)
    broken.fails = True
    named = GaugeMetricFamily("badge_worker_sound", "It is.", 1)
    state = State([Source("broken", broken), Source("sound", lambda: [named])], clock)

    failing = samples(state)
    broken.fails = False
    clock.now += 4
    mended = samples(state)

    assert failing["badge_worker_scrape_error broken"] == 1
    assert failing["badge_worker_scrape_error sound"] == 0
    assert "badge_worker_asked" not in failing
    assert failing["badge_worker_sound"] == 1
    assert mended["badge_worker_scrape_error broken"] == 0
    assert mended["badge_worker_asked"] == 2


def test_what_fails_slowly_is_asked_again_soon() -> None:
    clock = Clock()
    asked = Asked(clock, seconds=10.0)
    asked.fails = True
    state = State([Source("it", asked)], clock)
    samples(state)

    asked.fails = False
    clock.now += 31
    mended = samples(state)

    assert mended["badge_worker_scrape_error it"] == 0


def test_a_failure_is_no_answer_that_is_repeated() -> None:
    clock = Clock()
    asked = Asked(clock)
    state = State([Source("it", asked)], clock)
    samples(state)

    asked.fails = True
    clock.now += 4
    failing = samples(state)

    assert "badge_worker_asked" not in failing


def test_one_that_hangs_holds_nobody_up() -> None:
    clock, go_on = Clock(), threading.Event()

    def hanging() -> list[Metric]:
        assert go_on.wait(60)
        return [GaugeMetricFamily("badge_worker_late", "It came late.", 1)]

    state = State([Source("hanging", hanging), Source("it", Asked(clock))], clock, patience=0.05)

    without = samples(state)
    readers = [thread for thread in threading.enumerate() if thread.name == "metrics-hanging"]
    again = samples(state)
    go_on.set()
    readers[0].join(60)
    afterwards = samples(state)

    assert without["badge_worker_scrape_error hanging"] == again["badge_worker_scrape_error hanging"] == 1
    assert without["badge_worker_asked"] == 1
    assert len(readers) == 1
    assert afterwards["badge_worker_late"] == 1


def test_what_is_read_anew_says_what_it_said_before() -> None:
    clock, go_on = Clock(), threading.Event()
    go_on.set()

    def slow() -> list[Metric]:
        assert go_on.wait(60)
        return [GaugeMetricFamily("badge_worker_slow", "It is.", 1)]

    state = State([Source("slow", slow)], clock, patience=0.05)
    samples(state)
    go_on.clear()
    clock.now += 4
    meanwhile = samples(state)
    clock.now += 61
    too_long = samples(state)
    go_on.set()

    assert meanwhile["badge_worker_slow"] == 1
    assert "badge_worker_slow" not in too_long
    assert too_long["badge_worker_scrape_error slow"] == 1


def test_a_failing_source_is_never_a_failing_scrape() -> None:
    clock = Clock()
    broken = Asked(clock)
    broken.fails = True

    told = answer(State([Source("broken", broken)], clock)).body.decode()

    assert 'badge_worker_scrape_error{source="broken"} 1.0' in told
    assert "badge_worker_last_progress_timestamp_seconds" in told
    assert "password" not in told

"""What every limiter promises (design.md section 3, S3-03): the one in memory and the one in Redis alike."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from worker.adapters.permits import MemoryPermits, RateLimit, RedisPermits
from worker.errors import ConfigurationError, NoPermit

if TYPE_CHECKING:
    import redis

    from worker.ports import Permits

WINDOW = 0.3  # of the issuer that tests wait for; the others' is too long to end within a test
LIMITS = {
    "academy": RateLimit(calls=3, window=60, deadline=30),
    "partner": RateLimit(calls=1, window=60, deadline=30),
    "quick": RateLimit(calls=3, window=WINDOW, deadline=30),
}


@pytest.fixture(params=["memory", "redis"])
def permits(request: pytest.FixtureRequest) -> Permits:
    if request.param == "memory":
        return MemoryPermits(LIMITS)
    client: redis.Redis = request.getfixturevalue("redis_client")
    return RedisPermits(client, LIMITS)


def use(permits: Permits, issuer: str = "academy", calls: int = 3) -> None:
    for _ in range(calls):
        permits.acquire(issuer, 0).answered()


def test_as_many_permits_are_given_as_the_limit_says(permits: Permits) -> None:
    use(permits, calls=3)

    with pytest.raises(NoPermit) as refused:
        permits.acquire("academy", 0)

    assert 50 < refused.value.wait <= 60.1


def test_issuers_do_not_share_a_limit(permits: Permits) -> None:
    use(permits, "academy", calls=3)

    permit = permits.acquire("partner", 0)

    assert permits.room("academy", 0) == 0
    permit.answered()


def test_an_unknown_issuer_gets_no_permit(permits: Permits) -> None:
    with pytest.raises(ConfigurationError, match="nobody"):
        permits.acquire("nobody", 0)


def test_a_permit_comes_back_one_window_after_its_answer(permits: Permits) -> None:
    held = [permits.acquire("quick", 0) for _ in range(3)]
    answered = time.monotonic()
    for permit in held:
        permit.answered()

    permits.acquire("quick", 30)

    assert time.monotonic() - answered > WINDOW


def test_a_call_under_way_keeps_its_permit_for_its_whole_deadline(permits: Permits) -> None:
    for _ in range(3):
        permits.acquire("academy", 0)

    room_within_the_window = permits.room("academy", 61)

    assert room_within_the_window == 0
    assert permits.room("academy", 91) == 3


def test_waiting_for_a_call_under_way_ends_once_it_cannot_be_enough(permits: Permits) -> None:
    permits.acquire("partner", 0)

    with pytest.raises(NoPermit) as refused:
        permits.acquire("partner", 5)

    assert refused.value.wait > 50


def test_an_unused_permit_is_free_at_once(permits: Permits) -> None:
    permit = permits.acquire("partner", 0)

    permit.unused()

    assert permits.room("partner", 0) == 1


def test_a_permit_that_is_free_again_is_not_taken_back_by_a_late_answer(permits: Permits) -> None:
    permit = permits.acquire("partner", 0)
    permit.unused()

    permit.answered()

    assert permits.room("partner", 0) == 1


def test_a_permit_says_until_when_the_call_may_last(permits: Permits) -> None:
    before = time.monotonic()

    permit = permits.acquire("academy", 0)

    assert before + 30 <= permit.call_by <= time.monotonic() + 30


def test_room_counts_what_comes_free_in_time(permits: Permits) -> None:
    use(permits, calls=2)

    assert permits.room("academy", 0) == 1
    assert permits.room("academy", 61) == 3


def test_a_pause_stops_every_call_of_its_issuer(permits: Permits) -> None:
    permits.pause("academy", 60)

    with pytest.raises(NoPermit) as refused:
        permits.acquire("academy", 1)

    assert 50 < refused.value.wait <= 60
    assert permits.room("academy", 120) == 0
    assert permits.room("partner", 0) == 1


def test_a_pause_is_never_shortened(permits: Permits) -> None:
    permits.pause("academy", 60)
    permits.pause("academy", 1)

    with pytest.raises(NoPermit) as refused:
        permits.acquire("academy", 0)

    assert refused.value.wait > 50


def test_a_longer_pause_takes_the_place_of_a_shorter_one(permits: Permits) -> None:
    permits.pause("academy", 1)
    permits.pause("academy", 60)

    with pytest.raises(NoPermit) as refused:
        permits.acquire("academy", 0)

    assert refused.value.wait > 50


def test_a_pause_that_ends_in_time_is_waited_for(permits: Permits) -> None:
    began = time.monotonic()
    permits.pause("academy", 0.1)

    permits.acquire("academy", 30)

    assert time.monotonic() - began >= 0.1


def test_a_pause_of_no_time_is_none(permits: Permits) -> None:
    permits.pause("academy", 0)

    assert permits.room("academy", 0) == 3


def test_failures_are_counted_until_a_call_goes_well(permits: Permits) -> None:
    rows = [permits.failed("academy") for _ in range(3)]
    permits.succeeded("academy")

    assert rows == [1, 2, 3]
    assert permits.failed("academy") == 1
    assert permits.failed("partner") == 1


def test_waiting_threads_never_get_more_than_the_limit_in_any_window(permits: Permits) -> None:
    arrivals: list[float] = []
    guard = threading.Lock()

    def call() -> None:
        for _ in range(3):
            permit = permits.acquire("quick", 60)
            with guard:
                arrivals.append(time.monotonic())
            permit.answered()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    arrivals.sort()
    assert len(arrivals) == 12
    assert min(later - earlier for earlier, later in zip(arrivals, arrivals[3:], strict=False)) > WINDOW


def test_looking_says_what_is_left_and_takes_nothing(permits: Permits) -> None:
    permits.acquire("academy", 0)
    permits.failed("academy")

    seen = [permits.leeway("academy") for _ in range(5)]

    assert {(each.permits, each.paused, each.failures) for each in seen} == {(2, 0.0, 1)}
    assert permits.leeway("partner").permits == 1


def test_looking_says_how_long_an_issuer_is_paused(permits: Permits) -> None:
    permits.pause("academy", 50)

    seen = permits.leeway("academy")

    assert 40 < seen.paused <= 50
    assert seen.permits == 3

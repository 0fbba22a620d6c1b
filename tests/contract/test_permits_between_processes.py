"""The shared rate limit, on the real Redis or Valkey: what only several processes can show."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from worker.adapters.permits import RateLimit, RedisPermits
from worker.adapters.redis_connection import connect
from worker.errors import LimiterUnavailable, NoPermit

if TYPE_CHECKING:
    import redis

    from tests.conftest import Spawn

CALLS, WINDOW = 20, 0.5
LIMITS = {"academy": RateLimit(CALLS, WINDOW, deadline=30)}


def test_processes_never_exceed_the_limit_in_any_window_whatever_their_clocks_say(
    redis_url: str, spawn: Spawn
) -> None:
    arguments = [redis_url, CALLS, WINDOW, 8, 5]
    hammer = [sys.executable, "-m", "tests.unit.adapters.hammer", *map(str, arguments)]

    processes = [spawn([*hammer, clock_off]) for clock_off in ("0", "-7200", "7200")]
    codes = [each.wait(60) for each in processes]

    arrivals = sorted(moment for each in processes for moment in json.loads(each.output()))
    assert codes == [0, 0, 0]
    assert len(arrivals) > 3 * CALLS  # of 120; some were too late to be sent
    spans = [later - earlier for earlier, later in zip(arrivals, arrivals[CALLS:], strict=False)]
    assert min(spans) > WINDOW


def test_processes_share_the_permits_of_one_that_died(redis_client: redis.Redis) -> None:
    lost = RedisPermits(redis_client, LIMITS)
    for _ in range(CALLS):
        lost.acquire("academy", 0)  # and nothing is ever heard of them

    with pytest.raises(NoPermit):
        RedisPermits(redis_client, LIMITS).acquire("academy", 0)


def test_installations_with_prefixes_of_their_own_do_not_share(redis_client: redis.Redis) -> None:
    one, other = (RedisPermits(redis_client, LIMITS, prefix) for prefix in ("one:", "other:"))

    one.pause("academy", 60)

    assert (one.room("academy", 0), other.room("academy", 0)) == (0, CALLS)


def test_every_key_expires_by_itself(redis_client: redis.Redis) -> None:
    permits = RedisPermits(redis_client, LIMITS)
    permits.acquire("academy", 0)
    permits.failed("academy")
    permits.pause("academy", 60)

    lives = {key: redis_client.pttl(key) for key in redis_client.keys("*")}

    assert len(lives) == 3
    assert all(life > 0 for life in lives.values())


def test_the_keys_of_an_issuer_stay_together_in_a_cluster(redis_client: redis.Redis) -> None:
    permits = RedisPermits(redis_client, LIMITS)
    permits.acquire("academy", 0)
    permits.failed("academy")
    permits.pause("academy", 60)

    assert all(b"{academy}" in key for key in redis_client.keys("*"))


def test_a_server_that_has_forgotten_the_scripts_is_told_them_again(redis_client: redis.Redis) -> None:
    permits = RedisPermits(redis_client, LIMITS)
    permits.acquire("academy", 0)

    redis_client.script_flush()

    assert permits.room("academy", 0) == CALLS - 1


def test_without_the_server_there_are_no_permits() -> None:
    with connect("redis://127.0.0.1:1/0") as nowhere:
        permits = RedisPermits(nowhere, LIMITS)

        for ask in (
            lambda: permits.acquire("academy", 0),
            lambda: permits.room("academy", 0),
            lambda: permits.pause("academy", 1),
            lambda: permits.failed("academy"),
            lambda: permits.succeeded("academy"),
        ):
            with pytest.raises(LimiterUnavailable):
                ask()

"""A Redis that lost its memory lets no second limit's worth of calls out (design.md section 3, S3-03)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from worker.adapters.embedded import start_valkey
from worker.adapters.permits import RateLimit, RedisPermits
from worker.adapters.redis_connection import connect
from worker.errors import LimiterUnavailable, NoPermit

if TYPE_CHECKING:
    from pathlib import Path

    import redis

LIMITS = {
    "academy": RateLimit(calls=3, window=60, deadline=30),
    "partner": RateLimit(calls=3, window=60, deadline=30),
    "quick": RateLimit(calls=3, window=0.3, deadline=0.2),
}
PERMITS = "badge-worker:{academy}:permits"


def permits_on(client: redis.Redis, *called: str) -> RedisPermits:
    return RedisPermits(client, LIMITS, called_before=lambda issuer: issuer in called)


def wait_of(permits: RedisPermits, issuer: str = "academy") -> float:
    """Return how long there is no permit for the issuer."""
    with pytest.raises(NoPermit) as refused:
        permits.acquire(issuer, 0)
    return refused.value.wait


def test_the_very_first_call_waits_for_nothing(redis_client: redis.Redis) -> None:
    permits = permits_on(redis_client)

    with capture_logs() as logs:
        permits.acquire("academy", 0)

    assert permits.room("academy", 0) == 2
    assert logs == []


def test_after_redis_was_emptied_nobody_calls_before_the_forgotten_calls_are_over(
    redis_client: redis.Redis,
) -> None:
    permits = permits_on(redis_client, "academy")
    permits.acquire("partner", 0)
    redis_client.flushdb()

    with capture_logs() as logs:
        wait = wait_of(permits)

    assert 89 < wait <= LIMITS["academy"].held + 0.01
    assert permits.room("academy", 2) == 0
    assert permits.room("partner", 0) == 3
    assert [(line["event"], line["issuer"]) for line in logs] == [("limiter.forgot_calls", "academy")]


def test_the_dispatcher_notices_that_redis_was_emptied_too(redis_client: redis.Redis) -> None:
    permits = permits_on(redis_client, "academy")

    room = permits.room("academy", 2)

    assert room == 0
    assert wait_of(permits) > 89


def test_a_loss_is_waited_out_once(redis_client: redis.Redis) -> None:
    permits = permits_on(redis_client, "quick")
    began = time.monotonic()

    permits.acquire("quick", 30)

    assert time.monotonic() - began >= LIMITS["quick"].held
    assert permits.room("quick", 0) == 2


def test_whether_there_were_calls_is_asked_only_when_nothing_is_remembered(redis_client: redis.Redis) -> None:
    asked: list[str] = []

    def ask(issuer: str) -> bool:
        asked.append(issuer)
        return False

    permits = RedisPermits(redis_client, LIMITS, called_before=ask)
    permits.room("academy", 2)
    permits.acquire("academy", 0).answered()
    permits.acquire("academy", 0).unused()
    RedisPermits(redis_client, LIMITS, called_before=ask).room("academy", 2)

    assert asked == ["academy"]


def test_a_longer_pause_is_not_shortened_by_a_loss(redis_client: redis.Redis) -> None:
    permits = permits_on(redis_client, "academy")
    permits.pause("academy", 3600)

    assert wait_of(permits) > 3500


def test_another_server_with_an_old_copy_is_not_believed(redis_client: redis.Redis) -> None:
    permits = permits_on(redis_client)
    permits.acquire("academy", 0)
    run: bytes = redis_client.zrangebyscore(PERMITS, "+inf", "+inf")[0]  # type: ignore[assignment]  # redis-py's types name every shape of answer
    redis_client.zrem(PERMITS, run)
    redis_client.zadd(PERMITS, {"the run that the copy is of": float("inf")})

    wait = wait_of(permits)

    assert wait > 89
    assert redis_client.zrangebyscore(PERMITS, "+inf", "+inf") == [run]


@pytest.mark.parametrize("persistent", [True, False], ids=["written-down", "in-memory-alone"])
def test_a_restarted_server_remembers_or_is_waited_for(tmp_path: Path, persistent: bool) -> None:
    first = start_valkey(tmp_path, persistent=persistent)
    with connect(first.url) as client:
        permits_on(client).acquire("academy", 0)
    first.stop()

    second = start_valkey(tmp_path, persistent=persistent)
    with connect(second.url) as client:
        room = permits_on(client, "academy").room("academy", 0)
    second.stop()

    assert room == (2 if persistent else 0)


def test_a_server_that_does_not_say_who_it_is_counts_all_the_same(redis_client: redis.Redis) -> None:
    host, port = (redis_client.connection_pool.connection_kwargs[name] for name in ("host", "port"))
    redis_client.acl_setuser(
        "nosy", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-info"]
    )
    try:
        with connect(f"redis://nosy:any@{host}:{port}/0") as client:
            permits = permits_on(client)
            permits.acquire("academy", 0)

            assert permits.room("academy", 0) == 2
    finally:
        redis_client.acl_deluser("nosy")


def test_without_an_answer_about_earlier_calls_there_is_no_permit(redis_client: redis.Redis) -> None:
    def away(_: str) -> bool:
        raise LimiterUnavailable("the database is away")

    permits = RedisPermits(redis_client, LIMITS, called_before=away)

    with pytest.raises(LimiterUnavailable):
        permits.acquire("academy", 0)

    assert redis_client.keys("*") == []

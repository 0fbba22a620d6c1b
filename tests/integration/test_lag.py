"""How far the consumers are behind, and when beat ticked last: what lives in Redis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from worker.adapters.beat_tick import BeatTick
from worker.adapters.embedded import free_port
from worker.adapters.queues.lag import Lag
from worker.adapters.redis_connection import connect
from worker.errors import LimiterUnavailable, QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

PAST = 90_000  # milliseconds


@pytest.fixture
def lag(redis_url: str) -> Iterator[Lag]:
    looking = Lag(f"{redis_url}?stream=events")
    yield looking
    looking.close()


def add(client: redis.Redis, milliseconds_ago: int) -> bytes:
    clock: Any = client.time()
    at = clock[0] * 1000 + clock[1] // 1000 - milliseconds_ago
    entry: Any = client.xadd("events", {"event": b"{}"}, f"{at}-0")
    return bytes(entry)


def test_nothing_is_behind_where_there_is_no_stream(lag: Lag) -> None:
    assert (lag.messages(), lag.seconds()) == (0, 0.0)


def test_the_oldest_event_that_is_not_done_tells_the_age(lag: Lag, redis_client: redis.Redis) -> None:
    add(redis_client, PAST)
    add(redis_client, 0)

    seconds = lag.seconds()

    assert lag.messages() == 2
    assert seconds is not None
    assert PAST / 1000 <= seconds < PAST / 1000 + 60


def test_what_a_consumer_holds_is_not_done(lag: Lag, redis_client: redis.Redis) -> None:
    entry = add(redis_client, PAST)
    redis_client.xgroup_create("events", "badge-worker", id="0")
    redis_client.xreadgroup("badge-worker", "a-consumer", {"events": ">"})
    held = lag.messages(), lag.seconds()

    redis_client.xack("events", "badge-worker", entry)
    redis_client.xdel("events", entry)

    assert held[0] == 1
    assert held[1] is not None
    assert held[1] >= PAST / 1000
    assert (lag.messages(), lag.seconds()) == (0, 0.0)


def test_rabbitmq_tells_how_many_wait_but_not_since_when(amqp_url: str) -> None:
    lag = Lag(amqp_url)

    assert (lag.messages(), lag.seconds()) == (0, None)
    lag.close()


def test_a_queue_that_cannot_be_reached_says_so_without_its_address() -> None:
    lag = Lag(f"redis://user:s3cret@127.0.0.1:{free_port()}/0?stream=events")

    for ask in (lag.messages, lag.seconds):
        with pytest.raises(QueueUnavailable) as refused:
            ask()
        assert "s3cret" not in str(refused.value)


def test_beats_last_tick_is_seen_by_others(redis_client: redis.Redis) -> None:
    assert BeatTick(redis_client).last() is None

    BeatTick(redis_client).note()

    last = BeatTick(redis_client).last()
    assert last is not None
    assert abs(last - time.time()) < 60


def test_ticks_are_noted_now_and_then(redis_client: redis.Redis) -> None:
    now = [100.0]
    tick = BeatTick(redis_client, lambda: now[0])
    tick.note()
    redis_client.flushdb()

    tick.note()
    at_once = tick.last()
    now[0] += 5
    tick.note()

    assert at_once is None
    assert tick.last() is not None


def test_beat_goes_on_without_anywhere_to_note_it() -> None:
    client = connect(f"redis://127.0.0.1:{free_port()}/0")
    tick = BeatTick(client)

    tick.note()

    with pytest.raises(LimiterUnavailable):
        tick.last()

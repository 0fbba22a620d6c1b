"""What only Redis Streams can get wrong (design.md section 6), on a real Valkey.

No test waits for messages to grow old: it says with XCLAIM how long ago they were touched.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import pytest
import structlog

from tests.support.forwarder import Forwarder
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from worker.adapters.embedded import start_valkey
from worker.adapters.queues import RedisStreamQueue, open_queue
from worker.adapters.redis_connection import connect
from worker.errors import QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import redis

    from tests.conftest import Spawn
    from worker.ports import Message

STREAM, GROUP = "badge-events", "badge-worker"
NEVER = 3600.0
MINUTE_MS = 60_000


class Open(Protocol):
    """Opens a consumer; nothing is refreshed and no name is stale unless a test wants it."""

    def __call__(
        self, *, min_idle: float = 15, refresh_every: float = NEVER, stale_after: float = NEVER
    ) -> RedisStreamQueue: ...


# Reads what there is, says so, and never acknowledges.
HOLDER = """
import sys, time
from worker.adapters.queues import open_queue
queue = open_queue(sys.argv[1])
print("holds", len(queue.read(100, wait=20)), flush=True)
time.sleep(600)
"""


@pytest.fixture
def open_consumer(redis_url: str) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_one(
            *, min_idle: float = 15, refresh_every: float = NEVER, stale_after: float = NEVER
        ) -> RedisStreamQueue:
            queue = RedisStreamQueue(
                redis_url, min_idle=min_idle, refresh_every=refresh_every, stale_after=stale_after
            )
            stack.callback(queue.close)
            return queue

        yield open_one


def bodies(messages: Sequence[Message]) -> list[bytes]:
    return [message.body for message in messages]


def age(client: redis.Redis, owner: str) -> None:
    """Let what `owner` holds look untouched for a minute."""
    held: Any = client.xpending_range(STREAM, GROUP, "-", "+", 1000, owner)
    ids = [each["message_id"] for each in held]
    client.xclaim(STREAM, GROUP, owner, 0, ids, idle=MINUTE_MS, justid=True)


def milliseconds_untouched(client: redis.Redis) -> list[int]:
    pending: Any = client.xpending_range(STREAM, GROUP, "-", "+", 1000)
    return [each["time_since_delivered"] for each in pending]


def waits_for_messages(client: redis.Redis, reader: RedisStreamQueue) -> bool:
    """Say whether the server holds back an answer to this reader."""
    ours = {"cmd": "xreadgroup", "flags": "b", "db": str(database_number(reader))}
    return any(ours.items() <= each.items() for each in client.client_list())


def database_number(queue: RedisStreamQueue) -> int:
    number: int = queue._redis.connection_pool.connection_kwargs["db"]
    return number


def names(client: redis.Redis) -> set[str]:
    return {each["name"].decode() for each in client.xinfo_consumers(STREAM, GROUP)}


def commands_during(client: redis.Redis, action: Callable[[], object]) -> list[tuple[str, str]]:
    """Return the commands on streams that the server got meanwhile, and from what kind of client."""
    monitor: Any = client.monitor()  # type: ignore[no-untyped-call] # the vendor's
    with monitor:
        action()
        client.echo("end of action")
        seen: list[dict[str, Any]] = []
        while not seen or "end of action" not in seen[-1]["command"]:
            seen.append(monitor.next_command())
    # Others may use other databases of the server.
    told = [each for each in seen if each["db"] == seen[-1]["db"]]
    commands = [(each["client_type"], each["command"].partition(" ")[0]) for each in told]
    return [each for each in commands if each[1].startswith(("X", "MULTI", "EXEC"))]


def test_what_a_consumer_works_on_for_long_stays_its_own(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    slow, other = open_consumer(refresh_every=0.02), open_consumer()
    slow.publish([b"1", b"2"])
    slow.read(10, wait=0)

    age(redis_client, slow.name)
    wait_until(lambda: max(milliseconds_untouched(redis_client)) < MINUTE_MS, what="refreshed")

    assert other.read(10, wait=0) == []


def test_what_was_not_touched_for_long_goes_to_another(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    dead, other = open_consumer(), open_consumer()
    dead.publish([b"1", b"2"])
    dead.read(10, wait=0)
    too_soon = other.read(10, wait=0)

    age(redis_client, dead.name)

    assert too_soon == []
    assert bodies(other.read(10, wait=0)) == [b"1", b"2"]


def test_a_reader_looks_for_abandoned_messages_while_it_waits_for_new_ones(open_consumer: Open) -> None:
    dead, other = open_consumer(), open_consumer(min_idle=0.3)
    dead.publish([b"abandoned"])
    dead.read(10, wait=0)

    # Nor does a wait that is longer than the client's time-out look like an outage.
    assert bodies(other.read(10, wait=60)) == [b"abandoned"]


def test_no_wait_is_so_long_that_the_client_takes_it_for_an_outage(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    reader = open_consumer()
    waiting = threading.Thread(target=reader.read, args=(1, 60), daemon=True)
    monitor: Any = redis_client.monitor()  # type: ignore[no-untyped-call] # the vendor's

    with monitor:
        waiting.start()
        while "BLOCK" not in (told := monitor.next_command()["command"].split(" ")):
            pass
    reader.publish([b"the end of the test"])
    waiting.join(20)

    time_out = reader._redis.connection_pool.connection_kwargs["socket_timeout"]
    assert int(told[told.index("BLOCK") + 1]) <= time_out * 1000 / 2


def test_nobody_takes_over_work_with_hands_that_are_not_empty(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    dead, other = open_consumer(), open_consumer()
    dead.publish([b"abandoned"])
    dead.read(10, wait=0)
    age(redis_client, dead.name)
    dead.publish([b"new"])

    new = other.read(10, wait=0)
    while_holding = other.read(10, wait=0)
    other.acknowledge(new)

    assert (bodies(new), while_holding) == ([b"new"], [])
    assert bodies(other.read(10, wait=0)) == [b"abandoned"]


def test_a_dead_consumers_message_is_found_behind_many_that_are_being_worked_on(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    busy, dead, other = open_consumer(), open_consumer(), open_consumer()
    busy.publish([b"busy"] * 100)
    busy.read(100, wait=0)
    dead.publish([b"abandoned"])
    dead.read(1, wait=0)

    age(redis_client, dead.name)

    # The server looks at ten times the limit in one go.
    assert bodies(other.read(1, wait=0)) == [b"abandoned"]


def test_messages_whose_delivery_was_lost_on_the_way_come_again(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    consumer = open_consumer(refresh_every=0.02)
    consumer.read(1, wait=0)
    consumer.publish([b"lost on the way", b"held"])
    redis_client.xreadgroup(GROUP, consumer.name, {STREAM: ">"}, count=1)
    held = consumer.read(1, wait=0)

    age(redis_client, consumer.name)
    wait_until(lambda: min(milliseconds_untouched(redis_client)) < MINUTE_MS, what="what is held refreshed")
    consumer.acknowledge(held)

    assert bodies(consumer.read(10, wait=0)) == [b"lost on the way"]


def test_done_and_deleted_is_one_step(open_consumer: Open, redis_client: redis.Redis) -> None:
    consumer = open_consumer()
    consumer.publish([b"1", b"2"])
    held = consumer.read(10, wait=0)

    commands = commands_during(redis_client, partial(consumer.acknowledge, held))

    assert [name for _, name in commands] == ["MULTI", "XACK", "XDEL", "EXEC"]
    assert redis_client.xlen(STREAM) == 0
    assert redis_client.xpending(STREAM, GROUP)["pending"] == 0


def test_a_publication_is_there_as_a_whole(open_consumer: Open, redis_client: redis.Redis) -> None:
    consumer = open_consumer()

    commands = commands_during(redis_client, partial(consumer.publish, [b"1", b"2"]))

    assert [name for _, name in commands] == ["MULTI", "XADD", "XADD", "EXEC"]


def test_a_consumer_that_leaves_with_nothing_in_hand_takes_its_name_along(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    leaving, staying = open_consumer(), open_consumer()
    leaving.publish([b"1"])
    staying.read(10, wait=0)
    leaving.read(10, wait=0)

    commands = commands_during(redis_client, leaving.close)

    assert names(redis_client) == {staying.name}
    # Look and removal in one script: in between it could read, and what it reads would be gone with it.
    assert ("lua", "XGROUP") in commands
    assert ("tcp", "XGROUP") not in commands


def test_the_name_of_a_consumer_that_held_something_stays_until_that_is_done(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    leaving, other = open_consumer(), open_consumer(stale_after=0)
    leaving.publish([b"1", b"2"])
    leaving.read(10, wait=0)

    leaving.close()
    taken = other.read(1, wait=0)
    while_one_is_left = names(redis_client)
    other.acknowledge([*taken, *other.read(1, wait=0)])
    other.acknowledge(other.read(1, wait=0))
    wait_until(lambda: not other.read(1, wait=0) and names(redis_client) == {other.name})

    assert while_one_is_left == {leaving.name, other.name}
    assert bodies(taken) == [b"1"]


def test_a_reader_that_lost_its_name_while_it_waited_reads_on(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    reader = open_consumer()
    reader.read(1, wait=0)
    read: list[Message] = []
    waiting = threading.Thread(target=lambda: read.extend(reader.read(1, wait=60)), daemon=True)
    waiting.start()
    wait_until(lambda: waits_for_messages(redis_client, reader))

    redis_client.xgroup_delconsumer(STREAM, GROUP, reader.name)
    reader.publish([b"news"])
    waiting.join(20)

    assert bodies(read) == [b"news"]
    assert redis_client.xpending(STREAM, GROUP)["pending"] == 1


def test_the_group_is_made_again_after_a_flush_and_loses_nothing(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    consumer = open_consumer()
    consumer.publish([b"before"])
    held = consumer.read(10, wait=0)

    redis_client.flushdb()
    # Or the next id might be the same one.
    wait_until(lambda: milliseconds(redis_client) > int(held[0].handle.partition("-")[0]))
    consumer.publish([b"after"])
    consumer.acknowledge(held)

    assert bodies(consumer.read(10, wait=0)) == [b"after"]


def milliseconds(client: redis.Redis) -> int:
    seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000


def test_a_flush_while_a_reader_waits_does_not_stop_it(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    reader = open_consumer()
    read: list[Message] = []
    waiting = threading.Thread(target=lambda: read.extend(reader.read(1, wait=60)), daemon=True)
    waiting.start()
    wait_until(lambda: waits_for_messages(redis_client, reader))

    redis_client.flushdb()
    reader.publish([b"after"])
    waiting.join(20)

    assert bodies(read) == [b"after"]


def test_an_entry_without_an_event_is_given_with_all_it_has(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    redis_client.xadd(STREAM, {"type": "post.created.v1", "user": "ä", "picture": b"\xff\x00"})
    redis_client.xadd(STREAM, {"trace": "t-1", "event": b"\xff as it came"})

    strange, usual = open_consumer().read(10, wait=0)

    assert json.loads(strange.body) == {
        "type": "post.created.v1",
        "user": "ä",
        "picture": {"base64": "/wA="},
    }
    assert usual.body == b"\xff as it came"


def test_what_was_trimmed_while_it_was_held_is_nobodys_any_more(
    open_consumer: Open, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis 6.2 hands out what is gone without its id; since 7 it strikes it off by itself."""
    consumer = open_consumer()
    consumer.publish([b"1", b"2", b"3"])
    redis_client.xgroup_create(STREAM, GROUP, id="0")
    redis_client.xreadgroup(GROUP, consumer.name, {STREAM: ">"})
    redis_client.xtrim(STREAM, maxlen=2, approximate=False)
    left: Any = redis_client.xrange(STREAM)
    given = [b"0-0", [(None, None), *left]]
    monkeypatch.setattr(consumer._redis, "xautoclaim", lambda *_, **__: given)

    assert bodies(consumer.read(3, wait=0)) == [b"2", b"3"]
    assert redis_client.xpending(STREAM, GROUP)["pending"] == 2


def test_the_backlog_is_not_misled_by_what_others_removed_or_acknowledged(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    consumer = open_consumer()
    consumer.publish([b"1", b"2", b"3", b"4"])
    first, second, third, _ = consumer.read(10, wait=0)

    redis_client.xdel(STREAM, first.handle)
    redis_client.xack(STREAM, GROUP, second.handle, third.handle)
    pending = consumer.backlog()
    consumer.publish([b"unread"])

    assert pending == 2
    assert consumer.backlog() >= 2


def test_ids_of_the_same_millisecond_are_counted_by_number_not_as_text(
    open_consumer: Open, redis_client: redis.Redis
) -> None:
    consumer = open_consumer()
    for number in range(8, 12):
        redis_client.xadd(STREAM, {"event": "x"}, id=f"5-{number}")
    consumer.acknowledge(consumer.read(2, wait=0))

    assert consumer.backlog() == 2


def test_another_stream_is_another_queue(redis_url: str, redis_client: redis.Redis) -> None:
    queue = open_queue(f"{redis_url}?stream=other-events")

    queue.publish([b"1"])
    queue.close()

    assert redis_client.xlen("other-events") == 1
    assert not redis_client.exists(STREAM)


def test_after_an_outage_the_same_consumer_works_on(tmp_path: Path) -> None:
    port = free_port()
    with (
        start_valkey(tmp_path, port=port, persistent=True) as valkey,
        structlog.testing.capture_logs() as logs,
    ):
        consumer = RedisStreamQueue(valkey.url, refresh_every=0.02)
        consumer.publish([b"1", b"2"])
        held = consumer.read(1, wait=0)
        valkey.stop()
        wait_until(lambda: any(line["event"] == "queue.refresh_failed" for line in logs))
        for attempt in (
            lambda: consumer.read(1, wait=0),
            lambda: consumer.acknowledge(held),
            lambda: consumer.publish([b"3"]),
            consumer.backlog,
        ):
            with pytest.raises(QueueUnavailable):
                attempt()

    with start_valkey(tmp_path, port=port, persistent=True):
        consumer.acknowledge(held)

        assert bodies(consumer.read(10, wait=0)) == [b"2"]
        assert consumer.backlog() == 1
        consumer.close()


def test_a_connection_to_what_became_a_replica_is_not_kept(tmp_path: Path) -> None:
    """After a failover the address leads elsewhere, but who is connected already stays so."""
    with (
        start_valkey(tmp_path / "old", persistent=False) as old,
        start_valkey(tmp_path / "new", persistent=False) as new,
        connect(old.url) as old_client,
        Forwarder(port_of(old.url)) as address,
    ):
        address.open()
        queue = RedisStreamQueue(f"redis://127.0.0.1:{address.port}/0")
        queue.publish([b"1"])
        address.lead_to(port_of(new.url))
        old_client.replicaof("127.0.0.1", port_of(new.url))
        with pytest.raises(QueueUnavailable, match="read only"):
            queue.publish([b"2"])

        assert queue.publish([b"2"]) == 1
        assert b"2" in bodies(queue.read(10, wait=0))
        queue.close()


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


@pytest.mark.parametrize("call", ["acknowledge", "read"])
def test_what_was_held_when_a_call_failed_comes_again(call: str, tmp_path: Path) -> None:
    port = free_port()
    with start_valkey(tmp_path, port=port, persistent=True) as valkey:
        consumer = RedisStreamQueue(valkey.url, min_idle=0.3, refresh_every=0.02)
        consumer.publish([b"dropped with the error"])
        held = consumer.read(1, wait=0)

    with pytest.raises(QueueUnavailable):
        consumer.acknowledge(held) if call == "acknowledge" else consumer.read(1, wait=0)

    with start_valkey(tmp_path, port=port, persistent=True):
        again = wait_until(lambda: consumer.read(1, wait=0.1))
        assert bodies(again) == [b"dropped with the error"]
        consumer.close()


def test_to_leave_a_queue_that_cannot_be_reached_is_no_error(tmp_path: Path) -> None:
    with start_valkey(tmp_path, persistent=False) as valkey:
        consumer = RedisStreamQueue(valkey.url)
        consumer.publish([b"1"])
        consumer.read(1, wait=0)

    with structlog.testing.capture_logs() as logs:
        consumer.close()

    assert [line["event"] for line in logs] == ["queue.close_failed"]


def test_who_only_published_leaves_without_a_word(redis_url: str, redis_client: redis.Redis) -> None:
    """A publisher may be allowed no more than XADD."""
    publisher = RedisStreamQueue(redis_url)
    publisher.publish([b"1"])

    assert not commands_during(redis_client, publisher.close)


def test_a_full_broker_is_an_unavailable_queue_and_loses_nothing(tmp_path: Path) -> None:
    with start_valkey(tmp_path, persistent=False) as valkey, connect(valkey.url) as client:
        consumer = RedisStreamQueue(valkey.url)
        consumer.publish([b"1"])
        client.config_set("maxmemory", "1")
        with pytest.raises(QueueUnavailable, match="maxmemory") as refused:
            consumer.publish([b"2 ada@example.org"])
        assert "ada" not in str(refused.value)  # the client quotes what it sent
        client.config_set("maxmemory", "0")

        assert bodies(consumer.read(10, wait=0)) == [b"1"]
        consumer.close()


def test_a_key_that_is_no_stream_is_an_unavailable_queue(redis_url: str, redis_client: redis.Redis) -> None:
    redis_client.set(STREAM, "not a stream")
    consumer = RedisStreamQueue(redis_url)

    with pytest.raises(QueueUnavailable, match="WRONGTYPE"):
        consumer.backlog()
    with pytest.raises(QueueUnavailable, match="WRONGTYPE"):
        consumer.read(1, wait=0)

    consumer.close()


def test_a_killed_consumer_process_loses_nothing(
    spawn: Spawn, redis_url: str, redis_client: redis.Redis, open_consumer: Open
) -> None:
    survivor = open_consumer()
    sent = [str(number).encode() for number in range(50)]
    survivor.publish(sent)
    killed = spawn([sys.executable, "-c", HOLDER, redis_url])
    killed.wait_for("holds 50")
    (name,) = names(redis_client)

    killed.signal(signal.SIGKILL)
    killed.wait()
    age(redis_client, name)

    assert bodies(survivor.read(100, wait=0)) == sent

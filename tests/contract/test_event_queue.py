"""What every event queue promises: the twin in memory and the real one."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support.waiting import wait_until
from worker.adapters.queues import MemoryQueue, RedisStreamQueue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.ports import EventQueue, Message


class Queues(Protocol):
    """Gives consumers of one and the same queue, and ends one as a crash would."""

    def open(self) -> EventQueue: ...

    def kill(self, queue: EventQueue) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self._queue = MemoryQueue()

    def open(self) -> MemoryQueue:
        return self._queue.consumer()

    def kill(self, queue: EventQueue) -> None:
        # In one process nobody dies without a farewell.
        queue.close()


class OnRedisStreams:
    def __init__(self, url: str, stack: ExitStack) -> None:
        self._url = url
        self._stack = stack

    def open(self) -> RedisStreamQueue:
        queue = RedisStreamQueue(self._url, min_idle=0.5, refresh_every=0.05)
        self._stack.callback(queue.close)
        return queue

    def kill(self, queue: EventQueue) -> None:
        assert isinstance(queue, RedisStreamQueue)
        queue._held.stop()


@pytest.fixture(params=["memory", "redis-streams"])
def queues(request: pytest.FixtureRequest) -> Iterator[Queues]:
    if request.param == "memory":
        yield InMemory()
        return
    with ExitStack() as stack:
        yield OnRedisStreams(request.getfixturevalue("redis_url"), stack)


@pytest.fixture
def queue(queues: Queues) -> EventQueue:
    return queues.open()


def bodies(messages: Sequence[Message]) -> list[bytes]:
    return [message.body for message in messages]


def test_what_is_published_is_read_in_order_and_byte_for_byte(queue: EventQueue) -> None:
    sent = [b'{"id": "1"}', '{"n\u00e4me": "\u2028"}'.encode(), b"\x00\xff not JSON", b""]

    accepted = queue.publish(sent)

    assert accepted == 4
    assert bodies(queue.read(10, wait=0)) == sent


def test_what_was_published_before_there_was_a_consumer_is_read(queues: Queues) -> None:
    queues.open().publish([b"early"])

    read = queues.open().read(10, wait=0)

    assert bodies(read) == [b"early"]


def test_a_read_gives_no_more_than_its_limit(queue: EventQueue) -> None:
    queue.publish([b"1", b"2", b"3"])

    first, second = queue.read(2, wait=0), queue.read(2, wait=0)

    assert (bodies(first), bodies(second)) == ([b"1", b"2"], [b"3"])


def test_a_big_publication_arrives_whole_and_in_order(queue: EventQueue) -> None:
    sent = [str(number).encode() for number in range(1201)]

    accepted = queue.publish(sent)

    assert accepted == 1201
    assert bodies(queue.read(2000, wait=0)) == sent


def test_an_empty_queue_gives_nothing(queue: EventQueue) -> None:
    assert queue.read(10, wait=0) == []
    assert queue.read(10, wait=0.01) == []
    assert queue.publish([]) == 0
    assert queue.backlog() == 0


def test_a_waiting_reader_gets_the_first_message_without_waiting_for_more(queues: Queues) -> None:
    reader = queues.open()
    read: list[Message] = []
    waiting = threading.Thread(target=lambda: read.extend(reader.read(10, wait=60)), daemon=True)
    waiting.start()

    queues.open().publish([b"at last"])
    waiting.join(timeout=20)

    assert bodies(read) == [b"at last"]


def test_two_consumers_share_the_messages(queues: Queues) -> None:
    one, other = queues.open(), queues.open()
    one.publish([b"1", b"2", b"3", b"4"])

    read = [bodies(one.read(2, wait=0)), bodies(other.read(10, wait=0))]

    assert read == [[b"1", b"2"], [b"3", b"4"]]


def test_what_is_acknowledged_is_gone_for_good(queues: Queues) -> None:
    consumer, other = queues.open(), queues.open()
    consumer.publish([b"1", b"2"])

    consumer.acknowledge(consumer.read(10, wait=0))
    queues.kill(consumer)

    assert other.read(10, wait=1) == []
    assert other.backlog() == 0


def test_what_a_consumer_holds_is_not_given_to_another(queues: Queues) -> None:
    consumer, other = queues.open(), queues.open()
    consumer.publish([b"mine"])
    held = consumer.read(10, wait=0)

    assert other.read(10, wait=0) == []
    assert consumer.read(10, wait=0) == []
    assert bodies(held) == [b"mine"]


def test_what_a_dead_consumer_held_goes_to_another(queues: Queues) -> None:
    dead, other = queues.open(), queues.open()
    dead.publish([b"done", b"left 1", b"left 2"])
    done = dead.read(1, wait=0)
    dead.read(2, wait=0)
    dead.acknowledge(done)

    queues.kill(dead)

    taken = wait_until(lambda: other.read(10, wait=0.1))
    assert bodies(taken) == [b"left 1", b"left 2"]


def test_what_a_closed_consumer_held_goes_to_another_at_once(queues: Queues) -> None:
    closed, other = queues.open(), queues.open()
    closed.publish([b"1", b"2"])
    closed.read(10, wait=0)

    closed.close()

    assert bodies(other.read(10, wait=0)) == [b"1", b"2"]


def test_a_message_that_went_to_another_can_still_be_acknowledged_by_the_first(queues: Queues) -> None:
    first, other = queues.open(), queues.open()
    first.publish([b"done twice"])
    held = first.read(10, wait=0)
    queues.kill(first)
    again = wait_until(lambda: other.read(10, wait=0.1))

    first.acknowledge(held)
    other.acknowledge(again)

    assert other.backlog() == 0


def test_the_backlog_counts_what_is_unread_and_what_is_unacknowledged(queues: Queues) -> None:
    consumer, other = queues.open(), queues.open()
    consumer.publish([b"1", b"2", b"3"])
    unread = consumer.backlog()

    held = consumer.read(2, wait=0)
    with_two_held = other.backlog()
    consumer.acknowledge(held[:1])
    after_one_is_done = other.backlog()
    consumer.acknowledge([*held[1:], *consumer.read(10, wait=0)])

    assert (unread, with_two_held, after_one_is_done, other.backlog()) == (3, 3, 2, 0)


def test_closing_twice_does_no_harm(queue: EventQueue) -> None:
    queue.publish([b"1"])
    queue.read(10, wait=0)

    queue.close()
    queue.close()

"""What every event queue promises: the twin in memory and the real ones."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support.waiting import wait_until
from worker.adapters.queues import AmqpQueue, MemoryQueue, RedisStreamQueue, open_queue
from worker.errors import QueueUnavailable

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


class OnRabbitMQ:
    def __init__(self, url: str, stack: ExitStack) -> None:
        self._url = url
        self._stack = stack

    def open(self) -> EventQueue:
        queue = open_queue(self._url)
        self._stack.callback(queue.close)
        return queue

    def kill(self, queue: EventQueue) -> None:
        assert isinstance(queue, AmqpQueue)
        assert queue._inbox
        queue._inbox.link.drop()


@pytest.fixture(params=["memory", "redis-streams", "rabbitmq"])
def queues(request: pytest.FixtureRequest) -> Iterator[Queues]:
    with ExitStack() as stack:
        if request.param == "memory":
            yield InMemory()
        elif request.param == "redis-streams":
            yield OnRedisStreams(request.getfixturevalue("redis_url"), stack)
        else:
            yield OnRabbitMQ(request.getfixturevalue("amqp_url"), stack)


@pytest.fixture
def queue(queues: Queues) -> EventQueue:
    return queues.open()


def bodies(messages: Sequence[Message]) -> list[bytes]:
    return [message.body for message in messages]


def take(queue: EventQueue, count: int) -> list[Message]:
    """Read until so many messages are there: a broker that sends them by itself sends them bit by bit."""
    taken: list[Message] = []

    def read() -> bool:
        taken.extend(queue.read(count - len(taken), wait=0.1))
        return len(taken) == count

    wait_until(read, what=f"{count} messages")
    return taken


def nothing_comes(queue: EventQueue) -> bool:
    return not queue.read(10, wait=0.1)


def test_what_is_published_is_read_in_order_and_byte_for_byte(queue: EventQueue) -> None:
    sent = [b'{"id": "1"}', '{"n\u00e4me": "\u2028"}'.encode(), b"\x00\xff not JSON", b""]

    accepted = queue.publish(sent)

    assert accepted == 4
    assert bodies(take(queue, 4)) == sent


def test_what_was_published_before_there_was_a_consumer_is_read(queues: Queues) -> None:
    queues.open().publish([b"early"])

    read = take(queues.open(), 1)

    assert bodies(read) == [b"early"]


def test_a_read_gives_no_more_than_its_limit(queue: EventQueue) -> None:
    queue.publish([b"1", b"2", b"3"])

    first = queue.read(2, wait=1)
    rest = take(queue, 3 - len(first))

    assert len(first) <= 2
    assert bodies([*first, *rest]) == [b"1", b"2", b"3"]


def test_a_big_publication_arrives_whole_and_in_order(queue: EventQueue) -> None:
    sent = [str(number).encode() for number in range(1201)]

    accepted = queue.publish(sent)

    assert accepted == 1201
    assert bodies(take(queue, 1201)) == sent


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

    read = [bodies(take(one, 2)), bodies(take(other, 2))]

    assert read == [[b"1", b"2"], [b"3", b"4"]]


def test_what_is_acknowledged_is_gone_for_good(queues: Queues) -> None:
    consumer, other = queues.open(), queues.open()
    consumer.publish([b"1", b"2"])

    consumer.acknowledge(take(consumer, 2))
    queues.kill(consumer)

    assert other.read(10, wait=1) == []
    assert other.backlog() == 0


def test_what_a_consumer_holds_is_not_given_to_another(queues: Queues) -> None:
    consumer, other = queues.open(), queues.open()
    consumer.publish([b"mine"])
    held = take(consumer, 1)

    assert nothing_comes(other)
    assert nothing_comes(consumer)
    assert bodies(held) == [b"mine"]


def test_what_a_dead_consumer_held_goes_to_another(queues: Queues) -> None:
    dead, other = queues.open(), queues.open()
    dead.publish([b"done", b"left 1", b"left 2"])
    done = take(dead, 1)
    take(dead, 2)
    dead.acknowledge(done)
    wait_until(lambda: dead.backlog() == 2)

    queues.kill(dead)

    assert bodies(take(other, 2)) == [b"left 1", b"left 2"]


def test_what_a_closed_consumer_held_goes_to_another_at_once(queues: Queues) -> None:
    closed, other = queues.open(), queues.open()
    closed.publish([b"1", b"2"])
    take(closed, 2)

    closed.close()

    assert bodies(take(other, 2)) == [b"1", b"2"]


def test_an_acknowledgement_that_comes_too_late_does_no_harm(queues: Queues) -> None:
    first, other = queues.open(), queues.open()
    first.publish([b"done twice"])
    held = take(first, 1)
    queues.kill(first)
    again = take(other, 1)

    with suppress(QueueUnavailable):  # some know that it is not theirs any more
        first.acknowledge(held)
    other.acknowledge(again)

    wait_until(lambda: other.backlog() == 0)
    assert nothing_comes(first)


def test_a_part_of_what_was_read_can_be_acknowledged_and_the_rest_comes_again(queues: Queues) -> None:
    consumer, other = queues.open(), queues.open()
    consumer.publish([b"0", b"1", b"2", b"3", b"4", b"5"])
    held = take(consumer, 6)

    consumer.acknowledge([held[0], held[1], held[3]])
    wait_until(lambda: consumer.backlog() == 3)
    consumer.close()

    assert bodies(take(other, 3)) == [b"2", b"4", b"5"]
    assert nothing_comes(other)


def test_acknowledging_twice_does_no_harm(queues: Queues) -> None:
    consumer = queues.open()
    consumer.publish([b"1", b"2"])
    held = take(consumer, 2)

    consumer.acknowledge(held[:1])
    consumer.acknowledge(held)
    consumer.acknowledge(held)
    consumer.acknowledge([])

    wait_until(lambda: consumer.backlog() == 0)
    assert nothing_comes(consumer)


def test_the_backlog_counts_what_is_unread_and_what_is_unacknowledged(queues: Queues) -> None:
    consumer = queues.open()
    consumer.publish([b"1", b"2", b"3"])
    unread = consumer.backlog()

    held = take(consumer, 2)
    with_two_held = consumer.backlog()
    consumer.acknowledge(held[:1])
    wait_until(lambda: consumer.backlog() == 2)
    consumer.acknowledge([*held[1:], *take(consumer, 1)])

    assert (unread, with_two_held) == (3, 3)
    wait_until(lambda: consumer.backlog() == 0)


def test_closing_twice_does_no_harm(queue: EventQueue) -> None:
    queue.publish([b"1"])
    take(queue, 1)

    queue.close()
    queue.close()

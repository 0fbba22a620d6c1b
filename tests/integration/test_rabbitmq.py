"""What only RabbitMQ can get wrong (design.md section 6), on a real one."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import amqp
import pytest
import structlog

from tests.support.ports import free_port
from tests.support.rabbitmq import CERTIFICATE
from tests.support.waiting import wait_until
from worker.adapters.queues import AmqpQueue, open_queue
from worker.adapters.queues.declaring import Declaration
from worker.errors import QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.conftest import Spawn
    from tests.support.rabbitmq import RabbitMQ
    from worker.ports import Message

# Reads what there is, says so, and never acknowledges.
HOLDER = """
import sys, time
from worker.adapters.queues import open_queue
queue, held = open_queue(sys.argv[1]), 0
while held < 50:
    held += len(queue.read(50 - held, wait=20))
print("holds", held, flush=True)
time.sleep(600)
"""


class Open(Protocol):
    """Opens a consumer of the test's queue, with a parameter of its URL more."""

    def __call__(self, parameter: str = "") -> AmqpQueue: ...


@pytest.fixture
def open_consumer(amqp_url: str) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_one(parameter: str = "") -> AmqpQueue:
            queue = open_queue(f"{amqp_url}&{parameter}")
            assert isinstance(queue, AmqpQueue)
            stack.callback(queue.close)
            return queue

        yield open_one


@pytest.fixture
def name(amqp_url: str) -> str:
    return amqp_url.rpartition("=")[2]


@pytest.fixture
def channel(rabbitmq_server: RabbitMQ) -> Iterator[amqp.Channel]:
    """A channel of somebody else's."""
    with rabbitmq_server.channel() as channel:
        yield channel


def bodies(messages: Sequence[Message]) -> list[bytes]:
    return [message.body for message in messages]


def take(queue: AmqpQueue, count: int) -> list[Message]:
    """Read until so many messages are there."""
    taken: list[Message] = []

    def read() -> bool:
        taken.extend(queue.read(count - len(taken), wait=0.1))
        return len(taken) == count

    wait_until(read, what=f"{count} messages")
    return taken


def unread(channel: amqp.Channel, name: str) -> int:
    """Count what the broker has sent to nobody."""
    found: Any = channel.queue_declare(name, passive=True)
    return int(found.message_count)


def acknowledgements(queue: AmqpQueue, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """Return what will be said to the broker."""
    said: list[tuple[int, bool]] = []
    assert queue._inbox
    ours = queue._inbox._channel
    say = ours.basic_ack

    def listen(tag: int, multiple: bool = False) -> None:
        said.append((tag, multiple))
        say(tag, multiple)

    monkeypatch.setattr(ours, "basic_ack", listen)
    return said


@contextmanager
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as logs:
        yield logs


# What publishers send


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"content_type": "application/cloudevents+json; charset=utf-8"}, id="another type"),
        pytest.param({"content_type": "text/plain", "content_encoding": "utf-16"}, id="another encoding"),
        pytest.param({"content_encoding": "gzip"}, id="compressed, it says"),
        pytest.param({"application_headers": {"compression": "bzip2"}}, id="compressed, it says to kombu"),
        pytest.param({"application_headers": {"trace": b"\xff\xfe"}}, id="bytes in a header"),
        pytest.param({"content_type": "a" * 200, "priority": 9, "type": "t", "app_id": "a"}, id="a lot"),
    ],
)
def test_a_body_comes_as_it_is_whatever_its_publisher_says_of_it(
    open_consumer: Open, name: str, channel: amqp.Channel, said: dict[str, Any]
) -> None:
    consumer = open_consumer()
    consumer.read(1, wait=0)
    body = '{"n\u00e4me": "\u2028"}'.encode()

    channel.basic_publish(amqp.Message(body, **said), routing_key=name)

    assert bodies(take(consumer, 1)) == [body]


def test_a_routing_key_that_is_no_text_stops_nobody(
    open_consumer: Open, name: str, channel: amqp.Channel
) -> None:
    consumer = open_consumer()
    consumer.read(1, wait=0)
    exchange = f"{name}-to-all"
    channel.exchange_declare(exchange, "fanout", auto_delete=True)
    channel.queue_bind(name, exchange)

    words: Any = (exchange, b"\xff\xfe")
    channel.basic_publish(amqp.Message(b"{}"), *words)

    assert bodies(take(consumer, 1)) == [b"{}"]


def test_a_message_larger_than_a_frame_comes_whole(open_consumer: Open) -> None:
    consumer = open_consumer()
    large = os.urandom(400_000)

    consumer.publish([large, b"small"])

    assert bodies(take(consumer, 2)) == [large, b"small"]


# Publishing


def test_what_is_published_is_json_that_outlives_the_broker(
    open_consumer: Open, name: str, channel: amqp.Channel
) -> None:
    open_consumer().publish([b"{}"])

    message = channel.basic_get(name)

    assert message
    assert (message.properties["delivery_mode"], message.properties["content_type"]) == (
        2,
        "application/json",
    )


def test_the_queue_is_a_durable_quorum_queue_whoever_comes_first(
    open_consumer: Open, name: str, channel: amqp.Channel
) -> None:
    open_consumer().publish([b"by a publisher"])
    channel.queue_declare(name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    channel.queue_delete(name)
    open_consumer().read(1, wait=0)

    # The broker refuses it if the queue is of another kind.
    channel.queue_declare(name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})


def test_a_queue_that_was_deleted_is_made_again_by_the_next_publisher(
    open_consumer: Open, name: str, channel: amqp.Channel
) -> None:
    publisher = open_consumer()
    publisher.publish([b"before"])
    channel.queue_delete(name)

    publisher.publish([b"after"])

    assert bodies(take(open_consumer(), 1)) == [b"after"]


def test_events_that_no_queue_takes_are_an_error_that_says_so(
    open_consumer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Declaration, "make", lambda *_: None)

    with pytest.raises(QueueUnavailable, match=r"2 events came back: .*NO_ROUTE"):
        open_consumer().publish([b"1", b"2"])


def test_events_that_the_broker_refuses_are_an_error_that_says_so(
    open_consumer: Open, name: str, channel: amqp.Channel
) -> None:
    limits = {"x-queue-type": "classic", "x-max-length": 1, "x-overflow": "reject-publish"}
    channel.queue_declare(name, durable=True, auto_delete=False, arguments=limits)
    publisher = open_consumer()

    with logged() as logs, pytest.raises(QueueUnavailable, match=r"the broker refused \d+ events"):
        publisher.publish([str(number).encode() for number in range(100)])

    assert [line["event"] for line in logs] == ["queue.declared_otherwise"]


def test_a_connection_that_ended_between_two_publications_is_made_again(
    open_consumer: Open,
) -> None:
    publisher = open_consumer()
    publisher.publish([b"1"])
    assert publisher._outbox
    publisher._outbox.link.drop()

    assert publisher.publish([b"2"]) == 1
    assert bodies(take(open_consumer(), 2)) == [b"1", b"2"]


# The queue as others made it


@pytest.mark.parametrize(
    "arguments", [{"x-queue-type": "classic"}, {"x-queue-type": "quorum", "x-delivery-limit": 5}]
)
def test_a_queue_of_another_kind_is_used_as_it_is_and_said_once(
    open_consumer: Open, name: str, channel: amqp.Channel, arguments: dict[str, Any]
) -> None:
    channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
    consumer = open_consumer()

    with logged() as logs:
        consumer.publish([b"1"])
        read = bodies(take(consumer, 1))

    assert read == [b"1"]
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("queue.declared_otherwise", "warning")
    assert "inequivalent arg" in line["reason"]


def test_a_stream_of_the_brokers_is_refused_by_publishers_and_consumers(
    open_consumer: Open, name: str, channel: amqp.Channel
) -> None:
    """A reader would be given only what comes after it; and what is published would seem to be taken."""
    channel.queue_declare(name, durable=True, auto_delete=False, arguments={"x-queue-type": "stream"})
    queue = open_consumer()

    with pytest.raises(QueueUnavailable, match="is a stream of RabbitMQ"):
        queue.publish([b"1"])
    with pytest.raises(QueueUnavailable, match="is a stream of RabbitMQ"):
        queue.read(1, wait=0)


def test_a_queue_as_it_should_be_is_nothing_to_speak_of(open_consumer: Open) -> None:
    open_consumer().publish([b"1"])
    consumer = open_consumer()

    with logged() as logs:
        take(consumer, 1)

    assert logs == []


def test_a_queue_that_is_there_needs_no_leave_to_make_one(
    open_consumer: Open, amqp_url: str, rabbitmq_server: RabbitMQ
) -> None:
    open_consumer().publish([b"1"])
    rabbitmq_server.control("add_user", "reader", "secret")
    try:
        rabbitmq_server.control("set_permissions", "reader", "^$", ".*", ".*")
        with closing(open_queue(amqp_url.replace("guest:guest", "reader:secret"))) as queue, logged() as logs:
            queue.publish([b"2"])
            wait_until(lambda: queue.read(2, wait=0.1))
    finally:
        rabbitmq_server.control("delete_user", "reader")

    assert logs == []


def test_to_look_at_the_backlog_makes_no_queue(open_consumer: Open, name: str, channel: amqp.Channel) -> None:
    assert open_consumer().backlog() == 0
    with pytest.raises(amqp.NotFound):
        channel.queue_declare(name, passive=True)


# Consuming


def test_a_busy_consumer_is_sent_no_more_than_it_asked_for(
    open_consumer: Open, name: str, channel: amqp.Channel
) -> None:
    consumer = open_consumer()
    consumer.publish([b"x"] * 100)

    held = take(consumer, 10)
    left = unread(channel, name)
    consumer.acknowledge(held[:3])
    wait_until(lambda: unread(channel, name) == 87, what="three more are sent")

    assert left == 90
    assert consumer.backlog() == 97


def test_a_consumer_may_ask_for_more_than_the_protocol_has_numbers_for(open_consumer: Open) -> None:
    consumer = open_consumer()
    consumer.publish([b"x"])

    assert bodies(consumer.read(100_000, wait=20)) == [b"x"]


def test_a_batch_is_acknowledged_in_one_word(open_consumer: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = open_consumer()
    consumer.publish([b"x"] * 100)
    held = take(consumer, 100)
    said = acknowledgements(consumer, monkeypatch)

    consumer.acknowledge(held)

    assert said == [(100, True)]


def test_one_word_for_many_is_said_only_of_what_is_done(
    open_consumer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = open_consumer()
    consumer.publish([b"0", b"1", b"2", b"3", b"4", b"5"])
    held = take(consumer, 6)
    said = acknowledgements(consumer, monkeypatch)

    consumer.acknowledge([held[4], held[1], held[0], held[5]])
    consumer.acknowledge([held[2], held[3]])

    assert said == [(2, True), (5, False), (6, False), (4, True)]


def test_a_busy_consumer_stays_connected(open_consumer: Open) -> None:
    consumer = open_consumer("heartbeat=1")
    consumer.publish([b"1"])
    held = take(consumer, 1)
    assert consumer._inbox
    connection: Any = consumer._inbox.link._connection.connection
    so_far = connection.bytes_recv

    # The broker sends one each half second, and gives up who is silent for two seconds.
    wait_until(lambda: connection.bytes_recv >= so_far + 8, what="eight heartbeats")
    consumer.acknowledge(held)

    wait_until(lambda: consumer.backlog() == 0)


def of_a_lost_connection(consumer: AmqpQueue, channel: amqp.Channel, name: str) -> list[Message]:
    """Return what the consumer holds of a queue that was deleted, and its connection lost with it."""
    consumer.publish([b"lost with the queue"])
    held = take(consumer, 1)
    channel.queue_delete(name)
    with pytest.raises(QueueUnavailable):
        consumer.read(1, wait=20)
    return held


def test_a_queue_that_is_deleted_under_a_consumer_is_made_again(
    open_consumer: Open, name: str, channel: amqp.Channel
) -> None:
    consumer = open_consumer()
    held = of_a_lost_connection(consumer, channel, name)

    with pytest.raises(QueueUnavailable, match="they come again"):
        consumer.acknowledge(held)
    consumer.publish([b"new"])

    assert bodies(take(consumer, 1)) == [b"new"]


def test_messages_of_a_lost_connection_take_nothing_from_the_one_that_there_is_now(
    open_consumer: Open, name: str, channel: amqp.Channel
) -> None:
    consumer = open_consumer()
    of_the_lost_one = of_a_lost_connection(consumer, channel, name)
    consumer.publish([b"new"])
    held = take(consumer, 1)

    with pytest.raises(QueueUnavailable, match="they come again"):
        consumer.acknowledge(of_the_lost_one)
    consumer.acknowledge(held)

    assert consumer.backlog() == 0


def test_a_killed_consumer_process_loses_nothing(spawn: Spawn, amqp_url: str, open_consumer: Open) -> None:
    survivor = open_consumer()
    sent = [str(number).encode() for number in range(50)]
    survivor.publish(sent)
    killed = spawn([sys.executable, "-c", HOLDER, amqp_url])
    killed.wait_for("holds 50")

    killed.signal(signal.SIGKILL)
    killed.wait()

    assert bodies(take(survivor, 50)) == sent


# A broker that is away


def test_a_broker_that_is_not_there_is_an_unavailable_queue() -> None:
    queue = open_queue(f"amqp://me:secret@127.0.0.1:{free_port()}/")

    for attempt in (lambda: queue.read(1, wait=0), lambda: queue.publish([b"1"]), queue.backlog):
        with pytest.raises(QueueUnavailable, match="refused") as refused:
            attempt()
        assert "secret" not in str(refused.value)
    queue.close()


def test_a_wrong_password_is_an_unavailable_queue(rabbitmq_server: RabbitMQ) -> None:
    queue = open_queue(rabbitmq_server.url().replace("guest:guest", "guest:secret"))

    with pytest.raises(QueueUnavailable, match=r"(?i)login|access|refused") as refused:
        queue.backlog()

    assert "secret" not in str(refused.value)


def test_tls_is_spoken_with_a_broker_whose_certificate_is_trusted(
    rabbitmq_server: RabbitMQ, name: str, open_consumer: Open
) -> None:
    url = rabbitmq_server.tls_url(queue=name, ssl_ca_certs=str(CERTIFICATE))

    with closing(open_queue(url)) as queue:
        queue.publish([b"in secret"])

    assert bodies(take(open_consumer(), 1)) == [b"in secret"]


def test_a_broker_whose_certificate_nobody_vouches_for_is_not_spoken_to(rabbitmq_server: RabbitMQ) -> None:
    queue = open_queue(rabbitmq_server.tls_url())

    with pytest.raises(QueueUnavailable, match="certificate verify failed: self"):
        queue.backlog()


def test_a_broker_whose_certificate_is_for_another_name_is_not_spoken_to(rabbitmq_server: RabbitMQ) -> None:
    url = rabbitmq_server.tls_url(ssl_ca_certs=str(CERTIFICATE))
    queue = open_queue(url.replace("127.0.0.1", "127.1"))

    with pytest.raises(QueueUnavailable, match=r"certificate verify failed: .*mismatch"):
        queue.backlog()


def test_what_was_confirmed_survives_a_broker_that_is_killed(
    open_consumer: Open, rabbitmq_server: RabbitMQ, name: str
) -> None:
    consumer = open_consumer("heartbeat=1")
    sent = [str(number).encode() for number in range(1000)]
    consumer.publish(sent)
    consumer.acknowledge(take(consumer, 100))
    wait_until(lambda: consumer.backlog() == 900)
    held = take(consumer, 100)
    wait_until(lambda: rabbitmq_server.has_written(name), what="the broker has noted the queue")

    with logged() as logs:
        rabbitmq_server.kill()
        wait_until(lambda: logs, what="the loss is noticed")
        with pytest.raises(QueueUnavailable, match="they come again"):
            consumer.acknowledge(held)
        with pytest.raises(QueueUnavailable):
            consumer.read(1, wait=0)
        with pytest.raises(QueueUnavailable):
            consumer.publish([b"not taken"])
        rabbitmq_server.start()

    # So frequent heartbeats are too much for a machine that is busy with a start.
    survivor = open_consumer()
    assert [(line["event"], line["held"]) for line in logs] == [("queue.connection_lost", 100)]
    assert sorted(map(int, bodies(take(survivor, 900)))) == list(range(100, 1000))
    assert consumer.publish([b"taken"]) == 1
    assert bodies(take(survivor, 1)) == [b"taken"]


def test_a_frozen_broker_is_noticed(open_consumer: Open, rabbitmq_server: RabbitMQ) -> None:
    consumer = open_consumer("heartbeat=1")
    consumer.publish([b"1"])
    wait_until(lambda: consumer.read(10, wait=0.1))

    os.kill(rabbitmq_server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(QueueUnavailable, match="heartbeats missed"):
            consumer.read(1, wait=60)
    finally:
        os.kill(rabbitmq_server.pid, signal.SIGCONT)

    assert bodies(take(consumer, 1)) == [b"1"]


def test_a_broker_short_of_memory_takes_nothing_and_still_gives(
    open_consumer: Open, rabbitmq_server: RabbitMQ
) -> None:
    consumer = open_consumer()
    consumer.publish([b"1"])

    rabbitmq_server.control("set_vm_memory_high_watermark", "absolute", "1")
    try:
        with logged(), pytest.raises(QueueUnavailable, match="short of memory or disk"):
            wait_until(lambda: consumer.publish([b"2"]) == 0)
        held = take(consumer, 1)
        consumer.acknowledge(held)
    finally:
        rabbitmq_server.control("set_vm_memory_high_watermark", "0.4")

    assert bodies(held) == [b"1"]
    assert wait_until(lambda: consumer.publish([b"3"])) == 1

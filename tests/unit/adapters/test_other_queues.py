"""The event queue on kombu's other transports: that of memory stands for them."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.support.running import Running
from worker.adapters.queues import KombuQueue
from worker.errors import QueueUnavailable


@pytest.fixture
def name() -> str:
    """The name of a queue of one's own: all of the process share the transport."""
    return f"events-{secrets.token_hex(6)}"


def test_bodies_come_as_they_are_and_in_order(name: str) -> None:
    sent = [b'{"id": "1"}', '{"n\u00e4me": "\u2028"}'.encode(), b"\x00\xff not JSON", b""]

    assert KombuQueue("memory://", name).publish(sent) == 4
    read = KombuQueue("memory://", name).read(10, wait=0)

    assert [message.body for message in read] == sent


def test_what_is_acknowledged_is_gone_and_the_rest_goes_back(name: str) -> None:
    consumer, other = KombuQueue("memory://", name), KombuQueue("memory://", name)
    consumer.publish([b"1", b"2", b"3", b"4"])

    held = consumer.read(3, wait=0)
    consumer.acknowledge(held[:1])
    consumer.acknowledge(held[:1])
    backlog = consumer.backlog()
    consumer.close()
    consumer.close()

    assert backlog == 3
    assert sorted(message.body for message in other.read(10, wait=0)) == [b"2", b"3", b"4"]


def test_a_reader_waits_for_the_first_message(name: str) -> None:
    consumer, publisher = KombuQueue("memory://", name), KombuQueue("memory://", name)
    nothing = consumer.read(1, wait=0.01)
    reading = Running(lambda: consumer.read(1, wait=60))

    publisher.publish([b"at last"])

    assert nothing == []
    assert [message.body for message in reading.result()] == [b"at last"]


def test_a_transport_that_fails_is_an_unavailable_queue(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere" / "queue.db"
    queue = KombuQueue(f"sqla+sqlite:///{missing}", "events")

    with pytest.raises(QueueUnavailable):
        queue.publish([b"1"])
    queue.close()

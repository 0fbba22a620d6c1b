"""`publish` and `consume` over RabbitMQ, from end to end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support import bodies, commands
from tests.support.forwarder import Forwarder
from tests.support.ground import Ground, badge
from tests.support.waiting import wait_until
from worker.adapters.queues import open_queue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Spawn
    from tests.support.rabbitmq import RabbitMQ
    from worker.ports import EventQueue

CONSUME = [*commands.PROGRAM, "consume"]


@pytest.fixture
def queue(
    ground: Ground, amqp_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EventQueue]:
    """An event queue on RabbitMQ, which the commands are set to; the task broker is in a Valkey."""
    ground.apply(one=badge({"lp_enroll": {"learning_path_id": "40"}}))
    monkeypatch.setenv("BADGE_WORKER_EVENTS_URL", amqp_url)
    monkeypatch.setenv("BADGE_WORKER_BROKER_URL", redis_url)
    monkeypatch.setenv("BADGE_WORKER_REDIS_URL", redis_url)
    opened = open_queue(amqp_url)
    yield opened
    opened.close()


def test_what_is_published_is_consumed(ground: Ground, queue: EventQueue, bare: Path) -> None:
    file = bare / "events.jsonl"
    unknown = bodies.event("post.liked", 0, user_id="ada")
    file.write_bytes(b"\n".join([bodies.enrolled(0, "ada"), b"no event", unknown]))

    published = commands.run("publish", "--raw", file)
    consumed = commands.run("consume", "--until-idle", "0.1")

    assert (published.code, published.out) == (0, "3 events accepted, 0 refused\n")
    assert (consumed.code, consumed.out) == (0, "")
    assert ground.states() == {"ada": "earned"}
    assert len(ground.database.list_dead_letters()) == 1
    assert queue.backlog() == 0


def test_a_batch_in_hand_is_finished_before_a_signal_ends_the_consumer(
    ground: Ground, queue: EventQueue, amqp_url: str, rabbitmq_server: RabbitMQ, spawn: Spawn
) -> None:
    name = amqp_url.rpartition("=")[2]
    queue.publish([])
    consumer = spawn(CONSUME)
    consumer.wait_for("consumer.started")

    with ground.engine.begin():  # the database's one writer: the batch has to wait for us
        queue.publish([bodies.enrolled(n, user) for n, user in enumerate(["ada", "ben"])])
        wait_until(lambda: rabbitmq_server.unread(name) == 0, what="both events are in hand")
        consumer.signal(signal.SIGTERM)
    ended = consumer.wait()

    assert ended == 143
    assert ground.states() == {"ada": "earned", "ben": "earned"}
    wait_until(lambda: queue.backlog() == 0)


def test_a_consumer_waits_for_its_queue_and_says_so_once(
    ground: Ground, queue: EventQueue, amqp_url: str, rabbitmq_server: RabbitMQ, spawn: Spawn
) -> None:
    queue.publish([bodies.enrolled(0, "ada")])

    with Forwarder(rabbitmq_server.port) as forwarder:
        late = amqp_url.replace(f":{rabbitmq_server.port}/", f":{forwarder.port}/")
        consumer = spawn(CONSUME, {"BADGE_WORKER_EVENTS_URL": late})
        consumer.wait_for("consumer.waits")
        forwarder.open()
        wait_until(lambda: ground.states() == {"ada": "earned"})
        consumer.signal(signal.SIGTERM)

        assert consumer.wait() == 143
    assert consumer.output().count("consumer.waits") == 1


def test_doctor_looks_at_the_queue(queue: EventQueue) -> None:
    queue.publish([bodies.enrolled(0, "ada")])

    found = {each["what"]: each for each in commands.run("doctor", "--json").json["checks"]}

    assert found["event queue"]["ok"]
    assert found["event queue"]["detail"] == "1 event unread or unacknowledged"

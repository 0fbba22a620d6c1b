"""`worker.publish` and `worker.Publisher` on real brokers: what a service needs, and what it may do."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import worker
from tests.support import bodies
from tests.support.commands import settle_in
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from worker.adapters.queues import open_queue
from worker.errors import QueueUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    import redis

GOOD = json.loads(bodies.completed(0, "ada"))
EVENT = """
def event(n):
    return {"specversion": "1.0", "id": str(n), "source": "https://lms.example.org",
        "type": "user.deleted.v1", "time": "2026-03-01T10:15:00Z", "data": {"user_id": n}}
"""
ALONE = """
import sys, worker
print(worker.publish(event(n) for n in range(1200)))
print(sorted({"sqlalchemy", "celery", "psycopg"} & set(sys.modules)))
"""
FORKS = """
import os, sys, worker
publisher = worker.Publisher()
publisher.publish([event(1)])
child = os.fork()
publisher.publish([event(2)] * 600)
publisher.close()
if not child:
    sys.exit()
print(os.waitpid(child, 0)[1], publisher.publish([event(3)]))
"""


@pytest.fixture(
    params=["redis_url", "amqp_url"],
    ids=["redis", "rabbitmq"],
)
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty queue, which alone is set."""
    address: str = request.getfixturevalue(request.param)
    settle_in(tmp_path, monkeypatch, EVENTS_URL=address)
    return address


def _program(text: str) -> list[str]:
    command = [sys.executable, "-c", EVENT + text]
    ended = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    assert ended.stderr == ""
    return ended.stdout.splitlines()


def _read(url: str, many: int) -> list[bytes]:
    """Return what is on the queue, once so many are there."""
    queue = open_queue(url)
    wait_until(lambda: queue.backlog() == many)
    taken = [message.body for message in queue.read(many, 10)]
    while len(taken) < many:
        taken += [message.body for message in queue.read(many, 10)]
    queue.close()
    return taken


def test_a_service_needs_no_more_than_the_address_of_the_queue(url: str, tmp_path: Path) -> None:
    said = _program(ALONE)

    assert said == ["1200", "[]"]
    assert list(tmp_path.iterdir()) == []
    assert [json.loads(body)["data"]["user_id"] for body in _read(url, 1200)] == list(range(1200))


def test_parent_and_child_of_a_fork_both_go_on_publishing(url: str) -> None:
    said = _program(FORKS)

    assert said == ["0 1"]
    numbers = sorted(json.loads(body)["data"]["user_id"] for body in _read(url, 1202))
    assert numbers == [1, *[2] * 1200, 3]


def test_threads_share_a_publisher(url: str) -> None:
    begin = threading.Barrier(4)

    def publish_some() -> None:
        begin.wait()
        for _ in range(25):
            publisher.publish([GOOD] * 3)

    with worker.Publisher(url) as publisher:
        threads = [threading.Thread(target=publish_some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(_read(url, 300)) == 300


def test_a_connection_that_was_lost_meanwhile_is_made_anew(redis_url: str, redis_client: redis.Redis) -> None:
    with worker.Publisher(redis_url) as publisher:
        publisher.publish([GOOD])
        redis_client.client_kill_filter(_type="normal", skipme=True)
        publisher.publish([GOOD])

    assert len(_read(redis_url, 2)) == 2


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_queue_that_is_not_there_is_named_without_its_password(scheme: str) -> None:
    with pytest.raises(QueueUnavailable) as caught:
        worker.publish([GOOD], f"{scheme}://somebody:hidden@127.0.0.1:{free_port()}")

    assert "hidden" not in str(caught.value)

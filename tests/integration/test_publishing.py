"""`worker.publish` on a real stream: what a Python service needs for it, and an outage."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import worker
from tests.support import bodies
from tests.support.commands import settle_in
from tests.support.ports import free_port
from worker.adapters.queues import RedisStreamQueue
from worker.errors import QueueUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    import redis

GOOD = json.loads(bodies.completed(0, "ada"))
PROGRAM = """
import sys, worker
print(worker.publish({"specversion": "1.0", "id": str(n), "source": "https://lms.example.org",
    "type": "user.deleted.v1", "time": "2026-03-01T10:15:00Z", "data": {"user_id": n}} for n in range(1200)))
print(sorted({"sqlalchemy", "celery", "psycopg"} & set(sys.modules)))
"""


@pytest.fixture
def queue(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RedisStreamQueue:
    settle_in(tmp_path, monkeypatch, EVENTS_URL=redis_url)
    return RedisStreamQueue(redis_url)


def test_a_service_needs_no_more_than_the_address_of_the_queue(
    queue: RedisStreamQueue, tmp_path: Path
) -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True)

    assert ended.stdout.splitlines() == ["1200", "[]"]
    assert ended.stderr == ""
    assert list(tmp_path.iterdir()) == []
    held = [json.loads(message.body)["data"]["user_id"] for message in queue.read(2000, 0)]
    assert held == list(range(1200))


def test_a_lost_connection_is_made_anew(queue: RedisStreamQueue, redis_client: redis.Redis) -> None:
    with worker.Publisher() as publisher:
        publisher.publish([GOOD])
        redis_client.client_kill_filter(_type="normal", skipme=True)
        publisher.publish([GOOD])

    assert queue.backlog() == 2


def test_a_queue_that_is_not_there_is_named_without_its_password() -> None:
    url = f"redis://:hidden@127.0.0.1:{free_port()}"

    with pytest.raises(QueueUnavailable) as caught:
        worker.publish([GOOD], url)

    assert "hidden" not in str(caught.value)

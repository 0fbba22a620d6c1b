"""The examples for publishers, each run against a real broker; the docs hold them word for word."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url

from tests.support import node
from tests.support.ports import free_port
from worker.adapters.queues import open_queue
from worker.events import Connection, Post, UnknownEvent, parse_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from tests.support.rabbitmq import RabbitMQ

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "publishing.md"
EXAMPLES = ROOT / "examples" / "publishers"
BY_CLIENT_OF_REDIS = ["with_redis.sh", "with_redis.php", "with_redis.mjs", "with_redis.py"]
BY_CLIENT_OF_RABBITMQ = ["with_rabbitmq.php", "with_rabbitmq.mjs"]
ON_REDIS = [*BY_CLIENT_OF_REDIS, "with_worker.py"]
ON_RABBITMQ = [*BY_CLIENT_OF_RABBITMQ, "with_worker.py"]
QUORUM = {"x-queue-type": "quorum"}
FULL_AFTER_ONE = {"x-max-length": 1, "x-overflow": "reject-publish"}
HAS_EXTENSION = 'exit(extension_loaded("redis") ? 0 : 1);'
HAS_AMQPLIB = 'exit((@include "PhpAmqpLib/autoload.php") ? 0 : 1);'


def _php(has: str, package: str) -> str:
    php = node.needs("php", "php-cli")
    if subprocess.run([php, "-r", has], capture_output=True, check=False).returncode:
        node.not_there(package, package)
    return php


@contextmanager
def _command(name: str) -> Iterator[list[str | Path]]:
    """Give what runs an example, once all that it needs is known to be there."""
    example = EXAMPLES / name
    if name.endswith(".mjs"):
        with node.installed(example) as script:
            yield [node.needs("node", "nodejs"), script]
    elif name.endswith(".sh"):
        node.needs("redis-cli", "redis-tools")
        yield [example]
    elif name == "with_redis.php":
        yield [_php(HAS_EXTENSION, "php-redis"), example]
    elif name == "with_rabbitmq.php":
        yield [_php(HAS_AMQPLIB, "php-amqplib"), example]
    else:
        yield [sys.executable, example]


def _run(name: str, url: str) -> subprocess.CompletedProcess[str]:
    names = ("BADGE_WORKER_EVENTS_URL", "REDIS_URL", "AMQP_URL")
    environment = os.environ | dict.fromkeys(names, url) | {"PYTHONPATH": str(ROOT)}
    with _command(name) as command:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )


def _assert_published(url: str) -> None:
    """Hold what is on the queue to what every example publishes, as the worker reads it."""
    queue = open_queue(url)
    messages = list(queue.read(10, 10))
    while queue.backlog() > len(messages):
        messages += queue.read(10, 1)
    queue.acknowledge(messages)
    queue.close()
    documents = [json.loads(message.body) for message in messages]
    events = [parse_event(message.body, datetime.now(UTC)) for message in messages]

    ours = [event for event in events if not isinstance(event, UnknownEvent)]
    assert {event.type: event.data for event in ours} == {
        "connection.established.v1": Connection(user_ids=("242", "243")),
        "post.created.v1": Post(user_id="242", post_id="9001"),
    }
    assert all(abs((datetime.now(UTC) - event.time).total_seconds()) < 300 for event in ours)
    assert len({document["id"] for document in documents}) == 2


@pytest.fixture
def restricted_url(redis_url: str, redis_client: redis.Redis) -> Iterator[str]:
    """The address of Redis with a user who may do what the docs say that a publisher needs."""
    rights = re.search(r"`ACL SETUSER lms on >password (.*)`", DOCS.read_text("utf-8"))
    assert rights is not None
    name = f"lms-{secrets.token_hex(4)}"
    redis_client.execute_command("ACL", "SETUSER", name, "on", ">p@ss", *rights[1].split())  # type: ignore[no-untyped-call]
    yield make_url(redis_url).set(username=name, password="p@ss").render_as_string(hide_password=False)
    redis_client.execute_command("ACL", "DELUSER", name)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("name", ON_REDIS)
def test_an_example_publishes_on_redis_streams(name: str, redis_url: str, restricted_url: str) -> None:
    ended = _run(name, restricted_url)

    assert ended.returncode == 0, ended.stderr
    assert "2 events published" in ended.stdout.splitlines()
    _assert_published(redis_url)


@pytest.mark.parametrize("name", BY_CLIENT_OF_REDIS)
def test_an_example_takes_no_refusal_for_success(
    name: str, redis_url: str, redis_client: redis.Redis
) -> None:
    redis_client.set("badge-events", "not a stream")

    ended = _run(name, redis_url)

    assert ended.returncode != 0
    assert "published" not in ended.stdout


@pytest.mark.parametrize("name", BY_CLIENT_OF_REDIS)
def test_an_example_without_a_broker_fails(name: str) -> None:
    ended = _run(name, f"redis://127.0.0.1:{free_port()}")

    assert ended.returncode != 0
    assert "published" not in ended.stdout


@pytest.fixture
def badge_events(rabbitmq_server: RabbitMQ) -> Iterator[str]:
    """The address of the queue that the examples name; it is not there yet, and gone after the test."""
    rabbitmq_server.delete("badge-events")
    yield rabbitmq_server.url()
    rabbitmq_server.delete("badge-events")


@pytest.mark.parametrize("name", ON_RABBITMQ)
def test_an_example_makes_the_queue_on_rabbitmq_and_publishes(
    name: str, badge_events: str, rabbitmq_server: RabbitMQ
) -> None:
    ended = _run(name, badge_events)

    assert (ended.returncode, ended.stdout) == (0, "2 events published\n"), ended.stderr
    with rabbitmq_server.channel() as channel:
        channel.queue_declare("badge-events", durable=True, auto_delete=False, arguments=QUORUM)
        message: Any = channel.basic_get("badge-events")
        assert message.delivery_mode == 2
        channel.basic_reject(message.delivery_tag, requeue=True)
    _assert_published(badge_events)


@pytest.mark.parametrize("name", BY_CLIENT_OF_RABBITMQ)
def test_an_example_uses_a_queue_as_it_is(name: str, badge_events: str, rabbitmq_server: RabbitMQ) -> None:
    with rabbitmq_server.channel() as channel:
        channel.queue_declare("badge-events", durable=True, auto_delete=False, arguments={"x-max-length": 5})

    ended = _run(name, badge_events)

    assert ended.returncode == 0, ended.stderr
    _assert_published(badge_events)


@pytest.mark.parametrize("name", BY_CLIENT_OF_RABBITMQ)
def test_an_example_takes_no_nack_for_a_confirm(
    name: str, badge_events: str, rabbitmq_server: RabbitMQ
) -> None:
    with rabbitmq_server.channel() as channel:
        channel.queue_declare("badge-events", durable=True, auto_delete=False, arguments=FULL_AFTER_ONE)

    ended = _run(name, badge_events)

    assert ended.returncode != 0
    assert "published" not in ended.stdout


@pytest.mark.parametrize("name", BY_CLIENT_OF_RABBITMQ)
def test_an_example_without_rabbitmq_fails(name: str) -> None:
    ended = _run(name, f"amqp://guest:guest@127.0.0.1:{free_port()}/")

    assert ended.returncode != 0
    assert "published" not in ended.stdout


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == {*ON_REDIS, *ON_RABBITMQ}


@pytest.mark.parametrize("name", sorted({path.name for path in EXAMPLES.iterdir() if path.is_file()}))
def test_the_docs_hold_an_example_word_for_word(name: str) -> None:
    docs = DOCS.read_text("utf-8")
    language = {"sh": "sh", "php": "php", "mjs": "js", "py": "python"}[name.rpartition(".")[2]]

    assert f"`examples/publishers/{name}`" in docs
    assert f"```{language}\n{(EXAMPLES / name).read_text('utf-8')}```\n" in docs

from __future__ import annotations

import traceback

import pytest

from worker.adapters.queues import RedisStreamQueue, open_queue
from worker.errors import ConfigurationError


def kwargs_of(queue: object) -> dict[str, object]:
    assert isinstance(queue, RedisStreamQueue)
    return dict(queue._redis.connection_pool.connection_kwargs)


def test_the_stream_is_taken_from_the_url_and_everything_else_is_the_clients() -> None:
    queue = open_queue("redis://me:secret@broker:6380/2?stream=our-events&socket_read_size=4096")

    assert isinstance(queue, RedisStreamQueue)
    assert queue._stream == "our-events"
    assert kwargs_of(queue).items() >= {"host": "broker", "port": 6380, "db": 2, "password": "secret"}.items()


@pytest.mark.parametrize(
    "url", ["redis://broker", "redis://broker/", "redis://broker:6379/0", "rediss://broker/0"]
)
def test_the_stream_has_a_default_name(url: str) -> None:
    queue = open_queue(url)

    assert isinstance(queue, RedisStreamQueue)
    assert queue._stream == "badge-events"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("amqp://me:secret@broker/vhost", "RabbitMQ support arrives", id="rabbitmq"),
        pytest.param("amqps://me:secret@broker/vhost", "RabbitMQ support arrives", id="rabbitmq-tls"),
        pytest.param("kafka://me:secret@broker", "no event queue speaks 'kafka'", id="another-kind"),
        pytest.param("secret", "no event queue speaks ''", id="no-scheme"),
        pytest.param("", "no event queue speaks ''", id="empty"),
        pytest.param("redis://me:secret@[broker", "not an address", id="no-address"),
        pytest.param("redis://me:secret/x@broker:6379/0", "not a number", id="slash-in-password"),
        pytest.param("redis://me@broker:secret/0", "not an address", id="port-is-no-number"),
        pytest.param("redis://me:secret@broker/zero", "not a number", id="database-is-no-number"),
        pytest.param("redis://me:secret@broker/0?stream=", "`stream` is empty", id="empty-stream"),
        pytest.param("redis://me:secret@broker/0?strem=x", "parameters: strem", id="unknown-parameter"),
    ],
)
def test_what_cannot_be_used_is_refused_saying_what_can_and_without_the_password(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_queue(url)

    assert said in str(refused.value)
    assert "redis://host:6379/0?stream=badge-events" in str(refused.value)
    shown = "".join(traceback.format_exception(refused.value)).replace("open_queue(url)", "")
    assert "secret" not in shown

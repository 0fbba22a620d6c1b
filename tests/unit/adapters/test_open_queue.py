from __future__ import annotations

import traceback

import pytest

from worker.adapters.queues import AmqpQueue, KombuQueue, RedisStreamQueue, open_queue
from worker.adapters.queues.link import HEARTBEAT, Broker
from worker.errors import ConfigurationError


def made(queue: object) -> AmqpQueue:
    assert isinstance(queue, AmqpQueue)
    return queue


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


def test_the_queue_and_the_heartbeat_are_taken_from_the_url_of_rabbitmq() -> None:
    queue = made(open_queue("amqp://me:secret@broker:5673/our%2Fhost?queue=our-events&heartbeat=5"))

    assert (queue._name, queue._broker) == (
        "our-events",
        Broker("amqp://me:secret@broker:5673/our%2Fhost", 5),
    )
    assert "secret" not in repr(queue._broker)


@pytest.mark.parametrize("url", ["amqp://broker", "amqp://broker//", "pyamqp://broker/vhost"])
def test_the_queue_has_a_default_name(url: str) -> None:
    queue = made(open_queue(url))

    assert (queue._name, queue._broker) == ("badge-events", Broker(url, HEARTBEAT))


def test_tls_is_verified_with_the_certificates_that_the_url_names() -> None:
    given = made(open_queue("amqps://broker/?ssl_ca_certs=ca.pem&ssl_certfile=me.pem&ssl_keyfile=me.key"))
    none = made(open_queue("amqps://broker/"))

    assert given._broker.tls == {"ca_certs": "ca.pem", "certfile": "me.pem", "keyfile": "me.key"}
    assert none._broker.tls == {}


def test_kombus_other_transports_are_taken_as_they_are() -> None:
    queue = open_queue("filesystem://?queue=our-events")

    assert isinstance(queue, KombuQueue)
    assert (queue._url, queue._name) == ("filesystem://", "our-events")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("nats://me:secret@broker", "no event queue speaks 'nats'", id="another-kind"),
        pytest.param("secret", "no event queue speaks ''", id="no-scheme"),
        pytest.param("", "no event queue speaks ''", id="empty"),
        pytest.param("redis://me:secret@[broker", "not an address", id="no-address"),
        pytest.param("redis://me:secret/x@broker:6379/0", "not a number", id="slash-in-password"),
        pytest.param("redis://me@broker:secret/0", "not an address", id="port-is-no-number"),
        pytest.param("redis://me:secret@broker/zero", "not a number", id="database-is-no-number"),
        pytest.param("redis://me:secret@broker/0?stream=", "`stream` is empty", id="empty-stream"),
        pytest.param("redis://me:secret@broker/0?strem=x", "parameters: strem", id="unknown-parameter"),
        pytest.param("redis+socket:///secret", "can lose events", id="kombu-redis"),
        pytest.param("sentinel://me:secret@broker/0", "can lose events", id="kombu-redis-by-sentinel"),
        pytest.param("sqs://me:secret@", "kombu needs ", id="package-missing"),
        pytest.param("kafka://me:secret@broker", "kombu misses a package", id="package-taken-for-granted"),
        pytest.param("amqp://me:secret/x@broker/", "not an address", id="amqp-slash-in-password"),
        pytest.param("amqp://me@broker:secret/", "not an address", id="amqp-port-is-no-number"),
        pytest.param("amqp://me:secret@broker/?queue=", "`queue` is empty", id="empty-queue"),
        pytest.param(f"amqp://me:secret@broker/?queue={256 * 'q'}", "more than 255 bytes", id="long-queue"),
        pytest.param("amqp://me:secret@broker/?que=x", "parameters: que", id="amqp-unknown-parameter"),
        pytest.param("amqp://me:secret@broker/?heartbeat=0", "`heartbeat` is a number", id="no-heartbeat"),
        pytest.param("amqp://me:secret@broker/?heartbeat=often", "`heartbeat` is a number", id="heartbeat"),
        pytest.param("amqp://me:secret@broker/?ssl_ca_certs=ca.pem", "for amqps://", id="ca-without-tls"),
    ],
)
def test_what_cannot_be_used_is_refused_saying_what_can_and_without_the_password(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_queue(url)

    assert said in str(refused.value)
    assert "EVENTS_URL" in str(refused.value)
    assert "redis://host:6379/0?stream=badge-events" in str(refused.value)
    assert "amqp://user:password@host:5672/vhost?queue=badge-events" in str(refused.value)
    shown = "".join(traceback.format_exception(refused.value)).replace("open_queue(url)", "")
    assert "secret" not in shown

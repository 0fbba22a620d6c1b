"""TLS: spoken where the address says so, certificate and name verified; and how others reach us by it.

RabbitMQ's stands in test_rabbitmq.py, the providers' in tests/unit/adapters/test_badgr_http.py.
"""

from __future__ import annotations

import ssl
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
import redis
from kombu.exceptions import OperationalError
from sqlalchemy import make_url, text

from tests.support.ports import free_port
from tests.support.rabbitmq import CERTIFICATE, TLS
from tests.support.tls_door import as_postgres, tls_door
from tests.support.waiting import wait_until
from tests.unit.web.test_access import Issuer, door_of, signed
from worker.adapters.celery_app import make_celery
from worker.adapters.database.engine import make_engine, reading
from worker.adapters.queues import open_queue
from worker.adapters.redis_connection import connect
from worker.bootstrap import Services
from worker.errors import DatabaseUnavailable, KeysUnavailable, QueueUnavailable
from worker.settings import PREFIX, load_settings
from worker.web.application import application
from worker.web.server import listen, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Spawn

KEY = TLS / "key.pem"
TRUSTED = f"ssl_ca_certs={CERTIFICATE}"


# Redis


@pytest.fixture
def valkey_port(redis_url: str) -> Iterator[int]:
    """Where a Valkey speaks nothing but TLS."""
    server = urlsplit(redis_url)
    assert server.hostname
    assert server.port
    with tls_door((server.hostname, server.port)) as port:
        yield port


def shared(url: str) -> None:
    """Do what permits and tokens do."""
    with connect(url) as client:
        client.ping()


def events(url: str) -> None:
    """Do what publishers and consumers do."""
    with closing(open_queue(f"{url}&stream=over-tls")) as queue:
        queue.publish([b"in secret"])


def tasks(url: str) -> None:
    """Do what nudges, beat, task workers and Flower do."""
    with make_celery(lambda: url).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)


SPEAKERS = [shared, events, tasks]


@pytest.mark.parametrize("speak", SPEAKERS)
def test_redis_is_spoken_to_over_tls(valkey_port: int, speak: Callable[[str], None]) -> None:
    speak(f"rediss://127.0.0.1:{valkey_port}/0?{TRUSTED}")

    with pytest.raises((redis.RedisError, QueueUnavailable, OperationalError)):
        speak(f"redis://127.0.0.1:{valkey_port}/0?")


@pytest.mark.parametrize("speak", SPEAKERS)
def test_a_redis_that_nobody_vouches_for_is_not_spoken_to(
    valkey_port: int, speak: Callable[[str], None]
) -> None:
    with pytest.raises((redis.RedisError, QueueUnavailable, OperationalError), match="verify failed: self"):
        speak(f"rediss://127.0.0.1:{valkey_port}/0?ssl_check_hostname=true")


@pytest.mark.parametrize("speak", SPEAKERS)
def test_a_redis_with_a_certificate_for_another_name_is_not_spoken_to(
    valkey_port: int, speak: Callable[[str], None]
) -> None:
    with pytest.raises((redis.RedisError, QueueUnavailable, OperationalError), match="mismatch"):
        speak(f"rediss://127.1:{valkey_port}/0?{TRUSTED}")


@pytest.mark.parametrize("speak", SPEAKERS)
def test_what_the_address_says_about_verifying_has_the_last_word(
    valkey_port: int, speak: Callable[[str], None]
) -> None:
    speak(f"rediss://127.1:{valkey_port}/0?ssl_cert_reqs=none&ssl_check_hostname=false")


# PostgreSQL


@pytest.fixture
def postgres_over_tls(postgres_url: str) -> Iterator[str]:
    """The address of a PostgreSQL that speaks nothing but TLS."""
    url = make_url(postgres_url)
    assert url.host
    assert url.port
    with tls_door((url.host, url.port), as_postgres) as port:
        yield url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)


def ask(url: str) -> int:
    engine = make_engine(url)
    try:
        with reading(engine) as connection:
            answer: int = connection.execute(text("SELECT 42")).scalar_one()
            return answer
    finally:
        engine.dispose()


def test_postgresql_is_spoken_to_over_tls(postgres_over_tls: str) -> None:
    found = ask(f"{postgres_over_tls}?sslmode=verify-full&sslrootcert={CERTIFICATE}")

    assert found == 42
    with pytest.raises(DatabaseUnavailable):
        ask(f"{postgres_over_tls}?sslmode=disable")


@pytest.mark.parametrize(
    ("host", "query", "why"),
    [
        pytest.param("127.0.0.1", "sslrootcert=system", "verify failed", id="nobody vouches for it"),
        pytest.param("localhost.localdomain", f"sslrootcert={CERTIFICATE}", "name", id="another's name"),
    ],
)
def test_a_postgresql_that_may_be_another_is_not_spoken_to(
    postgres_over_tls: str, host: str, query: str, why: str
) -> None:
    url = f"{postgres_over_tls.replace('127.0.0.1', host)}?sslmode=verify-full&hostaddr=127.0.0.1&{query}"

    with pytest.raises(DatabaseUnavailable, match=why):
        ask(url)


# The issuer of signed tokens


def test_the_keys_of_signed_tokens_come_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))

    with Issuer().running() as issuer, tls_door(("127.0.0.1", issuer.server.server_port)) as port:
        caller = door_of(f"https://127.0.0.1:{port}/keys").caller(signed())

    assert caller


@pytest.mark.parametrize(
    ("trusted", "host"),
    [
        pytest.param(None, "127.0.0.1", id="nobody vouches for it"),
        pytest.param(str(CERTIFICATE), "127.1", id="another's name"),
    ],
)
def test_keys_of_whom_nobody_vouches_for_let_nobody_in(
    monkeypatch: pytest.MonkeyPatch, trusted: str | None, host: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", trusted)

    with Issuer().running() as issuer, tls_door(("127.0.0.1", issuer.server.server_port)) as port:
        with pytest.raises(KeysUnavailable):
            door_of(f"https://{host}:{port}/keys").caller(signed())

        assert issuer.asked == 0


# Those who come to us


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


def is_well(url: str) -> bool:
    try:
        return httpx.get(url, verify=trusting(), timeout=5).is_success
    except httpx.ConnectError as error:
        if "CERTIFICATE" in str(error):
            raise
        return False  # it does not listen yet


def test_the_web_application_answers_behind_a_door_with_tls(sqlite_url: str, tmp_path: Path) -> None:
    settings = {
        "DATABASE_URL": sqlite_url,
        "SECRET_KEY": "0123456789abcdef",
        **{f"{name}_URL": "redis://127.0.0.1:1/0" for name in ("EVENTS", "BROKER", "REDIS")},
    }
    here = Services(load_settings({PREFIX + name: value for name, value in settings.items()}, tmp_path))
    listener, stop = listen("127.0.0.1", 0), threading.Event()
    server = threading.Thread(target=serve, args=(application(here), listener, stop))
    with tls_door(listener.getsockname()) as port:
        server.start()
        answer = wait_until(lambda: is_well(f"https://127.0.0.1:{port}/healthz"), what="an answer")
        stop.set()
        server.join()
    here.close()

    assert answer


def test_flower_speaks_tls(spawn: Spawn, redis_url: str, tmp_path: Path) -> None:
    port = free_port()
    flower = ["-m", "celery", "-q", "-A", "worker.app", "flower", "--address=127.0.0.1", f"--port={port}"]
    settings = {"BADGE_WORKER_BROKER_URL": redis_url}

    spawn([sys.executable, *flower, f"--certfile={CERTIFICATE}", f"--keyfile={KEY}"], settings, tmp_path)

    assert wait_until(lambda: is_well(f"https://127.0.0.1:{port}/healthcheck"), 60, "Flower over TLS")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{port}/healthcheck")

"""Celery with RabbitMQ as its broker: nudges arrive, and expire; a broker that is away holds nobody up."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from kombu.exceptions import OperationalError
from structlog.testing import capture_logs

from tests.support.bodies import enrolled, registered
from tests.support.ground import Ground, badge, definitions, read
from tests.support.ports import free_port
from tests.support.rabbitmq import CERTIFICATE
from tests.support.waiting import wait_until
from worker.adapters.celery_app import AWARDS, DISPATCH, RULES, make_celery
from worker.adapters.celery_dispatch import CeleryDispatch
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.applying import apply
from worker.awards import Call
from worker.errors import QueueUnavailable
from worker.sandbox import SandboxOptions, SeedBadgeClass, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Spawn
    from tests.support.rabbitmq import RabbitMQ

WORKER = ("-m", "celery", "-q", "-A", "worker.app", "worker", "--loglevel", "INFO", "--without-mingle")
PATIENCE = 60.0
MINUTE = timedelta(minutes=1)


@pytest.fixture
def broker_url(rabbitmq_server: RabbitMQ) -> Iterator[str]:
    """A broker without any of Celery's queues."""
    yield rabbitmq_server.url()
    for name in (DISPATCH, AWARDS, RULES):
        rabbitmq_server.delete(name)


def dispatch_of(broker_url: str) -> CeleryDispatch:
    """Return a dispatch by whose clock much time has passed between two nudges."""
    clock = iter(range(0, 10**6, 100))
    return CeleryDispatch(make_celery(lambda: broker_url), lambda: next(clock))


def message(rabbitmq_server: RabbitMQ, queue: str) -> Any:
    with rabbitmq_server.channel() as channel:
        return channel.basic_get(queue)


def connected(broker_url: str) -> None:
    with make_celery(lambda: broker_url).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)


def test_over_tls_the_brokers_certificate_and_name_are_verified(rabbitmq_server: RabbitMQ) -> None:
    trusted = rabbitmq_server.tls_url(ssl_ca_certs=str(CERTIFICATE))

    connected(trusted)

    with pytest.raises(OperationalError, match="verify failed: self"):
        connected(rabbitmq_server.tls_url())
    with pytest.raises(OperationalError, match="mismatch"):
        connected(trusted.replace("127.0.0.1", "127.1"))


def test_a_nudge_is_a_lasting_message_that_the_broker_drops_when_it_is_worth_nothing(
    broker_url: str, rabbitmq_server: RabbitMQ
) -> None:
    dispatch_of(broker_url).nudge()

    properties = message(rabbitmq_server, DISPATCH).properties

    assert properties["application_headers"]["task"] == "awards.dispatch"
    assert 0 < int(properties["expiration"]) < MINUTE.total_seconds() * 1000
    assert properties["delivery_mode"] == 2


def test_a_call_ends_with_its_lease(broker_url: str, rabbitmq_server: RabbitMQ) -> None:
    until = datetime.now(UTC) + 10 * MINUTE

    dispatch_of(broker_url).send(Call("academy", "badge", "a-lease", 1, settle=False, lease_until=until))

    found = message(rabbitmq_server, AWARDS).properties
    assert abs(int(found["expiration"]) / 1000 - 10 * MINUTE.total_seconds()) < MINUTE.total_seconds()


def test_a_broker_that_is_away_is_said_and_holds_nobody_up() -> None:
    dispatch = dispatch_of(f"amqp://guest@127.0.0.1:{free_port()}//")
    call = Call("academy", "badge", "a-lease", 1, settle=False, lease_until=datetime.now(UTC) + MINUTE)

    with capture_logs() as logs:
        dispatch.nudge()
    with pytest.raises(QueueUnavailable, match="the task broker cannot be reached"):
        dispatch.send(call)

    assert [entry["event"] for entry in logs] == ["nudge.failed"]


def test_a_task_worker_takes_a_nudge_and_issues_what_is_due(
    broker_url: str, redis_url: str, sqlite_url: str, tmp_path: Path, spawn: Spawn
) -> None:
    ground = Ground(make_engine(sqlite_url))
    upgrade(ground.engine)
    options = SandboxOptions(badgeclasses=[SeedBadgeClass("class-starter", "Starter", "academy")])
    with running(options) as url:
        issuer = {"provider": "badgr", "url": url, "settle_after": "1s", "timeout": "10s"}
        starter = badge({"lp_enroll": {"learning_path_id": "40"}}, issued=True)
        apply(ground.database, read(definitions({"starter": starter}, academy=issuer)))
        settings = {
            "DATABASE_URL": sqlite_url,
            "BROKER_URL": broker_url,
            "REDIS_URL": redis_url,
            "ISSUER_ACADEMY_USERNAME": "academy",
            "ISSUER_ACADEMY_PASSWORD": "a password",
            "LOG_FORMAT": "json",
        }
        env = {f"BADGE_WORKER_{name}": value for name, value in settings.items()}
        worker = spawn([sys.executable, *WORKER], env, tmp_path)
        worker.wait_for("ready.", PATIENCE)
        now = datetime.now(UTC)
        ground.ingest(registered(now, "ada", email="ada@example.org"), enrolled(now, "ada"))

        dispatch_of(broker_url).nudge()
        wait_until(lambda: ground.states() == {"ada": "issued"}, PATIENCE, "the award issued")

        held = httpx.get(f"{url}/sandbox/assertions").json()
    ground.engine.dispose()
    assert [each["recipient"] for each in held] == ["ada@example.org"]

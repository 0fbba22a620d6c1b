"""The real servers that tests run on: our own, or those that the environment names."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import psycopg
import pytest
import redis
from psycopg import sql
from sqlalchemy import make_url

from tests.support.rabbitmq import RabbitMQ, running_rabbitmq
from worker.adapters.embedded import RunningServer, start_postgres, start_valkey
from worker.adapters.redis_connection import connect
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE_VARIABLE = "BADGE_WORKER_TEST_DATABASE_URL"
REDIS_VARIABLE = "BADGE_WORKER_TEST_REDIS_URL"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A PostgreSQL server: `url` for SQLAlchemy, of a database from which others can be made."""

    url: str

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """Make a database as a copy of `template`, give its URL, and drop it afterwards."""
        name = f"badge_worker_test_{secrets.token_hex(6)}"
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), name, template)
        try:
            yield make_url(self.url).set(database=name).render_as_string(hide_password=False)
        finally:
            self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)"), name)

    def execute(self, statement: sql.SQL, *names: str) -> None:
        """Run one statement with these identifiers outside any transaction."""
        with psycopg.connect(plain(self.url), autocommit=True) as connection:
            connection.execute(statement.format(*map(sql.Identifier, names)))


def plain(url: str) -> str:
    """Return a SQLAlchemy URL of PostgreSQL as libpq wants it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def unavailable(what: str, variable: str, error: Exception) -> NoReturn:
    """Fail where every service must be there, and skip on a laptop, saying how to get it."""
    without(what, error, f"make install, or set {variable} to a server of yours")


def without(what: str, error: Exception, how: str) -> NoReturn:
    text = f"no {what}: {error}\nTo run this test: {how}."
    if os.environ.get("CI"):
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Give the PostgreSQL of this test process."""
    with ExitStack() as stack:
        try:
            url = os.environ.get(DATABASE_VARIABLE) or _own_postgres(stack).url
            psycopg.connect(plain(url)).close()
        except (ConfigurationError, psycopg.OperationalError) as error:
            unavailable("PostgreSQL", DATABASE_VARIABLE, error)
        yield Postgres(url)


def _own_postgres(stack: ExitStack) -> RunningServer:
    # Not pytest's tmp_path, which nobody but its owner can reach: as root, the server is another user.
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="badge-worker-tests-")))
    folder.chmod(0o755)
    return stack.enter_context(start_postgres(folder / "postgres", durable=False))


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """Give the URL of the Redis or Valkey database of this test process. Tests empty it."""
    with ExitStack() as stack:
        try:
            url = _own_number(os.environ.get(REDIS_VARIABLE)) or _own_valkey(folder, stack).url
            with connect(url) as client:
                client.ping()
        except (ConfigurationError, redis.RedisError) as error:
            unavailable("Redis or Valkey", REDIS_VARIABLE, error)
        yield url


def _own_valkey(folder: Path, stack: ExitStack) -> RunningServer:
    return stack.enter_context(start_valkey(folder, persistent=False))


def _own_number(url: str | None) -> str | None:
    """Let each pytest-xdist process have a database number of its own, counted from the given one."""
    if not url:
        return None
    given = make_url(url)
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return given.set(database=str(int(given.database or 0) + process)).render_as_string(hide_password=False)


@contextmanager
def rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    """Give the RabbitMQ of this test process. A test has queues of its own there."""
    with ExitStack() as stack:
        try:
            broker = stack.enter_context(running_rabbitmq(folder))
        except ConfigurationError as error:
            without("RabbitMQ", error, "install the machine's package of it, as .ci/run does")
        yield broker

"""Fixtures that every test can ask for: real servers, one of each kind, and clean ground on them.

`BADGE_WORKER_TEST_DATABASE_URL` and `BADGE_WORKER_TEST_REDIS_URL` name servers to use instead of our own. The
first's user must be allowed to create databases; the second's, from the given number on, are emptied.
"""

from __future__ import annotations

import compileall
import os
import secrets
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support import processes, services
from tests.support.compiling import share_compiled_statements
from worker.adapters.redis_connection import connect

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    import redis

    from tests.support.rabbitmq import RabbitMQ


# A shell that starts us in the background lets us ignore Ctrl-C, and so would every process that we start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Whoever makes an HTTP client reads whom the machine trusts, some 150 of them, which takes longer than most
# tests. Here nobody is asked but who answers on the loopback interface, so one will do: it vouches for none
# of them, and its key was thrown away.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("fixtures") / "authorities.pem")

share_compiled_statements()

SPAWNED = pytest.StashKey[list[processes.Spawned]]()


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once where Python may not do so by itself: tests of all start it some 300 times.

    What is compiled names its source's hash, so it is never used for another.
    """
    if sys.dont_write_bytecode and config.getoption("numprocesses", None):
        package = Path(__file__).parents[1] / "worker"
        compileall.compile_dir(package, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)


class Spawn(Protocol):
    """Starts a process that ends with the test; its output is shown when the test fails."""

    def __call__(
        self, args: Sequence[str | Path], env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> processes.Spawned: ...


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[services.Postgres]:
    with services.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with services.valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A broker of this test process: a test may stop it, and start it again."""
    with services.rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as broker:
        yield broker


@pytest.fixture
def amqp_url(rabbitmq_server: RabbitMQ) -> Iterator[str]:
    """The address of a queue that is not there yet, and that is gone after the test."""
    name = f"events-{secrets.token_hex(6)}"
    yield rabbitmq_server.url(queue=name)
    rabbitmq_server.delete(name)


@pytest.fixture
def postgres_url(postgres_server: services.Postgres) -> Iterator[str]:
    """An empty database of one's own."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'badge-worker.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def redis_client(valkey_server: str) -> Iterator[redis.Redis]:
    """A client of the empty Redis database."""
    with connect(valkey_server) as client:
        client.flushdb()
        yield client


@pytest.fixture
def redis_url(valkey_server: str, redis_client: redis.Redis) -> str:
    """An empty Redis database."""
    del redis_client  # it was asked for because it empties the database
    return valkey_server


@pytest.fixture
def spawn(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Spawn]:
    spawned: list[processes.Spawned] = []
    request.node.stash[SPAWNED] = spawned
    with ExitStack() as stack:

        def start(
            args: Sequence[str | Path], env: Mapping[str, str] | None = None, cwd: Path | None = None
        ) -> processes.Spawned:
            log = tmp_path / f"process-{len(spawned) + 1}.log"
            spawned.append(stack.enter_context(processes.spawn(args, log, env, cwd)))
            return spawned[-1]

        yield start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what spawned processes printed, when their test fails."""
    report = yield
    if report.failed:
        report.sections += [(f"{each.log.name}", each.output()) for each in item.stash.get(SPAWNED, [])]
    return report

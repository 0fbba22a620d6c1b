"""The servers and processes of the ingestion drill, and what can be seen of them."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.support.ground import read
from tests.support.ports import ports_of
from tests.support.processes import Spawned, spawn
from tests.support.services import plain
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.adapters.database.store import Database
from worker.applying import apply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack

    from tests.support.drill_brokers import Broker
    from tests.support.restartable import RestartablePostgres

OURS = "FROM pg_stat_activity WHERE application_name = 'badge-worker'"
OPEN = f"SELECT count(*) {OURS} AND state <> 'idle'"
COMMITTING = f"SELECT client_port {OURS} AND wait_event = 'SyncRep'"


class World:
    """What runs."""

    def __init__(self, postgres: RestartablePostgres, broker: Broker, folder: Path, stack: ExitStack) -> None:
        self.postgres = postgres
        self.broker = broker
        self.consumers: list[Spawned] = []
        self.peak_memory = 0.0  # MiB, of the largest consumer
        self._folder = folder
        self._stack = stack
        self._logs: list[Path] = []
        self._env = {
            "BADGE_WORKER_DATABASE_URL": postgres.url,
            "BADGE_WORKER_EVENTS_URL": broker.url,
            "BADGE_WORKER_BROKER_URL": broker.url,
            "BADGE_WORKER_LOG_LEVEL": "info",
        }

    # What runs

    def consumer(self) -> Spawned:
        """Start a consumer, and wait until it has begun."""
        started = self._start("consume")
        started.wait_for("consumer.started")
        return started

    def prepare(self, definitions: dict[str, Any]) -> None:
        """Put schema and badges into the database."""
        engine = make_engine(self.postgres.url)
        upgrade(engine)
        apply(Database(engine), read(definitions))
        engine.dispose()

    def _start(self, *args: str) -> Spawned:
        log = self._folder / f"{len(self._logs):03}.log"
        self._logs.append(log)
        program = [sys.executable, "-m", "worker", *args]
        return self._stack.enter_context(spawn(program, log, self._env, self._folder))

    # What is seen

    def ask(self, statement: str) -> list[Any]:
        """Ask the database."""
        with psycopg.connect(plain(self.postgres.url), options="-c timezone=UTC") as connection:
            return connection.execute(statement).fetchall()

    def busy(self) -> int:
        """Count the transactions of consumers that are open."""
        return int(self.ask(OPEN)[0][0])

    def waiting(self) -> int:
        """Count those of them that wait for a lock."""
        return int(self.ask(f"{OPEN} AND wait_event_type = 'Lock'")[0][0])

    def committing(self) -> list[Spawned]:
        """Return the consumers whose commit is on the disk and does not return."""
        ports = {port for (port,) in self.ask(COMMITTING)}
        return [each for each in self.consumers if ports & ports_of(each.pid)]

    @contextmanager
    def commits_held(self) -> Iterator[None]:
        """Let no commit return, though it is on the disk: each waits for the word of a standby."""
        with psycopg.connect(plain(self.postgres.url), autocommit=True) as own:
            # In the middle of a checkpoint, the setting would be taken note of only a while later.
            own.execute("CHECKPOINT")
            own.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            own.execute("SELECT pg_reload_conf()")
            yield
            own.execute("ALTER SYSTEM RESET synchronous_standby_names")
            own.execute("SELECT pg_reload_conf()")

    def waits(self) -> int:
        """Count how often a consumer said that it waits."""
        return sum(log.read_text(errors="replace").count("consumer.waits") for log in self._logs)

    def note_memory(self, consumer: Spawned) -> None:
        """Note how large a consumer has been, as long as it is there."""
        with suppress(FileNotFoundError, ProcessLookupError):
            status = Path(f"/proc/{consumer.pid}/status").read_text("utf-8")
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            self.peak_memory = max(self.peak_memory, int(peak.split()[1]) / 1024)


def soon(condition: Callable[[], object], seconds: float = 2.0) -> None:
    """Wait until it is true, but not for long: not every batch comes by everywhere."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)

"""The servers and processes of the ingestion drill, and what can be seen of them."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import redis

from tests.support.ground import read
from tests.support.processes import Spawned, spawn
from tests.support.services import plain
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.adapters.database.store import Database
from worker.adapters.queues.redis_streams import ABANDONED_MS, GROUP, STREAM
from worker.adapters.redis_connection import connect
from worker.applying import apply

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from tests.support.restartable import RestartablePostgres, RestartableValkey

OPEN = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'badge-worker' AND state <> 'idle'"
MOST = 5000  # entries in anybody's hands


class World:
    """What runs. `aged`: what nobody has touched for a second is old enough for anybody to take over."""

    def __init__(
        self,
        postgres: RestartablePostgres,
        valkey: RestartableValkey,
        folder: Path,
        stack: ExitStack,
        *,
        aged: bool,
    ) -> None:
        self.postgres = postgres
        self.valkey = valkey
        self.consumers: list[Spawned] = []
        self.peak_memory = 0.0  # MiB, of the largest consumer
        self._folder = folder
        self._stack = stack
        self._aged = aged
        self._logs: list[Path] = []
        self._env = {
            "BADGE_WORKER_DATABASE_URL": postgres.url,
            "BADGE_WORKER_EVENTS_URL": valkey.url,
            "BADGE_WORKER_BROKER_URL": valkey.url,
            "BADGE_WORKER_REDIS_URL": valkey.url,
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

    def in_hand(self, consumer: Spawned) -> list[bytes]:
        """Return the entries that this consumer has read and not acknowledged."""
        with connect(self.valkey.url) as client:
            try:
                names = [each["name"] for each in client.xinfo_consumers(STREAM, GROUP)]
            except redis.ResponseError:  # the first consumer has not made the group yet
                return []
            return [
                entry["message_id"]
                for name in names
                if f"-{consumer.pid}-".encode() in name
                for entry in client.xpending_range(STREAM, GROUP, "-", "+", MOST, consumername=name)
            ]

    def left(self) -> tuple[int, int]:
        """Return how many entries the stream holds, and how many of them are in somebody's hands."""
        with connect(self.valkey.url) as client:
            if self._aged:
                _age(client)
            try:
                pending: Any = client.xpending(STREAM, GROUP)
            except redis.ResponseError:  # the first consumer has not made the group yet
                return client.xlen(STREAM), 0
            return client.xlen(STREAM), int(pending["pending"])

    def waits(self) -> int:
        """Count how often a consumer said that it waits."""
        return sum(log.read_text(errors="replace").count("consumer.waits") for log in self._logs)

    def note_memory(self, consumer: Spawned) -> None:
        """Note how large a consumer has been, as long as it is there."""
        with suppress(FileNotFoundError, ProcessLookupError):
            status = Path(f"/proc/{consumer.pid}/status").read_text("utf-8")
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            self.peak_memory = max(self.peak_memory, int(peak.split()[1]) / 1024)


def _age(client: redis.Redis) -> None:
    with suppress(redis.ResponseError):  # the first consumer has not made the group yet
        pending = client.xpending_range(STREAM, GROUP, "-", "+", MOST, idle=1000)
        ids: list[Any] = [entry["message_id"] for entry in pending]
        if ids:
            client.xclaim(STREAM, GROUP, "nobody", 0, ids, idle=ABANDONED_MS, justid=True)


def soon(condition: Callable[[], object], seconds: float = 2.0) -> None:
    """Wait until it is true, but not for long: not every batch comes by everywhere."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)

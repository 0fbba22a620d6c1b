"""How many events a second are taken in: from a Redis Stream, validated, committed, acknowledged."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import mix
from tests.support.processes import Spawned, spawn
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.adapters.database.store import Database
from worker.adapters.queues import RedisStreamQueue
from worker.adapters.redis_connection import connect
from worker.applying import apply
from worker.rules.definitions import read_definitions


@dataclass(frozen=True, slots=True)
class Rate:
    """What one case reached. `memory` is the largest consumer's peak, in MiB."""

    case: str
    events: int
    seconds: float
    memory: float

    @property
    def per_second(self) -> float:
        return self.events / self.seconds


def measure(
    case: str, database_url: str, redis_url: str, folder: Path, *, consumers: int, events: list[bytes]
) -> Rate:
    """Put the events on a stream, let so many consumer processes take them in, and time that.

    The time runs from the moment when all consumers wait for their first event to the last acknowledgement.
    """
    _prepare(database_url)
    client = connect(redis_url)
    client.flushdb()
    queue = RedisStreamQueue(redis_url)
    with ExitStack() as stack:
        started = [_consumer(stack, folder, number, database_url, redis_url) for number in range(consumers)]
        _await_group(client, consumers)
        begin = time.perf_counter()
        for first in range(0, len(events), 5000):
            queue.publish(events[first : first + 5000])
        while queue.backlog():
            time.sleep(0.01)
        seconds = time.perf_counter() - begin
        memory = max(_peak(each.pid) for each in started)
    return Rate(case, len(events), seconds, memory)


def _prepare(database_url: str) -> None:
    engine = make_engine(database_url)
    upgrade(engine)
    definitions, problems = read_definitions(mix.definitions())
    if problems:
        raise ValueError(problems)
    apply(Database(engine), definitions)
    engine.dispose()


def _consumer(stack: ExitStack, folder: Path, number: int, database_url: str, redis_url: str) -> Spawned:
    env = {
        "BADGE_WORKER_DATABASE_URL": database_url,
        "BADGE_WORKER_EVENTS_URL": redis_url,
        "BADGE_WORKER_BROKER_URL": redis_url,
        "BADGE_WORKER_REDIS_URL": redis_url,
        "BADGE_WORKER_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "worker", "consume"]
    return stack.enter_context(spawn(command, folder / f"consumer-{number}-{os.getpid()}.log", env, folder))


def _await_group(client: object, consumers: int) -> None:
    """Wait until that many consumers have asked the group for events."""
    while True:
        try:
            if len(client.xinfo_consumers("badge-events", "badge-worker")) >= consumers:  # type: ignore[attr-defined]
                return
        except Exception as error:  # the group is not there before the first consumer is
            if "NOGROUP" not in str(error) and "no such key" not in str(error):
                raise
        time.sleep(0.05)


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024

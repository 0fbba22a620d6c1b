"""How many events a second are taken in: from a Redis Stream, validated, committed, acknowledged."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processors as processor_time
from benchmarks.ground import Ground
from benchmarks.stream import Streams, fill
from tests.support.processes import Spawned, spawn
from worker.adapters.queues.redis_streams import STREAM

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Rate:
    """What one case reached. `memory` is the largest consumer's peak, in MB.

    `processors` is the processor time of each part, in microseconds an event.
    """

    events: int
    seconds: float
    memory: float
    processors: dict[str, float]

    @property
    def per_second(self) -> float:
        return self.events / self.seconds


@dataclass(frozen=True, slots=True)
class Work:
    """A prepared stream of so many events, and what is taken in before the clock starts."""

    stream: str
    events: int
    warm_up: Sequence[bytes]


def measure(
    ground: Ground, streams: Streams, database_url: str, work: Work, *, consumers: int, batch_size: int = 500
) -> Rate:
    """Let so many consumer processes take the work in; the time runs from when all of it is there at once."""
    with running(ground, streams, database_url, work.warm_up, consumers, batch_size) as started:
        streams.stage(work.stream)
        used = _used(ground, started)
        begin = time.perf_counter()
        streams.swap_in()
        streams.await_done(lambda: check(started))
        seconds = time.perf_counter() - begin
        more = _used(ground, started)
        memory = max(peak(each) for each in started)
    processors = {name: (more[name] - before) / work.events * 10**6 for name, before in used.items()}
    return Rate(work.events, seconds, memory, processors)


def _used(ground: Ground, consumers: Sequence[Spawned]) -> dict[str, float]:
    """Return the processor time of each part so far, in seconds."""
    used = {name: processor_time.seconds(pid) for name, pid in ground.pids.items()}
    return {"consumers": sum(processor_time.seconds(each.pid) for each in consumers), **used}


@contextmanager
def running(
    ground: Ground,
    streams: Streams,
    database_url: str,
    warm_up: Sequence[bytes],
    consumers: int,
    batch_size: int = 500,
) -> Iterator[list[Spawned]]:
    """Give consumer processes that wait for events and have taken in some."""
    streams.empty()
    with ExitStack() as stack:
        started = [_consumer(stack, ground, database_url, batch_size) for _ in range(consumers)]
        streams.await_readers(consumers, lambda: check(started))
        ground.checkpoint()
        fill(streams.client, STREAM, warm_up)
        streams.await_done(lambda: check(started))
        yield started


def _consumer(stack: ExitStack, ground: Ground, database_url: str, batch_size: int) -> Spawned:
    env = {
        "BADGE_WORKER_DATABASE_URL": database_url,
        "BADGE_WORKER_EVENTS_URL": ground.redis_url,
        "BADGE_WORKER_BROKER_URL": ground.redis_url,
        "BADGE_WORKER_REDIS_URL": ground.redis_url,
        "BADGE_WORKER_BATCH_SIZE": str(batch_size),
        "BADGE_WORKER_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "worker", "consume"]
    log = ground.folder / f"consumer-{next(_numbers)}.log"
    return stack.enter_context(spawn(command, log, env, ground.folder))


def check(processes: Sequence[Spawned]) -> None:
    """Raise RuntimeError if one of these ended, with what it said."""
    for each in processes:
        if each.process.poll() is not None:
            raise RuntimeError(f"ended with {each.process.returncode}:\n{each.output()[-2000:]}")


def peak(process: Spawned) -> float:
    """Return the most memory that a process ever had resident, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 10**6

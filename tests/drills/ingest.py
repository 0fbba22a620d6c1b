"""The ingestion drill: a long stream, consumers that are killed, a database and a broker that are restarted.

    python -m tests.drills.ingest --seed 1 [--queue rabbitmq] [--events 200000] [--json FILE]

At the end awards, counts and dead letters must be those that a second reading by brute force finds, to the
last one, and the queue must be empty. Prints what was compared; exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from examples.replay import Reading, replay
from tests.drills.issuing import _commit as commit
from tests.support.drill_brokers import BROKERS, Broker
from tests.support.drill_check import Differences, compare, stored
from tests.support.drill_storm import Storm, Weather
from tests.support.drill_stream import stream
from tests.support.drill_world import World
from tests.support.patient_publisher import PatientPublisher
from tests.support.restartable import RestartablePostgres, servers
from tests.support.waiting import wait_until

ENDED_BY_SIGTERM = 143


@dataclass(frozen=True, slots=True)
class Plan:
    """How big a drill is, and how long it may take at most."""

    events: int = 200_000
    consumers: int = 2
    weather: Weather = field(default_factory=Weather)
    longest: float = 600.0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a drill."""

    seed: int
    commit: str
    broker: str
    seconds: float
    events: int
    repeated: int
    broken: int
    unknown: int
    published_again: int
    kills: int
    kills_with_entries_in_hand: int
    entries_in_killed_hands: int
    postgres_fast_restarts: int
    postgres_immediate_restarts: int
    valkey_kills: int
    rabbitmq_kills: int
    rabbitmq_stops: int
    times_waited: int
    peak_memory: float  # MiB, of the largest consumer
    differences: Differences
    left_in_stream: int  # or on the queue of RabbitMQ
    left_pending: int
    exit_codes: list[int]

    @property
    def right(self) -> bool:
        """Return whether nothing was lost, nothing was counted twice, and nothing is left."""
        return (
            self.differences.none
            and self.left_in_stream == self.left_pending == 0
            and set(self.exit_codes) == {ENDED_BY_SIGTERM}
        )


class Drill:
    """One drill, from the servers to what is compared."""

    def __init__(
        self, plan: Plan, seed: int, postgres: RestartablePostgres, broker: Broker, folder: Path
    ) -> None:
        self._plan = plan
        self._seed = seed
        self._made = stream(plan.events, seed)
        self._stack = ExitStack()
        self._world = World(postgres, broker, folder, self._stack)
        self._started = 0.0
        self._say: Callable[[str], None] = print

    def run(self, say: Callable[[str], None]) -> Report:
        """Run the drill to its end; raises AssertionError if that takes longer than its longest time."""
        self._say = say
        with self._stack:
            self._world.prepare(self._made.definitions)
            self._started = time.monotonic()
            expected = self._oracle()
            publisher = self._stack.enter_context(PatientPublisher(self._world.broker.url))
            self._world.consumers = [self._world.consumer() for _ in range(self._plan.consumers)]
            publisher.publish(self._made.before)
            self._until_done(publisher)
            storm = Storm(self._world, self._plan.weather, self._seed, self._tell)
            storm.rage(publisher, self._made.rest)
            self._until_done(publisher)
            return self._report(publisher, storm, expected)

    def _oracle(self) -> Future[Reading]:
        """Let another process find out meanwhile what must come of it."""
        (swept_to,) = self._world.ask("SELECT swept_to FROM rulebook")[0]
        spawning = multiprocessing.get_context("spawn")
        pool = self._stack.enter_context(ProcessPoolExecutor(1, mp_context=spawning))
        return pool.submit(replay, self._made.definitions, self._made.bodies, swept_to)

    def _tell(self, what: str) -> None:
        left, _ = self._world.broker.left()
        self._say(f"{time.monotonic() - self._started:5.0f} s  {left:6} left  {what}")

    def _until_done(self, publisher: PatientPublisher) -> None:
        left = self._plan.longest - (time.monotonic() - self._started)
        wait_until(publisher.idle, left, "everything is published")
        broker = self._world.broker
        wait_until(lambda: broker.left() == (0, 0), left, "the queue is empty, nothing is pending")

    def _report(self, publisher: PatientPublisher, storm: Storm, expected: Future[Reading]) -> Report:
        world, seconds = self._world, time.monotonic() - self._started
        in_stream, pending = world.broker.left()
        codes = self._end_consumers()
        self._tell("all taken in; comparing")
        return Report(
            seed=self._seed,
            commit=commit(),
            broker=world.broker.name,
            seconds=round(seconds, 1),
            events=len(self._made.bodies),
            repeated=self._made.repeated,
            broken=len(self._made.reasons),
            unknown=self._made.unknown,
            published_again=publisher.again,
            kills=len(storm.in_hand),
            kills_with_entries_in_hand=sum(1 for held in storm.in_hand if held),
            entries_in_killed_hands=sum(storm.in_hand),
            postgres_fast_restarts=storm.restarts["PostgreSQL", signal.SIGINT],
            postgres_immediate_restarts=storm.restarts["PostgreSQL", signal.SIGQUIT],
            valkey_kills=storm.restarts["Valkey", signal.SIGKILL],
            rabbitmq_kills=storm.restarts["RabbitMQ", signal.SIGKILL],
            rabbitmq_stops=storm.restarts["RabbitMQ", signal.SIGTERM],
            times_waited=world.waits(),
            peak_memory=round(world.peak_memory, 1),
            differences=compare(self._made, expected.result(), stored(world.ask)),
            left_in_stream=in_stream,
            left_pending=pending,
            exit_codes=codes,
        )

    def _end_consumers(self) -> list[int]:
        for each in self._world.consumers:
            self._world.note_memory(each)
            each.signal(signal.SIGTERM)
        return [each.wait() for each in self._world.consumers]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queue", choices=BROKERS, default="redis", help="what holds the events")
    parser.add_argument("--events", type=int, default=Plan().events)
    parser.add_argument("--json", type=Path, help="write the report here")
    wanted = parser.parse_args()
    with (
        servers(BROKERS[wanted.queue]) as (postgres, broker),
        tempfile.TemporaryDirectory(prefix="badge-worker-drill-") as folder,
    ):
        report = Drill(Plan(wanted.events), wanted.seed, postgres, broker, Path(folder)).run(print)
    written = json.dumps(asdict(report), indent=1)
    print(written)
    if wanted.json:
        wanted.json.parent.mkdir(parents=True, exist_ok=True)
        wanted.json.write_text(written + "\n")
    return 0 if report.right else 1


if __name__ == "__main__":
    raise SystemExit(main())

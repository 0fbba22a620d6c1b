"""The ingestion drill: a long stream, consumers that are killed, a database and a broker that are restarted.

    python -m tests.drills.ingest --seed 1 [--events 200000] [--json FILE]

At the end awards, counts and dead letters must be those that a second reading by brute force finds, to the
last one, and the stream must be empty. Prints what was compared; exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import redis

from examples.replay import Reading, replay
from tests.drills.issuing import _commit as commit
from tests.support.drill_check import Differences, compare, stored
from tests.support.drill_stream import Stream, stream
from tests.support.patient_publisher import PatientPublisher
from tests.support.processes import Spawned, spawn
from tests.support.restartable import RestartablePostgres, RestartableValkey, servers
from tests.support.services import plain
from tests.support.waiting import wait_until
from worker.adapters.queues.redis_streams import ABANDONED_MS, GROUP, STREAM
from worker.adapters.redis_connection import connect

CONSUME = ["-m", "worker", "consume"]
SIGTERM_CODE = 143
# When consumers are killed: where they wait for a table, between commit and acknowledgement, or anywhere.
ANYWHERE, COMMITTED = "anywhere", "committed"
MOMENTS = ["activities", COMMITTED, ANYWHERE, "awards", ANYWHERE, "dead_letters", "users", "counts"]

OPEN = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'badge-worker' AND state <> 'idle'"

Publish = Callable[[], None]
Action = Callable[[Publish], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How big a drill is, and what goes wrong how often.

    What a killed consumer held is taken over after 15 s, as in life; `aged` makes it old enough
    after a second.
    """

    events: int = 200_000
    consumers: int = 2
    kills: int = 30
    postgres_restarts: int = 6
    valkey_restarts: int = 4
    pause: tuple[float, float] = (0.2, 1.5)  # seconds between two things that go wrong
    most_left: int = 20_000  # on the stream, when the next thing goes wrong
    aged: bool = False
    longest: float = 600.0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a drill. `exact_instants` are the awards whose `earned_at` no order can change."""

    seed: int
    commit: str
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
    times_waited: int
    peak_memory: float  # MiB, of the largest consumer
    differences: Differences
    left_in_stream: int
    left_pending: int
    exit_codes: list[int]

    @property
    def right(self) -> bool:
        """Return whether nothing was lost, nothing was counted twice, and nothing is left."""
        return (
            self.differences.none
            and self.left_in_stream == self.left_pending == 0
            and set(self.exit_codes) == {SIGTERM_CODE}
        )


class Drill:
    """The processes of one drill, and what can be seen of them."""

    def __init__(
        self, plan: Plan, seed: int, postgres: RestartablePostgres, valkey: RestartableValkey, folder: Path
    ) -> None:
        self._plan = plan
        self._seed = seed
        self._postgres = postgres
        self._valkey = valkey
        self._folder = folder
        self._rng = random.Random(seed)
        self._made: Stream = stream(plan.events, seed)
        self._env = {
            "BADGE_WORKER_DATABASE_URL": postgres.url,
            "BADGE_WORKER_EVENTS_URL": valkey.url,
            "BADGE_WORKER_BROKER_URL": valkey.url,
            "BADGE_WORKER_REDIS_URL": valkey.url,
            "BADGE_WORKER_LOG_LEVEL": "info",
        }
        self._logs: list[Path] = []
        self._consumers: list[Spawned] = []
        self._kills: list[int] = []  # entries in hand, of each who was killed
        self._restarts = {signal.SIGINT: 0, signal.SIGQUIT: 0}
        self._valkey_kills = 0
        self._moments = itertools.cycle(MOMENTS)
        self._peak_memory = 0.0
        self._started = 0.0
        self._say: Callable[[str], None] = print

    def run(self, say: Callable[[str], None]) -> Report:
        """Run the drill to its end; raises AssertionError if that takes longer than its longest time."""
        self._say = say
        with ExitStack() as stack:
            self._stack = stack
            self._prepare()
            self._started = time.monotonic()
            expected = self._oracle(stack)
            publisher = stack.enter_context(PatientPublisher(self._valkey.url))
            self._consumers = [self._start(*CONSUME) for _ in range(self._plan.consumers)]
            publisher.publish(self._made.before)
            self._until_done(publisher)
            self._storm(publisher)
            self._until_done(publisher)
            return self._report(publisher, expected)

    # What runs

    def _prepare(self) -> None:
        badges = self._folder / "badges.json"
        badges.write_text(json.dumps(self._made.definitions))
        self._command("db", "upgrade")
        self._command("badges", "apply", str(badges), "--yes")

    def _command(self, *args: str) -> None:
        code = self._start("-m", "worker", *args).wait(120)
        if code != 0:
            raise RuntimeError(
                f"badge-worker {' '.join(args)} ended with {code}: {self._logs[-1].read_text()}"
            )

    def _start(self, *args: str) -> Spawned:
        log = self._folder / f"{len(self._logs):03}.log"
        self._logs.append(log)
        return self._stack.enter_context(spawn([sys.executable, *args], log, self._env, self._folder))

    def _oracle(self, stack: ExitStack) -> Future[Reading]:
        """Let another process find out meanwhile what must come of it."""
        (swept_to,) = self._ask("SELECT swept_to FROM rulebook")[0]
        spawning = multiprocessing.get_context("spawn")
        pool = stack.enter_context(ProcessPoolExecutor(1, mp_context=spawning))
        return pool.submit(replay, self._made.definitions, self._made.bodies, swept_to)

    # What goes wrong

    def _storm(self, publisher: PatientPublisher) -> None:
        """Publish the rest in slices, one for each thing that goes wrong, while that goes wrong."""
        actions = self._actions()
        for number, action in enumerate(actions):
            _soon(lambda: self._left()[0] < self._plan.most_left, seconds=20)
            action(partial(publisher.publish, _slice(self._made.rest, number, len(actions))))
            time.sleep(self._rng.uniform(*self._plan.pause))

    def _actions(self) -> list[Action]:
        plan = self._plan
        kills: list[Action] = [partial(self._kill, moment=next(self._moments)) for _ in range(plan.kills)]
        how = itertools.cycle([self._restart_fast, self._restart_at_once])
        restarts: list[Action] = [next(how) for _ in range(plan.postgres_restarts)]
        actions = [*kills, *restarts, *[self._restart_valkey] * plan.valkey_restarts]
        self._rng.shuffle(actions)
        return actions

    def _kill(self, publish: Publish, moment: str) -> None:
        """Kill a consumer with entries in hand, at a moment, and start another in its place."""
        with self._caught(moment, publish) as victim:
            self._note_memory(victim)
            victim.signal(signal.SIGKILL)
            victim.wait()
        held = self._in_hand(victim)
        self._kills.append(len(held))
        started = self._consumers[self._consumers.index(victim)] = self._start(*CONSUME)
        started.wait_for("consumer.started")
        self._tell(f"kill {len(self._kills)} ({moment}), {len(held)} entries in hand")

    @contextmanager
    def _caught(self, moment: str, publish: Publish) -> Iterator[Spawned]:
        """Publish, and catch one where it waits for a table, before it acknowledges, or anywhere."""
        if moment == ANYWHERE:
            publish()
            victim = self._one_at_work()
            time.sleep(self._rng.uniform(0, 0.03))
            yield victim
            return
        with psycopg.connect(plain(self._postgres.url)) as locking:
            locking.execute(f"LOCK TABLE {moment if moment != COMMITTED else 'users'} IN EXCLUSIVE MODE")
            publish()
            victim = self._one_at_work()
            _soon(self._waiting)
            if moment != COMMITTED:
                yield victim
                return
            with self._no_writes_to_valkey():
                locking.rollback()
                _soon(lambda: not self._busy())
                yield victim

    def _one_at_work(self) -> Spawned:
        """Wait a while for a consumer with entries in hand, and choose one."""
        _soon(lambda: any(self._in_hand(each) for each in self._consumers), seconds=5)
        return self._rng.choice([each for each in self._consumers if self._in_hand(each)] or self._consumers)

    @contextmanager
    def _no_writes_to_valkey(self) -> Iterator[None]:
        with connect(self._valkey.url) as client:
            client.client_pause(10_000, all=False)
            yield
            client.client_unpause()

    def _busy(self) -> int:
        """Count the transactions of consumers that are open."""
        return int(self._ask(OPEN)[0][0])

    def _waiting(self) -> int:
        """Count those of them that wait for a lock."""
        return int(self._ask(f"{OPEN} AND wait_event_type = 'Lock'")[0][0])

    def _restart_fast(self, publish: Publish) -> None:
        self._restart_postgres(publish, signal.SIGINT)

    def _restart_at_once(self, publish: Publish) -> None:
        self._restart_postgres(publish, signal.SIGQUIT)

    def _restart_postgres(self, publish: Publish, how: signal.Signals) -> None:
        publish()
        _soon(self._busy)
        self._postgres.end(how)
        time.sleep(self._rng.uniform(0, 1))
        self._postgres.start()
        self._restarts[how] += 1
        self._tell(f"PostgreSQL restarted after {how.name}")

    def _restart_valkey(self, publish: Publish) -> None:
        publish()
        _soon(self._busy)
        self._valkey.kill()
        time.sleep(self._rng.uniform(0, 1))
        self._valkey.start()
        self._valkey_kills += 1
        self._tell("Valkey killed and restarted")

    # What is seen

    def _tell(self, what: str) -> None:
        left, _ = self._left()
        self._say(f"{time.monotonic() - self._started:5.0f} s  {left:6} left  {what}")

    def _note_memory(self, consumer: Spawned) -> None:
        with suppress(FileNotFoundError, ProcessLookupError):
            status = Path(f"/proc/{consumer.pid}/status").read_text()
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            self._peak_memory = max(self._peak_memory, int(peak.split()[1]) / 1024)

    def _in_hand(self, consumer: Spawned) -> list[str]:
        """Return the entries that this consumer has read and not acknowledged."""
        with connect(self._valkey.url) as client:
            try:
                names = [each["name"].decode() for each in client.xinfo_consumers(STREAM, GROUP)]
            except redis.ResponseError:  # the first consumer has not made the group yet
                return []
            mine = [name for name in names if f"-{consumer.pid}-" in name]
            pending = [
                entry
                for name in mine
                for entry in client.xpending_range(STREAM, GROUP, "-", "+", 5000, consumername=name)
            ]
        return [entry["message_id"].decode() for entry in pending]

    def _age(self) -> None:
        """Let all that nobody has touched for a second be old enough for anybody to take over."""
        with connect(self._valkey.url) as client, suppress(redis.ResponseError):
            pending = client.xpending_range(STREAM, GROUP, "-", "+", 5000, idle=1000)
            if ids := [entry["message_id"] for entry in pending]:
                client.xclaim(STREAM, GROUP, "nobody", 0, ids, idle=ABANDONED_MS, justid=True)

    def _until_done(self, publisher: PatientPublisher) -> None:
        left = self._plan.longest - (time.monotonic() - self._started)
        wait_until(publisher.idle, left, "everything is published")
        wait_until(lambda: self._left() == (0, 0), left, "the stream is empty and nothing is pending")

    def _left(self) -> tuple[int, int]:
        if self._plan.aged:
            self._age()
        with connect(self._valkey.url) as client:
            try:
                pending: Any = client.xpending(STREAM, GROUP)
            except redis.ResponseError:  # the first consumer has not made the group yet
                return client.xlen(STREAM), 0
            return client.xlen(STREAM), int(pending["pending"])

    def _ask(self, statement: str) -> list[Any]:
        with psycopg.connect(plain(self._postgres.url), options="-c timezone=UTC") as connection:
            return connection.execute(statement).fetchall()

    def _report(self, publisher: PatientPublisher, expected: Future[Reading]) -> Report:
        taken_in = time.monotonic()
        in_stream, pending = self._left()
        for each in self._consumers:
            self._note_memory(each)
            each.signal(signal.SIGTERM)
        codes = [each.wait() for each in self._consumers]
        self._tell("all taken in; comparing")
        differences = compare(self._made, expected.result(), stored(self._ask))
        return Report(
            seed=self._seed,
            commit=commit(),
            seconds=round(taken_in - self._started, 1),
            events=len(self._made.bodies),
            repeated=self._made.repeated,
            broken=len(self._made.reasons),
            unknown=self._made.unknown,
            published_again=publisher.again,
            kills=len(self._kills),
            kills_with_entries_in_hand=sum(1 for held in self._kills if held),
            entries_in_killed_hands=sum(self._kills),
            postgres_fast_restarts=self._restarts[signal.SIGINT],
            postgres_immediate_restarts=self._restarts[signal.SIGQUIT],
            valkey_kills=self._valkey_kills,
            times_waited=sum(log.read_text(errors="replace").count("consumer.waits") for log in self._logs),
            peak_memory=round(self._peak_memory, 1),
            differences=differences,
            left_in_stream=in_stream,
            left_pending=pending,
            exit_codes=codes,
        )


def _soon(condition: Callable[[], object], seconds: float = 2.0) -> None:
    """Wait until it is true, but not for long: not every batch comes by everywhere."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)


def _slice(bodies: Sequence[bytes], number: int, of: int) -> Sequence[bytes]:
    return bodies[len(bodies) * number // of : len(bodies) * (number + 1) // of]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=Plan().events)
    parser.add_argument("--json", type=Path, help="write the report here")
    wanted = parser.parse_args()
    with (
        servers() as (postgres, valkey),
        tempfile.TemporaryDirectory(prefix="badge-worker-drill-") as folder,
    ):
        plan = Plan(events=wanted.events)
        report = Drill(plan, wanted.seed, postgres, valkey, Path(folder)).run(print)
    written = json.dumps(asdict(report), indent=1, default=datetime.isoformat)
    print(written)
    if wanted.json:
        wanted.json.parent.mkdir(parents=True, exist_ok=True)
        wanted.json.write_text(written + "\n")
    return 0 if report.right else 1


if __name__ == "__main__":
    raise SystemExit(main())

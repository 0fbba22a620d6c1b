"""The issuing drill: thousands of awards, a provider that fails at random, workers that are killed.

    python -m tests.drills.issuing --seed 1 [--json FILE]

At the end every award must be `issued`, the sandbox must hold exactly one live assertion for each, and no
window may have held more calls than the limit. Prints these counts; exit code 1 if any is wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.support import services
from tests.support.processes import Spawned, spawn
from worker.adapters.redis_connection import connect

WORKER = ["-m", "celery", "-q", "-A", "worker.app", "worker", "--loglevel", "WARNING", "--without-mingle"]
BEAT = ["-m", "celery", "-q", "-A", "worker.app", "beat", "--loglevel", "WARNING", "--pidfile="]


@dataclass(frozen=True, slots=True)
class Plan:
    """How big a drill is. The limit and `settle_after` are scaled alike from 100 calls and 60 s in 60 s."""

    awards: int = 5000
    badges: int = 20
    workers: int = 4
    calls: int = 20
    window: float = 6.0
    settle_after: float = 6.0
    timeout: float = 3.0
    kill_every: tuple[float, float] = (4.0, 9.0)
    kills: int = 20
    longest: float = 300.0

    @property
    def users(self) -> int:
        """Return how many people there are: everybody earns every badge."""
        return self.awards // self.badges


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a drill."""

    seed: int
    commit: str
    seconds: float
    awards: int
    issued: int
    assertions: int
    doubled: int
    missing: int
    calls: int
    most_calls_in_a_window: int
    permitted: int
    answers: dict[str, int]
    faults: dict[str, int]
    kills: int
    looked_up: int

    @property
    def right(self) -> bool:
        """Return whether each award was issued exactly once, within the limit."""
        return (
            self.issued == self.awards == self.assertions
            and self.doubled == self.missing == 0
            and self.most_calls_in_a_window <= self.permitted
        )


def faults(seed: int) -> dict[str, Any]:
    """Return what goes wrong, each by a rate of its own."""
    issuing, anything = "/v2/badgeclasses/", "/v2/"
    return {
        "seed": seed,
        "rules": [
            {"fault": "error_before", "rate": 0.04, "path": anything},
            {"fault": "error_after", "rate": 0.03, "path": issuing, "method": "POST"},
            {"fault": "error_after", "rate": 0.03, "path": issuing, "method": "POST", "saved": 7},
            {"fault": "drop_after", "rate": 0.04, "path": issuing, "method": "POST"},
            {"fault": "throttle", "rate": 0.02, "path": anything, "seconds": 1},
            {"fault": "expire_tokens", "rate": 0.02, "path": anything},
            {"fault": "slow", "rate": 0.15, "path": anything, "seconds": [0.2, 4.0]},
        ],
    }


def definitions(plan: Plan, url: str) -> dict[str, Any]:
    """Return the badges: one learning path each."""
    issuer = {
        "provider": "badgr",
        "url": url,
        "rate_limit": f"{plan.calls}/{plan.window:g}s",
        "settle_after": f"{plan.settle_after:g}s",
        "timeout": f"{plan.timeout:g}s",
    }
    badges = {
        f"badge-{number}": {
            "title": f"Badge {number}",
            "picture": "https://example.org/badge.png",
            "issue": {"issuer": "academy", "badgeclass": badgeclass(number)},
            "criteria": {"lp_enroll": {"learning_path_id": str(number)}},
        }
        for number in range(plan.badges)
    }
    return {"issuers": {"academy": issuer}, "badges": badges}


def badgeclass(number: int) -> str:
    """Return the badge class of a badge."""
    return f"class-{number:03}-".ljust(22, "0")


def bodies(plan: Plan, rng: random.Random) -> list[bytes]:
    """Return everybody's registration and enrolment in every path, shuffled, with some twice."""
    made = [
        _body(f"r{user}", "user.registered.v1", {"user_id": f"u{user}", "email": f"u{user}@example.org"})
        for user in range(plan.users)
    ]
    made += [
        _body(
            f"e{user}-{path}",
            "learning_path.enrolled.v1",
            {"user_id": f"u{user}", "learning_path_id": str(path)},
        )
        for user in range(plan.users)
        for path in range(plan.badges)
    ]
    made += rng.sample(made, len(made) // 10)
    rng.shuffle(made)
    return made


def _body(identifier: str, kind: str, data: dict[str, Any]) -> bytes:
    event = {
        "specversion": "1.0",
        "id": identifier,
        "source": "https://lms.example.org",
        "type": kind,
        "time": "2026-03-01T10:15:00Z",
        "data": data,
    }
    return json.dumps(event).encode()


class Drill:
    """The processes of one drill, and what can be seen of them."""

    def __init__(self, plan: Plan, seed: int, folder: Path, urls: tuple[str, str], stack: ExitStack) -> None:
        self.plan = plan
        self.seed = seed
        self.rng = random.Random(seed)
        self.kills = 0
        self._folder = folder
        self._stack = stack
        self._logs = 0
        database_url, redis_url = urls
        self._database = services.plain(database_url)
        self._client = connect(redis_url)
        stack.callback(self._client.close)
        self._env = {
            "BADGE_WORKER_DATABASE_URL": database_url,
            "BADGE_WORKER_EVENTS_URL": f"{redis_url}?stream=badge-events",
            "BADGE_WORKER_BROKER_URL": redis_url,
            "BADGE_WORKER_REDIS_URL": redis_url,
            "BADGE_WORKER_ISSUER_ACADEMY_USERNAME": "academy",
            "BADGE_WORKER_ISSUER_ACADEMY_PASSWORD": "a password",
        }
        self._sandbox = ""

    def run(self, say: Callable[[str], None]) -> Report:
        """Run the drill to its end, or to its longest time."""
        started = time.monotonic()
        self.prepare()
        self.publish()
        workers = self.workers()
        self.break_things(faults(self.seed))
        self._kill_until_done(workers, started, say)
        return self._report(time.monotonic() - started)

    def prepare(self) -> None:
        """Start the sandbox and put schema and badges into the database."""
        self._start_sandbox()
        self._command("db", "upgrade")
        self._command("badges", "apply", str(self._folder / "badges.json"), "--yes")

    def publish(self) -> None:
        """Put every event on the queue."""
        for body in bodies(self.plan, self.rng):
            self._client.xadd("badge-events", {"event": body})

    def workers(self) -> list[Spawned]:
        """Start consumer, beat and task workers; return the last."""
        self._start("-m", "worker", "consume")
        self._start(*BEAT)
        return [self._start(*WORKER) for _ in range(self.plan.workers)]

    def break_things(self, rules: dict[str, Any]) -> None:
        """Tell the sandbox what goes wrong from now on."""
        httpx.post(f"{self._sandbox}/sandbox/faults", json=rules).raise_for_status()

    def calls(self) -> list[dict[str, Any]]:
        """Return every call of the issuer, as it arrived at the sandbox."""
        made = httpx.get(f"{self._sandbox}/sandbox/calls", timeout=60).json()
        return [call for call in made if call["account"] == "academy"]

    def _start_sandbox(self) -> None:
        badges = self._folder / "badges.json"
        badges.write_text(json.dumps(definitions(self.plan, "http://127.0.0.1:1")))
        limit = f"{self.plan.calls}/{self.plan.window:g}s"
        sandbox = self._start(
            "-m", "worker", "sandbox", "--port", "0", "--badges", str(badges), "--rate-limit", limit
        )
        sandbox.wait_for("http://")
        self._sandbox = next(word for word in sandbox.output().split() if word.startswith("http://"))
        badges.write_text(json.dumps(definitions(self.plan, self._sandbox)))

    def _kill_until_done(self, workers: list[Spawned], started: float, say: Callable[[str], None]) -> None:
        """Kill a worker now and then and start another, until everything is issued."""
        next_kill = time.monotonic() + self.rng.uniform(*self.plan.kill_every)
        while not self._done() and time.monotonic() - started < self.plan.longest:
            if self.kills < self.plan.kills and time.monotonic() > next_kill:
                victim = self.rng.randrange(len(workers))
                workers[victim].signal(signal.SIGKILL)
                workers[victim].wait()
                self.kills += 1
                workers[victim] = self._start(*WORKER)
                next_kill = time.monotonic() + self.rng.uniform(*self.plan.kill_every)
                say(f"{time.monotonic() - started:5.0f} s  kill {self.kills}  {dict(self._states())}")
            time.sleep(0.3)

    def _done(self) -> bool:
        return self._states() == {"issued": self.plan.awards}

    def _states(self) -> Counter[str]:
        with psycopg.connect(self._database) as connection:
            rows = connection.execute("SELECT state, count(*) FROM awards GROUP BY state").fetchall()
        return Counter(dict(rows))

    def _report(self, seconds: float) -> Report:
        held = httpx.get(f"{self._sandbox}/sandbox/assertions", timeout=60).json()
        calls = self.calls()
        rules = httpx.get(f"{self._sandbox}/sandbox/faults").json()
        live = Counter((each["badgeclass"], each["recipient"]) for each in held if not each["revoked"])
        wanted = {
            (badgeclass(number), f"u{user}@example.org")
            for number in range(self.plan.badges)
            for user in range(self.plan.users)
        }
        times = sorted(call["time"] for call in calls)
        return Report(
            seed=self.seed,
            commit=_commit(),
            seconds=round(seconds, 1),
            awards=self.plan.awards,
            issued=self._states()["issued"],
            assertions=live.total(),
            doubled=sum(count - 1 for count in live.values()),
            missing=len(wanted - live.keys()),
            calls=len(times),
            most_calls_in_a_window=fullest(times, self.plan.window),
            permitted=self.plan.calls,
            answers=dict(sorted(Counter(str(call["status"]) for call in calls).items())),
            faults={f"{rule['fault']} {index}": rule["applied"] for index, rule in enumerate(rules)},
            kills=self.kills,
            looked_up=self._looked_up(),
        )

    def _looked_up(self) -> int:
        with psycopg.connect(self._database) as connection:
            row = connection.execute(
                "SELECT count(*) FROM award_history WHERE what IN ('found and adopted', 'not there')"
            ).fetchone()
        return int(row[0]) if row else 0

    def _command(self, *args: str) -> None:
        code = self._start("-m", "worker", *args).wait(120)
        if code != 0:
            raise RuntimeError(f"badge-worker {' '.join(args)} ended with {code}")

    def _start(self, *args: str) -> Spawned:
        self._logs += 1
        log = self._folder / f"{self._logs:03}.log"
        return self._stack.enter_context(spawn([sys.executable, *args], log, self._env, self._folder))


def fullest(times: list[float], window: float) -> int:
    """Return the most calls that any window held."""
    return max((bisect_left(times, start + window) - index for index, start in enumerate(times)), default=0)


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    status = ["git", "status", "--porcelain", "worker"]
    changed = subprocess.run(status, capture_output=True, text=True, check=False)
    return found.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


@contextmanager
def ground() -> Iterator[tuple[Path, tuple[str, str]]]:
    """Give a folder and the URLs of an empty PostgreSQL database and an empty Redis."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="badge-worker-drill-")))
        server = stack.enter_context(services.postgres())
        redis_url = stack.enter_context(services.valkey(folder / "valkey"))
        yield folder, (stack.enter_context(server.database()), redis_url)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the report here")
    wanted = parser.parse_args()
    with ground() as (folder, urls), ExitStack() as stack:
        report = Drill(Plan(), wanted.seed, folder, urls, stack).run(print)
    written = json.dumps(asdict(report), indent=1)
    print(written)
    if wanted.json:
        wanted.json.parent.mkdir(parents=True, exist_ok=True)
        wanted.json.write_text(written + "\n")
    return 0 if report.right else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""The proof from end to end: real servers, real processes, two of them killed in the middle of their work."""

from __future__ import annotations

import json
import signal
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
import redis

from examples.replay import Reading, replay
from tests.support.population import Population, population, untidied
from tests.support.services import plain
from tests.support.waiting import wait_until
from worker.adapters.redis_connection import connect

if TYPE_CHECKING:
    from tests.conftest import Spawn
    from tests.support.processes import Spawned

PEOPLE, EVENTS = 300, 3000
CALLS, WINDOW = 25, 5.0  # the limit set for this test
RULES_LOCK = 0x62616467_00000001
SLOW = 2.5  # seconds for the first calls, so that one can be caught under way
STREAM, GROUP = "badge-events", "badge-worker"
WORKER = ["-m", "celery", "-q", "-A", "worker.app", "worker", "--loglevel", "INFO", "--without-mingle"]
BEAT = ["-m", "celery", "-q", "-A", "worker.app", "beat", "--loglevel", "WARNING", "--pidfile="]


class World:
    """Everything that runs, and what can be seen of it."""

    def __init__(self, spawn: Spawn, database_url: str, redis_url: str, folder: Path) -> None:
        self._spawn = spawn
        self._folder = folder
        self._database = plain(database_url)
        self.client: redis.Redis = connect(redis_url)
        self.sandbox_url = ""
        self.env = {
            "BADGE_WORKER_DATABASE_URL": database_url,
            "BADGE_WORKER_EVENTS_URL": f"{redis_url}?stream={STREAM}",
            "BADGE_WORKER_BROKER_URL": redis_url,
            "BADGE_WORKER_REDIS_URL": redis_url,
            "BADGE_WORKER_ISSUER_ACADEMY_USERNAME": "academy",
            "BADGE_WORKER_ISSUER_ACADEMY_PASSWORD": "a password",
            "BADGE_WORKER_LOG_LEVEL": "info",
        }

    def start(self, *args: str) -> Spawned:
        return self._spawn([sys.executable, *args], self.env, self._folder)

    def run(self, *args: str) -> None:
        assert self.start("-m", "worker", *args).wait(60) == 0

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self._database) as connection:
            yield connection

    def scalar(self, statement: str) -> Any:
        with self.database() as connection:
            row = connection.execute(statement).fetchone()
            return row[0] if row else None

    def pending(self) -> dict[str, int]:
        """Return how many entries each consumer holds unacknowledged."""
        try:
            consumers = self.client.xinfo_consumers(STREAM, GROUP)
        except redis.ResponseError:  # the first consumer has not made the group yet
            return {}
        return {each["name"].decode(): each["pending"] for each in consumers}

    def held(self) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = httpx.get(f"{self.sandbox_url}/sandbox/assertions").json()
        return answer

    def calls(self) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = httpx.get(f"{self.sandbox_url}/sandbox/calls").json()
        return answer


@pytest.fixture
def world(spawn: Spawn, postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[World]:
    made = World(spawn, postgres_url, redis_url, tmp_path)
    yield made
    made.client.close()


def people() -> Population:
    made = population(PEOPLE, EVENTS, seed=7)
    made.definitions["issuers"]["academy"] |= {
        "rate_limit": f"{CALLS}/{WINDOW:.0f}s",
        "settle_after": "3s",
        "timeout": "5s",
    }
    return made


def start_sandbox(world: World, made: Population, folder: Path) -> None:
    badges = folder / "badges.json"
    badges.write_text(json.dumps(made.definitions))
    port = "0"
    limit = f"{CALLS}/{WINDOW:.0f}s"
    sandbox = world.start(
        "-m", "worker", "sandbox", "--port", port, "--badges", str(badges), "--rate-limit", limit
    )
    sandbox.wait_for("http://")
    world.sandbox_url = next(word for word in sandbox.output().split() if word.startswith("http://"))
    made.definitions["issuers"]["academy"]["url"] = world.sandbox_url
    badges.write_text(json.dumps(made.definitions))
    slow = {"fault": "slow", "path": "/v2/badgeclasses/", "method": "POST", "times": 6, "seconds": SLOW}
    assert httpx.post(f"{world.sandbox_url}/sandbox/faults", json=[slow]).is_success


def kill_consumer_with_entries_pending(world: World, bodies: list[bytes]) -> None:
    """Let a consumer get stuck in the middle of a batch, behind a lock that we hold, and kill it there."""
    with world.database() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [RULES_LOCK])
        consumer = world.start("-m", "worker", "consume")
        for body in bodies:
            world.client.xadd(STREAM, {"event": body})
        wait_until(lambda: any(world.pending().values()), timeout=60, what="entries in a consumer's hands")
        consumer.signal(signal.SIGKILL)
        consumer.wait()
    assert sum(world.pending().values()) > 0


def kill_worker_with_an_award_sent(world: World) -> None:
    """Kill the task worker while the provider is working on a call of its, and nobody knows the result."""
    worker = world.start(*WORKER)
    underway = "SELECT count(*) FROM awards WHERE state = 'issuing' AND sent_at IS NOT NULL"
    wait_until(lambda: world.scalar(underway), timeout=60, what="an award that was sent")
    worker.signal(signal.SIGKILL)
    worker.wait()
    assert world.scalar(f"{underway} AND assertion_id IS NULL") > 0


def everything_is_settled(world: World) -> bool:
    unsettled = "SELECT count(*) FROM awards WHERE state IN ('pending', 'issuing')"
    return world.client.xlen(STREAM) == 0 and world.scalar(unsettled) == 0


def test_every_award_reaches_the_provider_exactly_once_although_processes_are_killed(
    world: World, tmp_path: Path
) -> None:
    made = people()
    start_sandbox(world, made, tmp_path)
    world.run("db", "upgrade")
    world.run("badges", "apply", str(tmp_path / "badges.json"), "--yes")
    bodies = untidied(made.bodies, seed=7, repeated=0.1)

    kill_consumer_with_entries_pending(world, bodies)
    world.start("-m", "worker", "consume")
    world.start(*BEAT)
    kill_worker_with_an_award_sent(world)
    world.start(*WORKER)
    wait_until(lambda: everything_is_settled(world), timeout=150, what="every award settled")

    read = replay(made.definitions, bodies, datetime.now(UTC))
    assert_exactly_what_was_earned(made, read, world.held())
    assert_earned_when_the_replay_says(made, read, world.held())
    assert_within_the_limit(world.calls())


def assert_exactly_what_was_earned(made: Population, read: Reading, held: list[dict[str, Any]]) -> None:
    wanted = {
        (award.badge_id, award.recipient.lower())
        for award in read.awards.values()
        if award.recipient is not None
    }
    live = Counter((badge_of(made, each), each["recipient"]) for each in held if not each["revoked"])

    assert len(wanted) > PEOPLE
    assert set(live) == wanted
    assert max(live.values()) == 1
    assert len(held) == len(wanted)


def assert_earned_when_the_replay_says(made: Population, read: Reading, held: list[dict[str, Any]]) -> None:
    expected = {(each.badge_id, (each.recipient or "").lower()): each for each in read.awards.values()}
    times = times_of_activities(made)
    for each in held:
        badge = badge_of(made, each)
        award = expected[badge, each["recipient"]]
        issued_on = datetime.fromisoformat(each["issuedOn"])
        ((kind, fields),) = made.definitions["badges"][badge]["criteria"].items()
        if kind.startswith("lp_") or kind == "registered_for":
            assert issued_on == award.earned_at
        else:
            own = times[award.user_id, kind]
            assert issued_on in own
            assert bisect_left(own, issued_on) + 1 >= fields["threshold"]


def times_of_activities(made: Population) -> dict[tuple[str, str], list[datetime]]:
    found: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for body in made.bodies:
        at, data = datetime.fromisoformat(body["time"]), body["data"]
        if body["type"] == "post.created.v1":
            found[data["user_id"], "social_engagement"].append(at)
        for user_id in data.get("user_ids", []):
            found[user_id, "social_connection"].append(at)
    return {key: sorted(times) for key, times in found.items()}


def badge_of(made: Population, assertion: dict[str, Any]) -> str:
    names: Iterator[str] = (
        name
        for name, badge in made.definitions["badges"].items()
        if badge["issue"]["badgeclass"] == assertion["badgeclass"]
    )
    return next(names)


def assert_within_the_limit(calls: list[dict[str, Any]]) -> None:
    times = sorted(call["time"] for call in calls if call["account"] == "academy")
    fullest = max(bisect_left(times, start + WINDOW) - index for index, start in enumerate(times))

    assert fullest <= CALLS
    assert not [call for call in calls if call["status"] == httpx.codes.TOO_MANY_REQUESTS]

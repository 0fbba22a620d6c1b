"""Celery on a real Valkey: killed workers, piles of ticks, brokers and databases that are away."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from ast import literal_eval
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from celery import Celery
from structlog.testing import capture_logs

from tests.support.bodies import enrolled, registered
from tests.support.ground import Ground, badge, definitions, read
from tests.support.waiting import wait_until
from worker.adapters.celery_app import MOST_WAITING, make_celery
from worker.adapters.celery_beat import Ticker
from worker.adapters.celery_dispatch import CeleryDispatch
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.adapters.embedded import RunningServer, free_port, start_valkey
from worker.adapters.redis_connection import connect
from worker.applying import apply
from worker.awards import Call
from worker.errors import QueueUnavailable
from worker.sandbox import SandboxOptions, SeedBadgeClass, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from tests.conftest import Spawn
    from tests.support.processes import Spawned

WORKER = ("-m", "celery", "-q", "-A", "worker.app", "worker", "--loglevel", "INFO", "--without-mingle")
BEAT = ("-m", "celery", "-q", "-A", "worker.app", "beat", "--loglevel", "INFO", "--pidfile=")
KEYS = "badge-worker:celery:"
PATIENCE = 60.0
MINUTE = timedelta(minutes=1)


@pytest.fixture
def celery(redis_url: str) -> Iterator[Celery]:
    app = make_celery(lambda: redis_url)
    yield app
    app.close()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[RunningServer]:
    """A Valkey of one's own, which may be stopped."""
    with start_valkey(tmp_path / "valkey", persistent=True) as server:
        yield server


def restarted(server: RunningServer, folder: Path) -> RunningServer:
    port = int(server.url.rsplit(":", 1)[1].split("/")[0])
    return start_valkey(folder / "valkey", port=port, persistent=True)


def call(lease_until: datetime) -> Call:
    return Call("academy", "badge", "a-lease", 1, settle=False, lease_until=lease_until)


def messages(client: redis.Redis, queue: str) -> list[dict[str, Any]]:
    return [json.loads(each) for each in client.lrange(KEYS + queue, 0, -1)]


class TestNudging:
    def test_a_nudge_is_one_message_that_is_soon_worth_nothing(
        self, celery: Celery, redis_client: redis.Redis
    ) -> None:
        CeleryDispatch(celery).nudge()

        (message,) = messages(redis_client, "dispatch")
        expires = datetime.fromisoformat(message["headers"]["expires"])
        assert message["headers"]["task"] == "awards.dispatch"
        assert expires < datetime.now(UTC) + MINUTE

    def test_nudges_do_not_pile_up_without_a_worker(self, celery: Celery, redis_client: redis.Redis) -> None:
        clock = iter(range(0, 10**6, 100))
        dispatch = CeleryDispatch(celery, lambda: next(clock))

        for _ in range(3 * MOST_WAITING):
            dispatch.nudge()

        assert redis_client.llen(KEYS + "dispatch") == MOST_WAITING

    def test_a_broker_that_is_away_is_said_once_and_left_alone_for_a_while(self) -> None:
        app = make_celery(lambda: f"redis://127.0.0.1:{free_port()}/0")
        now = [0.0]
        dispatch = CeleryDispatch(app, lambda: now[0])

        with capture_logs() as logs:
            dispatch.nudge()
            dispatch.nudge()
            now[0] += 60
            dispatch.nudge()

        assert [entry["event"] for entry in logs] == ["nudge.failed", "nudge.failed"]

    def test_a_broker_that_fails_slowly_is_left_alone_for_longer_than_a_try_takes(self) -> None:
        """Each try of a frozen one takes all of the time-out, and a consumer's commits would wait for it."""
        app = make_celery(lambda: f"redis://127.0.0.1:{free_port()}/0")
        clock = itertools.count(0, 10)
        dispatch = CeleryDispatch(app, lambda: next(clock))

        with capture_logs() as logs:
            for _ in range(5):
                dispatch.nudge()

        assert [entry["event"] for entry in logs] == ["nudge.failed"]

    def test_a_full_broker_is_no_error_to_who_nudges(self, valkey: RunningServer, tmp_path: Path) -> None:
        del tmp_path
        app = make_celery(lambda: valkey.url)
        with connect(valkey.url) as client:
            client.config_set("maxmemory", "1")

        with capture_logs() as logs:
            CeleryDispatch(app).nudge()
        app.close()

        assert [entry["event"] for entry in logs] == ["nudge.failed"]

    def test_after_a_restart_of_the_broker_nudges_arrive_again(
        self, valkey: RunningServer, tmp_path: Path
    ) -> None:
        clock = iter(range(0, 10**6, 100))
        app = make_celery(lambda: valkey.url)
        dispatch = CeleryDispatch(app, lambda: next(clock))
        dispatch.nudge()
        valkey.stop()
        with capture_logs():
            dispatch.nudge()

        with restarted(valkey, tmp_path) as again, connect(again.url) as client:
            dispatch.nudge()
            app.close()

            assert client.llen(KEYS + "dispatch") == 2


class TestSending:
    def test_a_call_is_a_message_with_the_lease_and_ends_with_it(
        self, celery: Celery, redis_client: redis.Redis
    ) -> None:
        until = datetime.now(UTC) + 10 * MINUTE

        CeleryDispatch(celery).send(call(until))

        (message,) = messages(redis_client, "awards")
        expires = datetime.fromisoformat(message["headers"]["expires"])
        assert literal_eval(message["headers"]["kwargsrepr"]) == {
            "issuer": "academy",
            "badge": "badge",
            "awards": 1,
            "lease": "a-lease",
        }
        assert abs(expires - until) < MINUTE

    def test_a_broker_that_is_away_is_an_error_that_time_mends(self) -> None:
        app = make_celery(lambda: f"redis://127.0.0.1:{free_port()}/0")

        with pytest.raises(QueueUnavailable):
            CeleryDispatch(app).send(call(datetime.now(UTC) + MINUTE))


class TestTicking:
    def test_ticks_do_not_pile_up_without_a_worker(self, celery: Celery, redis_client: redis.Redis) -> None:
        ticker = Ticker(celery)

        for _ in range(2 * MOST_WAITING):
            for entry in ticker.schedule.values():
                ticker.apply_entry(entry)

        assert redis_client.llen(KEYS + "dispatch") == MOST_WAITING
        assert redis_client.llen(KEYS + "rules") == MOST_WAITING

    def test_a_broker_that_is_away_is_said_once_until_it_is_back(
        self, valkey: RunningServer, tmp_path: Path
    ) -> None:
        app = make_celery(lambda: valkey.url)
        ticker = Ticker(app)
        entry = ticker.schedule["dispatch"]
        ticker.apply_entry(entry)
        valkey.stop()

        with capture_logs() as logs:
            for _ in range(3):
                ticker.apply_entry(entry)
            with restarted(valkey, tmp_path):
                ticker.apply_entry(entry)
                ticker.apply_entry(entry)
                app.close()

        assert [entry["event"] for entry in logs] == ["beat.waits", "beat.goes_on"]

    def test_a_tick_that_cannot_be_told_of_is_a_tick(
        self, celery: Celery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[str] = []

        def fail() -> None:
            raise ValueError("redis://:secret@nowhere")

        monkeypatch.setattr(Ticker, "on_tick", [fail, lambda: told.append("told")])
        ticker = Ticker(celery)
        entry = ticker.schedule["dispatch"]

        with capture_logs() as logs:
            ticker.apply_entry(entry)
            ticker.apply_entry(entry)

        assert told == ["told", "told"]
        assert [(line["event"], line["error"]) for line in logs] == [("beat.tick_not_told", "ValueError")]


class World:
    """Awards that are due in a SQLite database, a sandbox to issue them at, and task workers."""

    def __init__(self, spawn: Spawn, folder: Path, redis_url: str) -> None:
        self._spawn = spawn
        self._folder = folder
        self.sandbox_url = ""
        self.database_url = f"sqlite:///{folder / 'badge-worker.db'}"
        self.redis_url = redis_url
        self.ground = Ground(make_engine(self.database_url))

    def start(self, *args: str, **settings: str) -> Spawned:
        env = {
            "DATABASE_URL": self.database_url,
            "BROKER_URL": self.redis_url,
            "REDIS_URL": self.redis_url,
            "ISSUER_ACADEMY_USERNAME": "academy",
            "ISSUER_ACADEMY_PASSWORD": "a password",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "info",
            **settings,
        }
        named = {f"BADGE_WORKER_{name}": value for name, value in env.items()}
        return self._spawn([sys.executable, *args], named, self._folder)

    def has_due(self, *user_ids: str) -> None:
        now = datetime.now(UTC)
        for user_id in user_ids:
            profile = registered(now, user_id, email=f"{user_id}@example.org")
            self.ground.ingest(profile, enrolled(now, user_id))

    def slow_down(self, seconds: float) -> None:
        rule = {
            "fault": "slow",
            "path": "/v2/badgeclasses/",
            "method": "POST",
            "times": 1,
            "seconds": seconds,
        }
        httpx.post(f"{self.sandbox_url}/sandbox/faults", json=[rule]).raise_for_status()

    def held(self) -> list[str]:
        answer = httpx.get(f"{self.sandbox_url}/sandbox/assertions").json()
        return sorted(each["recipient"] for each in answer)

    def is_under_way(self) -> bool:
        return any(self.ground.column("sent_at").values())

    def let_the_lease_run_out(self) -> None:
        """Put the sending so far back that its lease has ended and the provider has settled."""
        long_ago = datetime.now(UTC) - 10 * MINUTE
        self.ground.set_awards(sent_at=long_ago, lease_until=long_ago + MINUTE)


@pytest.fixture
def world(spawn: Spawn, tmp_path: Path, redis_url: str) -> Iterator[World]:
    made = World(spawn, tmp_path, redis_url)
    options = SandboxOptions(badgeclasses=[SeedBadgeClass("class-starter", "Starter", "academy")])
    with running(options) as url:
        made.sandbox_url = url
        issuer = {"provider": "badgr", "url": url, "settle_after": "1s", "timeout": "10s"}
        starter = badge({"lp_enroll": {"learning_path_id": "40"}}, issued=True)
        upgrade(made.ground.engine)
        apply(made.ground.database, read(definitions({"starter": starter}, academy=issuer)))
        yield made
    made.ground.engine.dispose()


def lines(spawned: Spawned, event: str) -> list[dict[str, Any]]:
    """Return the log lines of one event."""
    found = [json.loads(line) for line in spawned.output().splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def restore_soon(client: redis.Redis) -> None:
    """Let the visibility timeout of what the killed worker held be over."""
    held: Any = client.zrange(KEYS + "unacked_index", 0, -1)
    assert held
    client.zadd(KEYS + "unacked_index", dict.fromkeys(held, 0))


def test_a_task_of_a_killed_worker_comes_again_and_doubles_nothing(
    world: World, celery: Celery, redis_client: redis.Redis
) -> None:
    world.has_due("ada")
    world.slow_down(3)
    killed = world.start(*WORKER)
    wait_until(world.is_under_way, PATIENCE, "a call under way")
    killed.signal(signal.SIGKILL)
    killed.wait()
    restore_soon(redis_client)

    survivor = world.start(*WORKER)
    wait_until(lambda: "awards.issue" in survivor.output(), PATIENCE, "the task of the killed one")
    wait_until(lambda: not redis_client.zcard(KEYS + "unacked_index"), PATIENCE, "nothing unacknowledged")
    states_before = world.ground.states()
    world.let_the_lease_run_out()
    CeleryDispatch(celery).nudge()
    wait_until(lambda: world.ground.states() == {"ada": "issued"}, PATIENCE, "the award settled")

    assert states_before == {"ada": "issuing"}
    assert world.held() == ["ada@example.org"]


def test_a_pool_process_that_is_killed_loses_and_doubles_nothing(world: World) -> None:
    world.has_due("ada", "bob")
    world.slow_down(3)
    worker = world.start(*WORKER, "-P", "prefork", "-c", "2")
    wait_until(world.is_under_way, PATIENCE, "a call under way")
    for pid in children_of(worker.pid):
        os.kill(pid, signal.SIGKILL)

    wait_until(lambda: "WorkerLostError" in worker.output(), PATIENCE, "the loss is noticed")
    world.let_the_lease_run_out()
    wait_until(lambda: set(world.ground.states().values()) == {"issued"}, PATIENCE, "all awards settled")

    assert world.held() == ["ada@example.org", "bob@example.org"]


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_new_worker_discards_ticks_that_expired_and_dispatches_at_once(
    world: World, celery: Celery, redis_client: redis.Redis
) -> None:
    ticker = Ticker(celery)
    for entry in ticker.schedule.values():
        entry.options = {"expires": -1}
    for _ in range(20):
        for entry in ticker.schedule.values():
            ticker.apply_entry(entry)
    world.has_due("ada")

    worker = world.start(*WORKER, DATABASE_URL=f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none")
    wait_until(lambda: lines(worker, "task.failed"), PATIENCE, "the dispatch of its own")
    wait_until(lambda: not redis_client.exists(KEYS + "dispatch", KEYS + "rules"), PATIENCE, "empty queues")

    assert [line["task"] for line in lines(worker, "task.failed")] == ["awards.dispatch"]


def test_a_task_without_its_database_says_so_in_one_line(world: World, celery: Celery) -> None:
    worker = world.start(*WORKER, DATABASE_URL=f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none")
    celery.send_task("rules.sweep")

    wait_until(lambda: len(lines(worker, "task.failed")) == 2, PATIENCE, "two tasks that failed")
    worker.signal(signal.SIGTERM)

    assert worker.wait() == 0
    assert {(line["task"], line["level"]) for line in lines(worker, "task.failed")} == {
        ("awards.dispatch", "warning"),
        ("rules.sweep", "warning"),
    }
    assert "Traceback" not in worker.output()
    assert "raised expected" not in worker.output()


@pytest.mark.parametrize(
    ("command", "variable", "value", "said"),
    [
        pytest.param(WORKER, "BROKER_URL", "", "missing", id="worker, no broker"),
        pytest.param(WORKER, "BROKER_URL", "nonsense://hidden@host", "not a", id="worker, no such broker"),
        pytest.param(WORKER, "REDIS_URL", "", "missing", id="worker, no Redis"),
        pytest.param(WORKER, "REDIS_URL", "nonsense://hidden@host", "not an", id="worker, no such Redis"),
        pytest.param(WORKER, "DATABASE_URL", "mysql://hidden@host/x", "", id="worker, no such database"),
        pytest.param(WORKER, "TIME_ZONE", "Mars/Base", "a time zone", id="worker, any other setting"),
        pytest.param(BEAT, "BROKER_URL", "", "missing", id="beat, no broker"),
    ],
)
def test_a_wrong_setting_ends_a_celery_command_with_one_line(
    world: World, command: tuple[str, ...], variable: str, value: str, said: str
) -> None:
    started = world.start(*command, **{variable: value})

    assert started.wait(PATIENCE) == 2
    assert started.output().startswith(f"badge-worker: BADGE_WORKER_{variable}: {said}")
    assert len(started.output().splitlines()) == 1
    assert "hidden" not in started.output()


def test_beat_needs_neither_redis_nor_a_database(world: World, redis_client: redis.Redis) -> None:
    world.start(*BEAT, REDIS_URL="", DATABASE_URL="")

    wait_until(lambda: redis_client.llen(KEYS + "dispatch"), PATIENCE, "a tick")

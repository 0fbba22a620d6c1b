"""What can be seen of separate processes from outside: their metrics, and their tasks in Flower."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conftest import SPAWNED
from tests.e2e.deployment import (
    ADDRESS_MARK,
    BEAT,
    CONSUMER,
    FLOWER_USER,
    PATIENCE,
    SECRET_MARK,
    WORKER,
    Deployment,
)
from tests.e2e.test_processes import definitions, starts
from tests.support.bodies import event
from tests.support.scraping import Scrape, scrape
from tests.support.waiting import wait_until
from tests.unit.test_monitoring_config import explained_labels, labels_of
from worker.adapters.database.engine import make_engine
from worker.adapters.database.store import Database
from worker.adapters.embedded import free_port, start_valkey
from worker.ports import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.services import Postgres

KEY = "0123456789abcdef0123456789abcdef"
ROOT = Path(__file__).parents[2]


@dataclass
class Watched:
    """A deployment of which every process serves metrics, its task worker with a pool of processes."""

    deployment: Deployment
    urls: dict[str, str]
    flower: str

    def scrape(self, process: str) -> Scrape:
        return scrape(self.urls[process])


@pytest.fixture(scope="module")
def everything(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("monitoring")
    with ExitStack() as stack:
        database_url = stack.enter_context(postgres_server.database())
        valkey = stack.enter_context(start_valkey(folder / "valkey", persistent=False))
        made = Deployment(stack, folder, database_url, valkey.url)
        badges = made.start_sandbox(definitions())
        made.run("db", "upgrade")
        made.run("badges", "apply", str(badges), "--yes")
        commands = {
            "consumer": CONSUMER,
            "worker": (*WORKER, "--pool=prefork", "--concurrency=2"),
            "beat": BEAT,
            "serve": ("-m", "worker", "serve"),
        }
        urls = {}
        for name, command in commands.items():
            port = free_port()
            made.start(name, *command, metrics_port=port, web_port=free_port(), secret_key=KEY)
            urls[name] = f"http://127.0.0.1:{port}"
        watched = Watched(made, urls, made.start_flower())
        for url in (*urls.values(), watched.flower):
            wait_until(partial(answers, url), PATIENCE, f"{url} answers")
        let_things_happen(made)
        yield watched


@pytest.fixture
def watched(everything: Watched, request: pytest.FixtureRequest) -> Watched:
    """What every process printed is shown when the test fails."""
    request.node.stash[SPAWNED] = everything.deployment.started
    return everything


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).status_code < httpx.codes.INTERNAL_SERVER_ERROR
    except httpx.TransportError:
        return False


def let_things_happen(deployment: Deployment) -> None:
    """One call fails and is made again; one event is of a type that nobody knows, one is none."""
    fault = {"fault": "error_before", "path": "/v2/badgeclasses/", "method": "POST", "times": 1}
    httpx.post(f"{deployment.sandbox_url}/sandbox/faults", json=[fault]).raise_for_status()
    now = datetime.now(UTC)
    deployment.publish(b"no event", event("coffee.drunk", now, user_id="ada"), *starts("ada"))
    deployment.awaited_assertion("ada")
    wait_until(lambda: deployment.states("ada") == ["issued"], PATIENCE, "an award issued")


def test_the_consumer_says_what_became_of_events(watched: Watched) -> None:
    found = watched.scrape("consumer")

    assert found.one("events_total", type="user.registered.v1", outcome="taken") == 1
    assert found.one("events_total", type="learning_path.enrolled.v1", outcome="taken") == 1
    assert found.one("events_total", type="unknown", outcome="ignored") == 1
    assert found.one("events_total", outcome="refused") == 1
    assert found.one("awards_decided_total") == 1
    assert found.one("batch_events_sum") == 4
    assert found.one("batch_seconds_count") >= 1


def test_the_parent_counts_every_call_of_its_children_once(watched: Watched) -> None:
    calls = httpx.get(f"{watched.deployment.sandbox_url}/sandbox/calls", timeout=10).json()

    found = watched.scrape("worker")

    assert found.sum("provider_calls_total") == len(calls)
    assert found.one("provider_calls_total", operation="POST badgeclasses/assertions", outcome="failed") == 1
    assert found.one("provider_calls_total", operation="POST badgeclasses/assertions", outcome="done") == 1
    assert found.one("provider_call_seconds_count", issuer="academy") == len(calls)
    assert found.sum("tasks_total", task="awards.dispatch", outcome="success") > 0


def test_what_a_dead_child_counted_stays(watched: Watched) -> None:
    before = watched.scrape("worker")
    parent = watched.deployment.processes["worker"].pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()

    for child in children:
        os.kill(int(child), signal.SIGKILL)
    for body in starts("grace"):
        watched.deployment.publish(body)
    watched.deployment.awaited_assertion("grace")

    wait_until(
        lambda: (
            watched.scrape("worker").sum("provider_calls_total", outcome="done")
            > before.sum("provider_calls_total", outcome="done")
        ),
        PATIENCE,
        "one more call",
    )
    after = watched.scrape("worker")
    assert after.one("provider_calls_total", outcome="failed") == 1


def test_beat_and_the_web_application_say_how_things_stand(watched: Watched) -> None:
    for process in ("beat", "serve"):
        found = watched.scrape(process)
        assert found.one("awards", state="issued") >= 1
        assert found.one("awards", state="failed") == 0
        assert found.one("dead_letters") == 1
        assert found.one("queue_lag_messages") == 0
        assert found.one("queue_lag_seconds") == 0
        assert 0 < found.one("permits_left", issuer="academy") <= 1000
        assert found.one("rules_version") == 1
        assert found.one("badge_last_earned_timestamp_seconds", badge="starter") > found.one(
            "badge_created_timestamp_seconds", badge="starter"
        )
        assert found.sum("scrape_error") == 0
        assert abs(found.one("beat_last_tick_timestamp_seconds") - datetime.now(UTC).timestamp()) < 60


def flower_tasks(watched: Watched) -> list[dict[str, Any]]:
    answer = httpx.get(f"{watched.flower}/api/tasks", auth=FLOWER_USER, timeout=20)
    tasks: dict[str, dict[str, Any]] = answer.raise_for_status().json()
    return list(tasks.values())


def test_flower_shows_a_call_that_failed_and_those_that_followed(watched: Watched) -> None:
    def seen() -> set[tuple[str, str, str]]:
        found = {(each["name"], each["state"], said(each)) for each in flower_tasks(watched)}
        return found if ("awards.issue", "SUCCESS", "1 issued") in found else set()

    found = wait_until(seen, PATIENCE, "an award issued, in Flower")

    assert ("awards.issue", "FAILURE", "1 uncertain") in found
    assert ("awards.look_up", "SUCCESS", "1 not there") in found
    arguments = [each["kwargs"] for each in flower_tasks(watched) if each["name"] == "awards.issue"]
    assert all(each.startswith("{'issuer': 'academy', 'awards': 1, 'lease': '") for each in arguments)
    assert all(each.endswith("'badge': 'starter'}") for each in arguments)


def test_flower_shows_what_is_revoked(watched: Watched) -> None:
    watched.deployment.run("awards", "revoke", "ada", "starter", "--reason", "By mistake", "--yes")

    def seen() -> list[dict[str, Any]]:
        tasks = [each for each in flower_tasks(watched) if each["name"] == "awards.revoke"]
        return [each for each in tasks if each["state"] == "SUCCESS"]

    (found,) = wait_until(seen, PATIENCE, "a revocation in Flower")
    assert said(found) == "1 revoked"
    assert found["kwargs"].startswith("{'issuer': 'academy', 'awards': 1, 'lease': '")


def said(task: dict[str, Any]) -> str:
    """Return what became of a task, as Flower shows it: the result's or the error's repr."""
    told = str(task["result"] or task["exception"])
    return told.removeprefix("CallFailed(").strip("')\"")


def test_flower_shows_how_far_an_evaluation_is(watched: Watched) -> None:
    engine = make_engine(watched.deployment.env["BADGE_WORKER_DATABASE_URL"])
    Database(engine).evaluate_all(Reason.ASKED, {"starter"}, None)
    engine.dispose()

    def seen() -> list[str]:
        tasks = [each for each in flower_tasks(watched) if each["name"] == "rules.evaluate"]
        return [
            each["result"] for each in tasks if "'asked'" in each["kwargs"] and each["state"] == "SUCCESS"
        ]

    assert "people looked at, 0 new awards" in wait_until(seen, PATIENCE, "an evaluation in Flower")[0]


def test_flower_is_not_drowned_by_ticks(watched: Watched) -> None:
    ticked = watched.scrape("worker").sum("tasks_total", task="rules.sweep", outcome="success")

    names = {each["name"] for each in flower_tasks(watched)}

    assert ticked > 0
    assert names == {"awards.issue", "awards.look_up", "awards.revoke", "rules.evaluate"}


def test_flower_shows_nobodys_address_and_asks_for_a_password(watched: Watched) -> None:
    shown = json.dumps(flower_tasks(watched))

    assert ADDRESS_MARK not in shown
    assert SECRET_MARK not in shown
    assert httpx.get(f"{watched.flower}/api/tasks", timeout=20).status_code == httpx.codes.UNAUTHORIZED


def asked_for() -> set[str]:
    """Return every sample that the dashboard, the alerts and the documentation name."""
    texts = [
        (ROOT / path).read_text()
        for path in ("config/alerts.yml", "config/grafana/dashboards/badge-worker.json", "docs/monitoring.md")
    ]
    return set(re.findall(r"\bbadge_worker_[a-z_]+\b", "".join(texts)))


def test_everything_that_is_asked_for_is_told_and_everything_told_is_explained(watched: Watched) -> None:
    found = [watched.scrape(process) for process in watched.urls]
    told = {name for each in found for name in each.possible if name.startswith("badge_worker_")}
    families = {name for each in found for name in each.families if name.startswith("badge_worker_")}
    explained = set(re.findall(r"`(badge_worker_[a-z_]+)`", (ROOT / "docs" / "monitoring.md").read_text()))

    assert asked_for() - told - families == set()
    assert {each for scraped in found for each in unexplained_labels(scraped)} == set()
    assert {name for name in families if name not in explained and f"{name}_total" not in explained} == set()


def unexplained_labels(found: Scrape) -> Iterator[tuple[str, str]]:
    """Yield each label of ours that the documentation does not give its metric."""
    explained = explained_labels()
    for sample in found.samples:
        if sample.name.startswith("badge_worker_"):
            known = labels_of(sample.name, explained) | {"le"}
            yield from ((sample.name, label) for label in sample.labels.keys() - known)


def test_nobody_is_told_addresses_or_secrets(watched: Watched) -> None:
    told = [httpx.get(f"{url}/metrics", timeout=20).text for url in watched.urls.values()]

    told.append(watched.deployment.output())  # of Flower, too
    assert not [text for text in told if ADDRESS_MARK in text or SECRET_MARK in text]

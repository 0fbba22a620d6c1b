"""Separate processes on a real PostgreSQL and a real Valkey: from XADD to an assertion at the provider."""

from __future__ import annotations

import signal
import statistics
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conftest import SPAWNED
from tests.e2e.deployment import (
    ADDRESS_MARK,
    BEAT,
    CONSUMER,
    NAME_MARK,
    PATIENCE,
    SECRET_MARK,
    STREAM,
    WORKER,
    Deployment,
    address,
)
from tests.e2e.marked import assert_unmarked, knocks, person, walk_through_admin
from tests.support.bodies import completed, enrolled, event, registered, updated
from tests.support.waiting import wait_until
from worker.adapters.embedded import free_port, start_valkey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.services import Postgres

MONTH = 30 * 86400
SAMPLES = 20


def definitions() -> dict[str, Any]:
    criteria: dict[str, Any] = {
        "starter": {"lp_enroll": {"learning_path_id": "40"}},
        "veteran": {"registered_for": {"threshold": MONTH}},
    }
    badges = {
        name: {
            "title": name,
            "picture": f"https://example.org/{name}.png",
            "issue": {"issuer": "academy", "badgeclass": name.ljust(22, "0")},
            "criteria": criterion,
        }
        for name, criterion in criteria.items()
    }
    # No limit that matters: what is measured here is how quick the processes are.
    issuer = {
        "provider": "badgr",
        "url": "https://api.badgr.io",
        "rate_limit": "1000/10s",
        "settle_after": "3s",
    }
    partner = {**issuer, "provider": "credly", "url": "https://api.credly.com/v1", "organization": "ORG"}
    badges["graduate"] = {
        "title": "graduate",
        "picture": "https://example.org/graduate.png",
        "issue": {"issuer": "partner", "template": "f3d60253-ee6a"},
        "criteria": {"lp_complete": {"learning_path_id": "77"}},
    }
    return {"issuers": {"academy": issuer, "partner": partner}, "badges": badges}


# Started once for all of them.
@pytest.fixture(scope="module")
def everything(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployment")
    with ExitStack() as stack:
        database_url = stack.enter_context(postgres_server.database())
        valkey = stack.enter_context(start_valkey(folder / "valkey", persistent=False))
        made = Deployment(stack, folder, database_url, valkey.url)
        badges = made.start_sandbox(definitions())
        made.run("db", "upgrade")
        made.run("badges", "apply", str(badges), "--yes")
        made.start("consumer", *CONSUMER)
        made.start("worker", *WORKER)
        made.start("beat", *BEAT)
        yield made


@pytest.fixture
def deployment(everything: Deployment, request: pytest.FixtureRequest) -> Deployment:
    """What every process printed is shown when the test fails."""
    request.node.stash[SPAWNED] = everything.started
    return everything


def starts(user_id: str, email: str | None = None) -> list[bytes]:
    now = datetime.now(UTC)
    return [registered(now, user_id, email=email or address(user_id)), enrolled(now, user_id)]


def test_an_event_put_on_the_stream_by_anybody_ends_as_an_assertion(deployment: Deployment) -> None:
    seconds = []
    for number in range(SAMPLES):
        user_id = f"quick-{number}"
        deployment.publish(starts(user_id)[0])
        published = time.monotonic()
        deployment.publish(starts(user_id)[1])
        assertion = deployment.awaited_assertion(user_id)
        seconds.append(time.monotonic() - published)
        assert assertion["badgeclass"] == "starter".ljust(22, "0")

    median, longest = statistics.median(seconds), max(seconds)
    print(f"XADD to assertion: median {median:.2f} s, longest {longest:.2f} s")  # noqa: T201 # shown by -s


def test_an_award_waits_for_an_address_and_goes_out_when_there_is_one(deployment: Deployment) -> None:
    now = datetime.now(UTC)
    deployment.publish(registered(now, "nameless"), enrolled(now, "nameless"))
    wait_until(lambda: deployment.states("nameless") == ["waiting"], PATIENCE, "an award that waits")

    deployment.publish(updated(now + timedelta(seconds=1), "nameless", email=address("nameless")))

    assert deployment.awaited_assertion("nameless")["badgeclass"] == "starter".ljust(22, "0")
    wait_until(lambda: deployment.states("nameless") == ["issued"], PATIENCE, "an award issued")


def test_an_account_comes_of_age_while_everything_runs(deployment: Deployment) -> None:
    due = datetime.now(UTC) + timedelta(seconds=3)

    deployment.publish(registered(due - timedelta(seconds=MONTH), "elder", email=address("elder")))

    assertion = deployment.awaited_assertion("elder")
    assert assertion["badgeclass"] == "veteran".ljust(22, "0")
    assert datetime.fromisoformat(assertion["issuedOn"]) == due


def test_without_beat_nudges_move_the_work(deployment: Deployment) -> None:
    assert deployment.stop("beat") == 0

    deployment.publish(*starts("unscheduled"))

    assert deployment.awaited_assertion("unscheduled")
    deployment.start("beat", *BEAT)


def test_without_a_task_worker_awards_stay_pending_and_go_out_when_one_starts(deployment: Deployment) -> None:
    assert deployment.stop("worker") == 0

    deployment.publish(*starts("patient"))
    wait_until(lambda: deployment.states("patient") == ["pending"], PATIENCE, "an award that is due")
    assert deployment.assertions("patient") == []
    deployment.start("worker", *WORKER)

    assert deployment.awaited_assertion("patient")


def test_a_consumer_that_is_stopped_leaves_nothing_undone(deployment: Deployment) -> None:
    code = deployment.stop("consumer")
    deployment.publish(*starts("early"))
    deployment.start("consumer", *CONSUMER)

    assert code == 128 + signal.SIGTERM
    assert deployment.awaited_assertion("early")
    wait_until(lambda: deployment.redis.xlen(STREAM) == 0, PATIENCE, "an empty stream")


def test_no_process_ever_prints_an_address_a_name_or_a_secret(deployment: Deployment, tmp_path: Path) -> None:
    """Things go wrong here that have them in their hands: bad events and requests, refusals, a 500."""
    fault = {"fault": "error_before", "path": "/v2/badgeclasses/", "method": "POST", "times": 1}
    httpx.post(f"{deployment.sandbox_url}/sandbox/faults", json=[fault]).raise_for_status()
    deployment.publish(
        event("user.registered", datetime.now(UTC), email=address("nobody"), first_name=NAME_MARK),
        address("no-event").encode(),
        person("door"),
        *starts("first"),
    )
    deployment.awaited_assertion("first")
    deployment.publish(*starts("second", email=address("first")), *starts("third", email=f"@{ADDRESS_MARK}"))
    awaited = [["failed"], ["failed"]]
    wait_until(lambda: [*map(deployment.states, ("second", "third"))] == awaited, PATIENCE, "two refusals")
    graduate_twice(deployment)
    go_through_every_door(deployment)
    run_what_operators_run(deployment, tmp_path)

    tokens = deployment.tokens()
    deployment.stop_all()

    printed = deployment.output()
    assert all(event in printed for event in ("event.refused", "award.failed", "request.answered"))
    assert_unmarked(printed)
    assert tokens
    assert not [token for token in tokens if token in printed]


def graduate_twice(deployment: Deployment) -> None:
    """Two people with one address earn the badge of the other provider, whose first answer is lost."""
    fault = {"fault": "error_after", "path": "/v1/organizations/", "method": "POST", "times": 1}
    httpx.post(f"{deployment.sandbox_url}/sandbox/faults", json=[fault]).raise_for_status()
    for user_id, state in (("graduate", "issued"), ("twin", "failed")):
        deployment.publish(person(user_id, address("graduate")), completed(datetime.now(UTC), user_id, "77"))
        await_state(deployment, user_id, state)


def await_state(deployment: Deployment, user_id: str, state: str) -> None:
    wait_until(lambda: deployment.states(user_id) == [state], PATIENCE, f"{user_id}'s award {state}")


def go_through_every_door(deployment: Deployment) -> None:
    url = deployment.start_web()
    for knock in knocks():
        answer = httpx.request(
            knock.method, f"{url}{knock.path}", headers=knock.headers, content=knock.content, timeout=20
        )
        assert answer.status_code == knock.expected, (knock, answer.text)
    walk_through_admin(url)


def run_what_operators_run(deployment: Deployment, folder: Path) -> None:
    """All but what shows the body of a dead letter, which is for showing it."""
    (folder / "bad.jsonl").write_bytes(
        b"\n".join([address("line").encode(), *starts("published"), person("")])
    )
    for words, code in (
        (("doctor",), 0),
        (("publish", str(folder / "bad.jsonl")), 1),
        (("explain", "second"), 0),
        (("reconcile",), 0),
        (("users", "forget", "door", "--yes"), 0),
    ):
        command = deployment.start("-".join(words[:2]).replace("/", "-"), "-m", "worker", *words)
        assert command.wait(PATIENCE) == code, command.output()


def test_neither_does_one_that_cannot_reach_anything(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        broken = Deployment(
            stack, tmp_path, f"postgresql+psycopg://me@{nowhere}/none", f"redis://{nowhere}/0"
        )
        broken.start("consumer", *CONSUMER).wait_for("consumer.waits", PATIENCE)
        broken.start("worker", *WORKER).wait_for("Cannot connect", PATIENCE)
        broken.start("beat", *BEAT).wait_for("Connection error", PATIENCE)
        rabbit = f"amqp://me:{SECRET_MARK}@{nowhere}/%2F"
        of_rabbit = {"events_url": f"{rabbit}?queue=badge-events", "broker_url": rabbit}
        broken.start("consumer of RabbitMQ", *CONSUMER, **of_rabbit).wait_for("consumer.waits", PATIENCE)
        broken.start("worker of RabbitMQ", *WORKER, **of_rabbit).wait_for("Cannot connect", PATIENCE)

        codes = {name: broken.stop(name) for name in broken.processes}

    assert codes == {
        "consumer": 128 + signal.SIGTERM,
        "worker": 0,
        "beat": 0,
        "consumer of RabbitMQ": 128 + signal.SIGTERM,
        "worker of RabbitMQ": 0,
    }
    assert SECRET_MARK not in broken.output()
    assert "Traceback" not in broken.output()

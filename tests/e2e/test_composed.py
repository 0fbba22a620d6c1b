"""What docker-compose.yml starts works together: commands, checks, settings and secrets, without Docker."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import yaml

from tests.conftest import SPAWNED
from tests.e2e.composed import ROOT, Service
from tests.support.bodies import enrolled, registered
from tests.support.processes import Spawned, spawn
from tests.support.waiting import wait_until
from worker.adapters.embedded import start_valkey
from worker.adapters.queues import open_queue
from worker.sandbox import SandboxOptions, SeedBadgeClass, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Spawn
    from tests.support.services import Postgres

PATIENCE = 90.0  # seconds; a busy machine may be slow, and nothing here is a matter of time
LASTING = ("consumer", "worker", "beat", "web", "flower")
BADGECLASS = "K829IK8RS6ercwkpeFOn-Q"


@dataclass
class Composed:
    """All services of ours, and what somebody who made the secrets by the script knows."""

    services: dict[str, Service]
    processes: dict[str, Spawned]
    secrets: Path
    token: str
    sandbox_url: str


@pytest.fixture(scope="module")
def everything(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    folder = tmp_path_factory.mktemp("composed")
    with ExitStack() as stack:
        token = make_secrets(folder)
        secrets = folder / "config" / "secrets"
        valkey = stack.enter_context(start_valkey(folder / "valkey", persistent=False))
        options = SandboxOptions(badgeclasses=(SeedBadgeClass(BADGECLASS, "First steps", "academy"),))
        sandbox_url = stack.enter_context(running(options))
        (secrets / "database_url").unlink()
        (secrets / "database_url").write_text(stack.enter_context(postgres_server.database()))
        moved = {
            "/run/secrets": str(secrets),
            "/app/config/badges.yaml": str(badges_file(folder, sandbox_url)),
            "redis://redis:6379": valkey.url.rsplit("/", 1)[0],
            "0.0.0.0": "127.0.0.1",  # noqa: S104 # where a container listens
        }
        services = {name: Service(name, folder, moved) for name in ("migrate", *LASTING)}
        made = Composed(services, {}, secrets, token, sandbox_url)
        for name, service in services.items():
            log = folder / f"{name}.log"
            made.processes[name] = stack.enter_context(spawn(service.command(), log, cwd=service.home))
            if name == "migrate":
                assert made.processes[name].wait(PATIENCE) == 0, made.processes[name].output()
        yield made


def make_secrets(folder: Path) -> str:
    """Make them as an operator does, and return the token that is shown."""
    (folder / "config" / "secrets").mkdir(parents=True)
    script = shutil.copy(ROOT / "config" / "make-secrets.sh", folder / "config")
    made = subprocess.run(
        [script, "badges@example.org"], input="hunter2\n", capture_output=True, text=True, check=True
    )
    return made.stdout.split()[-1]


def badges_file(folder: Path, sandbox_url: str) -> Path:
    """Return the badges file that comes along, with the sandbox in the provider's place."""
    definitions = yaml.safe_load((ROOT / "config" / "badges.yaml").read_text("utf-8"))
    definitions["issuers"]["academy"]["url"] = sandbox_url
    file = folder / "badges.json"
    file.write_text(json.dumps(definitions))
    return file


@pytest.fixture
def composed(everything: Composed, request: pytest.FixtureRequest) -> Composed:
    """What every process printed is shown when the test fails."""
    request.node.stash[SPAWNED] = list(everything.processes.values())
    return everything


def test_every_service_is_healthy_by_its_own_check_and_tells_prometheus(composed: Composed) -> None:
    told = {}
    for name in LASTING:
        service = composed.services[name]
        wait_until(service.is_healthy, PATIENCE, f"{name} healthy")
        if name != "flower":
            told[name] = httpx.get(f"http://127.0.0.1:{service.metrics_port}/metrics", timeout=20).text

    assert [name for name, text in told.items() if "badge_worker_last_progress" not in text] == []


def test_the_token_that_was_made_opens_every_door(composed: Composed) -> None:
    now = datetime.now(UTC)
    events = [registered(now, "ada", email="ada@example.org", uuid="ada"), enrolled(now, "ada", "40")]
    url = composed.services["web"].url
    wait_until(lambda: is_ready(url), PATIENCE, "web is ready")
    headers = {"Authorization": f"Bearer {composed.token}", "Opigno-Client-UUID": "ada"}

    taken = httpx.post(
        f"{url}/events", json=[json.loads(each) for each in events], headers=headers, timeout=20
    )
    (assertion,) = wait_until(lambda: held(composed), PATIENCE, "an assertion")
    query = {"query": '{ getBadge(badgeId: "first-steps") { status } }'}
    answer = httpx.post(f"{url}/graphql", json=query, headers=headers, timeout=20)
    entered = httpx.post(f"{url}/admin/sign-in", data={"token": composed.token}, timeout=20)

    assert taken.json() == {"accepted": 2, "unknown_types": []}
    assert (assertion["recipient"], assertion["badgeclass"]) == ("ada@example.org", BADGECLASS)
    assert answer.json() == {"data": {"getBadge": {"status": "EARNED"}}}
    assert entered.status_code == httpx.codes.SEE_OTHER


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=20).is_success
    except httpx.ConnectError:
        return False


def held(composed: Composed) -> list[dict[str, str]]:
    found: list[dict[str, str]] = httpx.get(f"{composed.sandbox_url}/sandbox/assertions", timeout=10).json()
    return found


def test_the_consumer_of_the_profile_takes_events_from_rabbitmq(
    composed: Composed, amqp_url: str, spawn: Spawn
) -> None:
    (composed.secrets / "rabbitmq_events_url").write_text(amqp_url)
    service = Service("consumer-rabbitmq", composed.secrets.parent, composed.services["consumer"].moved)
    process = spawn(service.command(), cwd=service.home)
    wait_until(service.is_healthy, PATIENCE, "consumer-rabbitmq healthy")

    with closing(open_queue(amqp_url)) as queue:
        queue.publish([b"no event"])
        wait_until(lambda: "event.refused" in process.output(), PATIENCE, "what was published is taken in")

        wait_until(lambda: queue.backlog() == 0, PATIENCE, "an empty queue")


def test_flower_asks_for_the_password_that_was_made(composed: Composed) -> None:
    flower = composed.services["flower"]
    wait_until(flower.is_healthy, PATIENCE, "flower healthy")
    user, _, password = (composed.secrets / "flower_basic_auth").read_text().strip().partition(":")

    def asked(auth: tuple[str, str] | None) -> int:
        return httpx.get(f"{flower.url}/api/workers", auth=auth, timeout=20).status_code

    assert (asked(None), asked((user, "guess")), asked((user, password))) == (401, 401, 200)


def test_each_stops_in_its_time_and_writes_nowhere_but_to_tmp(composed: Composed) -> None:
    """The last one here: it ends what the others look at."""
    wait_until(composed.services["worker"].is_healthy, PATIENCE, "worker healthy")
    wait_until(composed.services["flower"].is_healthy, PATIENCE, "flower healthy")
    migrate = composed.services["migrate"]

    for name in LASTING:
        composed.processes[name].signal(signal.SIGTERM)
    codes = {name: composed.processes[name].wait(composed.services[name].grace) for name in LASTING}
    again = subprocess.run(migrate.command(), cwd=migrate.home, capture_output=True, text=True, check=False)

    assert codes == {"consumer": 143, "worker": 0, "beat": 0, "web": 143, "flower": 0}
    assert again.returncode == 0, again.stderr
    assert [file for service in composed.services.values() for file in service.home.iterdir()] == []

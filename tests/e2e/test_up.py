"""`badge-worker up`: everything runs, other commands use it, and its data is there again next time."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.conftest import SPAWNED
from tests.e2e.embedded import (
    PATIENCE,
    PROGRAM,
    UP,
    WORDS,
    Up,
    has,
    no_settings,
    prepared,
    run_in,
    start_up,
    starts,
)
from tests.support.processes import no_process_left
from tests.support.processes import spawn as spawn_logged
from tests.support.scraping import scrape
from tests.support.waiting import wait_until
from worker.cli.embedded import _sandbox_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Spawn

ISSUED = "SELECT 1 FROM awards WHERE state = 'issued'"
SENT = "SELECT 1 FROM awards WHERE sent_at IS NOT NULL"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return prepared(tmp_path / "home")


def four_ports() -> range:
    """Return four free ports in a row, none of those that the kernel gives to whoever asks for any."""

    def is_free(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    firsts = iter(lambda: random.randrange(20_000, 30_000), None)  # noqa: S311 # guards nothing
    return next(range(first, first + 4) for first in firsts if all(map(is_free, range(first, first + 4))))


def test_other_commands_use_what_runs_and_all_is_there_again_after_the_worst_end(
    spawn: Spawn, folder: Path
) -> None:
    (folder / "events.jsonl").write_bytes(b"\n".join([*starts("ada"), b"no event"]))
    ports = four_ports()
    (folder / ".env").write_text(f"BADGE_WORKER_METRICS_PORT={ports[0]}\n")
    with no_process_left():
        up = start_up(spawn, folder)
        published = up.command("publish", "--raw", "events.jsonl")
        wait_until(lambda: has(up.database, ISSUED), PATIENCE, "an award issued")
        awards, letters = up.command("awards", "list"), up.command("dead-letters", "list")
        second = run_in(folder, "up")
        consumer, worker, beat, web = (scrape(f"http://127.0.0.1:{port}") for port in ports)
        up.publish(*starts("bob"))
        up.process.signal(signal.SIGKILL)
        up.process.wait()
    without = run_in(folder, "awards", "list", "--json")

    again = start_up(spawn, folder)
    wait_until(lambda: again.holds("bob"), PATIENCE, "what was on the queue")

    assert published["accepted"] == 3
    assert [(award["user_id"], award["state"]) for award in awards] == [("ada", "issued")]
    assert [letter["body"] for letter in letters] == ["no event"]
    assert consumer.sum("events_total", outcome="refused") == 1
    assert worker.sum("tasks_total", task="awards.issue", outcome="success") == 1
    assert beat.one("awards", state="issued") == web.one("awards", state="issued") == 1
    assert (second.returncode, second.stderr.count("\n")) == (2, 1)
    assert "is running" in second.stderr
    assert without.returncode == 2
    assert again.command("awards", "list", "--user", "ada") == awards
    assert again.command("dead-letters", "list") == letters
    assert httpx.get(awards[0]["assertion_url"]).is_success


def test_ctrl_c_does_not_wait_for_a_slow_provider(spawn: Spawn, folder: Path) -> None:
    (folder / ".env").write_text("BADGE_WORKER_EVENTS_URL=redis://127.0.0.1:6379/0\n")
    with no_process_left():
        up = start_up(spawn, folder)
        slow = {"fault": "slow", "path": "/v2/badgeclasses/", "method": "POST", "seconds": 2 * PATIENCE}
        up.sandbox_faults(slow)
        up.publish(*starts("ada"))
        wait_until(lambda: has(up.database, SENT), PATIENCE, "a call under way")

        up.process.signal(signal.SIGINT)

        assert up.process.wait(PATIENCE) == 128 + signal.SIGINT
    assert not up.run_file.exists()
    # Said at the start: the file .env keeps other commands in the folder from using what runs here.
    assert "do not use what runs here, because of BADGE_WORKER_EVENTS_URL\n" in up.process.output()


def test_without_a_badges_file_it_says_so_in_one_line(tmp_path: Path) -> None:
    ended = run_in(tmp_path, "up")

    assert ended.returncode == 2
    assert ended.stderr.startswith("badge-worker: config/badges.yaml: ")
    assert ended.stderr.count("\n") == 1


def test_the_sandbox_keeps_its_port_unless_somebody_else_has_it(tmp_path: Path) -> None:
    first = _sandbox_port(tmp_path)
    again = _sandbox_port(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
        other.listen()

        elsewhere = _sandbox_port(tmp_path)

    assert again == first
    assert elsewhere != first
    assert _sandbox_port(tmp_path) == elsewhere


# One that runs is enough for these.
@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = prepared(tmp_path_factory.mktemp("up") / "home")
    with spawn_logged([*PROGRAM, "up"], folder / "up.log", no_settings(folder), folder) as process:
        process.wait_for(UP, PATIENCE)
        yield Up(folder, process)


@pytest.fixture
def up(running: Up, request: pytest.FixtureRequest) -> Up:
    request.node.stash[SPAWNED] = [running.process]
    return running


class TestRunning:
    def test_it_prints_its_urls(self, up: Up) -> None:
        variables, urls = up.described()["variables"], up.described()["urls"]

        printed = up.process.output()

        assert variables["BADGE_WORKER_EVENTS_URL"] in printed
        assert f"{urls['sandbox']}/sandbox/assertions" in printed
        assert urls["events"] == variables["BADGE_WORKER_EVENTS_URL"]
        assert f"{urls['web']} " in printed
        assert up.described()["token"] in printed

    def test_nobody_else_can_read_what_it_keeps(self, up: Up) -> None:
        assert up.run_file.stat().st_mode & 0o777 == 0o600
        assert (up.run_file.parent / "secret.key").stat().st_mode & 0o777 == 0o600
        assert (up.run_file.parent / "token").stat().st_mode & 0o777 == 0o600
        assert up.run_file.parent.stat().st_mode & 0o777 == 0o700

    def test_its_token_opens_the_web_and_what_comes_in_there_earns_badges(self, up: Up) -> None:
        url, token = up.described()["urls"]["web"], up.described()["token"]
        events = [json.loads(event) for event in starts("over-http")]

        ready = httpx.get(f"{url}/readyz")
        answer = httpx.post(f"{url}/events", json=events, headers={"Authorization": f"Bearer {token}"})
        without = httpx.post(f"{url}/events", json=events)

        assert (ready.status_code, answer.status_code, without.status_code) == (200, 202, 401)
        wait_until(lambda: up.holds("over-http"), PATIENCE, "the badge that they earned")

    def test_its_sandbox_stands_in_for_every_provider_when_badges_are_applied(self, up: Up) -> None:
        same = run_in(up.folder, "badges", "plan", "--detailed-exitcode")
        applied = run_in(up.folder, "badges", "apply", "--yes")

        assert (same.returncode, same.stdout) == (0, "nothing would change\n")
        assert "its sandbox stands in for academy" in same.stderr
        assert applied.returncode == 0
        up.issues("after-applying")

    def test_each_of_its_processes_says_that_it_goes_on(self, up: Up) -> None:
        checked = up.command("healthcheck")

        named = {each["process"]: each["ok"] for each in checked["processes"]}
        assert named == {"consumer": True, "task worker": True, "beat": True, "web": True}

    @pytest.mark.parametrize("part", WORDS)
    def test_a_part_that_is_killed_is_started_again(self, up: Up, part: str) -> None:
        killed = up.part(part)

        os.kill(killed, signal.SIGKILL)

        wait_until(lambda: up.part(part) != killed, PATIENCE, f"another {part}")
        up.issues(f"after-{part}")
        assert f'"part": "{part}"' in up.process.output()

"""`sandbox`: the provider's stand-in as a process."""

from __future__ import annotations

import json
import signal
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.conftest import Spawn
from tests.support import commands
from tests.support.ground import badge, definitions
from tests.support.ports import free_port
from tests.support.processes import Spawned
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

ENROLLED = {"lp_enroll": {"learning_path_id": "40"}}


@pytest.fixture
def badges_file(bare: Path) -> Path:
    """A badges file: one badge with a badge class, one of ours alone."""
    file = bare / "badges.json"
    file.write_text(json.dumps(definitions({"sent": badge(ENROLLED, issued=True), "kept": badge(ENROLLED)})))
    return file


def _url(sandbox: Spawned) -> str:
    """Return what it prints on its first line, once it listens."""
    wait_until(lambda: "\n" in sandbox.output() or sandbox.process.poll() is not None)
    first = sandbox.output().partition("\n")[0]
    assert first.startswith("http://127.0.0.1:")
    return first


def _client(url: str) -> httpx.Client:
    answer = httpx.post(f"{url}/o/token", data={"username": "me", "password": "any"})
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {answer.json()['access_token']}"})


def test_the_badge_classes_of_a_badges_file_are_there_and_stay_in_the_data_file(
    bare: Path, badges_file: Path, spawn: Spawn
) -> None:
    data = bare / "sandbox.db"
    first = spawn([*commands.PROGRAM, "sandbox", "--data", data, "--badges", badges_file])
    with _client(_url(first)) as client:
        made = client.post(
            "/v2/badgeclasses/class-sent/assertions", json={"recipient": {"identity": "ada@example.org"}}
        )
    first.signal(signal.SIGTERM)
    ended = first.wait()

    second = spawn([*commands.PROGRAM, "sandbox", "--data", data])
    with _client(_url(second)) as client:
        found = client.get("/v2/badgeclasses/class-sent")
        held = client.get("/sandbox/assertions").json()
    second.signal(signal.SIGINT)

    assert made.status_code == 201
    assert (ended, second.wait()) == (143, 130)
    assert found.json()["result"][0]["name"] == "A badge"
    assert [each["recipient"] for each in held] == ["ada@example.org"]


def test_port_rate_limit_and_public_url_are_as_told(spawn: Spawn, bare: Path, badges_file: Path) -> None:
    del bare
    port = free_port()
    words = ["--port", str(port), "--rate-limit", "2/60s", "--public-url", "https://badges.example.org"]
    sandbox = spawn([*commands.PROGRAM, "sandbox", *words, "--badges", badges_file])

    url = _url(sandbox)
    with _client(url) as client:  # which is the first call
        answers = [client.get("/v2/badgeclasses/class-sent") for _ in range(2)]

    assert url == f"http://127.0.0.1:{port}"
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0].json()["result"][0]["openBadgeId"].startswith("https://badges.example.org/")


@pytest.mark.parametrize("limit", ["many", "0/60s", "100"])
def test_a_rate_limit_that_cannot_be_read_is_wrong_usage(bare: Path, limit: str) -> None:
    del bare

    ended = commands.run("sandbox", "--rate-limit", limit)

    assert ended.code == 2
    assert ended.err.startswith("badge-worker: --rate-limit: ")
    assert "100/60s" in ended.err


def test_a_port_that_is_taken_is_one_line(bare: Path) -> None:
    del bare
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ended = commands.run("sandbox", "--port", str(port))

    assert ended.code == 2
    assert ended.err == f"badge-worker: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_wrong_badges_file_is_not_served(bare: Path) -> None:
    file = bare / "badges.json"
    file.write_text('{"badges": {"one": {}}}')

    ended = commands.run("sandbox", "--badges", file)

    assert ended.code == 2
    assert f"badge-worker: {file}:1: badges.one" in ended.err

"""`badge-worker serve`: it starts with settings that can be used, and ends as it is told to."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support import commands, web_site
from tests.support.ports import free_port
from worker.settings import PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Spawn

PATIENCE = 60.0


def variables(sqlite_url: str, redis_url: str, **others: str) -> dict[str, str]:
    given = {
        "DATABASE_URL": sqlite_url,
        "EVENTS_URL": redis_url,
        "BROKER_URL": redis_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "k" * 32,
        "API_TOKENS": web_site.TOKENS,
    }
    return {PREFIX + name: value for name, value in (given | others).items() if value}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_its_signs_of_life(
    spawn: Spawn, tmp_path: Path, sqlite_url: str, redis_url: str, number: signal.Signals
) -> None:
    port = free_port()
    env = {**os.environ, "TMPDIR": str(tmp_path), **variables(sqlite_url, redis_url, WEB_PORT=str(port))}
    process = spawn([sys.executable, "-m", "worker", "serve"], env, tmp_path)
    process.wait_for(f"http://127.0.0.1:{port}\n", PATIENCE)
    alive = httpx.get(f"http://127.0.0.1:{port}/healthz").status_code
    signs = list(tmp_path.glob("badge-worker-*/web.*.alive"))

    process.signal(number)

    assert process.wait(PATIENCE) == 128 + number
    assert (alive, len(signs)) == (200, 1)
    assert list(tmp_path.glob("badge-worker-*/*")) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param({"SECRET_KEY": ""}, "BADGE_WORKER_SECRET_KEY: missing", id="no-key"),
        pytest.param({"API_TOKENS": "lms"}, "BADGE_WORKER_API_TOKENS: entry 1: ", id="a-token-list"),
        pytest.param(
            {"API_JWKS_URL": "https://a.example/"}, "BADGE_WORKER_API_JWT_ISSUER: ", id="half-a-jwt"
        ),
        pytest.param({"EVENTS_URL": ""}, "BADGE_WORKER_EVENTS_URL: missing", id="no-queue"),
        pytest.param({"OPIGNO_WEBHOOK_PATHS": "x=y"}, "BADGE_WORKER_OPIGNO_WEBHOOK_PATHS: ", id="paths"),
    ],
)
def test_what_cannot_be_used_is_one_line_that_names_it(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in variables(sqlite_url, "redis://127.0.0.1:1/0", **given).items():
        monkeypatch.setenv(name, value)

    ended = commands.run("serve")

    assert ended.code == 2
    assert ended.err.startswith(f"badge-worker: {says}")
    assert ended.err.count("\n") == 1


def test_a_port_that_is_taken_is_named(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for name, value in variables(sqlite_url, "redis://127.0.0.1:1/0", WEB_PORT=port).items():
            monkeypatch.setenv(name, value)

        ended = commands.run("serve")

    assert ended.code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in ended.err

"""`badge-worker healthcheck`: 0 if everything long-running here goes on, else 1 and why."""

from __future__ import annotations

import os
import tempfile
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import commands
from worker import heartbeat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    heartbeat.end()


def test_nothing_that_runs_is_no_health() -> None:
    ended = commands.run("healthcheck")

    assert (ended.code, ended.out) == (1, "")
    assert "no long-running process" in ended.err


def test_all_that_runs_is_told_and_goes_on() -> None:
    heartbeat.begin("consumer")
    heartbeat.begin("web")

    ended, listed = commands.run("healthcheck"), commands.run("healthcheck", "--json")

    assert ended.code == 0
    assert ended.out.count(f"(pid {os.getpid()}) went on") == 2
    assert [each["process"] for each in listed.json["processes"]] == ["consumer", "web"]
    assert listed.json["ok"]


def test_one_that_is_silent_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat.begin("consumer")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1000)

    ended = commands.run("healthcheck", "--json")

    assert (ended.code, ended.json["ok"]) == (1, False)
    assert "1000." in ended.json["processes"][0]["detail"]


def test_a_folder_that_others_can_write_to_is_said(tmp_path: Path) -> None:
    folder = tmp_path / f"badge-worker-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)

    ended = commands.run("healthcheck")

    assert ended.code == 1
    assert "can be written to by others" in ended.err

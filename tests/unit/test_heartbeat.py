"""Signs of life: they end with the process, whatever ends it, and nobody else is believed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import pytest

from worker import heartbeat, measuring
from worker.heartbeat import LONGEST_SILENCE, beating, begin, signs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Begins, says that it has, and waits for its end.
LIFE = """
import sys
from worker.heartbeat import begin
begin("consumer")
print("on", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look in a folder of this test's own; the silences that are tested are none of the process's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    heartbeat.end()


@pytest.fixture
def life(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that gives signs of life."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", LIFE],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "on\n"
        yield process
        process.kill()


def test_a_process_that_goes_on_says_so_until_it_takes_leave() -> None:
    with beating("web"):
        (sign,) = signs()

    assert (sign.process, sign.pid, sign.ok) == ("web", os.getpid(), True)
    assert signs() == []


def test_silence_is_told_by_a_clock_that_nobody_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    begin("consumer")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + LONGEST_SILENCE + 1)

    (silent,) = signs()
    measuring.went_on()
    (again,) = signs()

    assert (silent.lives, silent.ok) == (True, False)
    assert again.ok


def test_one_that_was_killed_is_told_from_one_that_left(life: subprocess.Popen[str]) -> None:
    (before,) = signs()

    life.send_signal(signal.SIGKILL)
    life.wait()
    (after,) = signs()

    assert (before.pid, before.ok) == (life.pid, True)
    assert (after.lives, after.said) == (False, f"consumer (pid {life.pid}) has ended without taking leave")


def test_whoever_begins_under_its_name_is_there_in_its_stead(life: subprocess.Popen[str]) -> None:
    life.kill()
    life.wait()

    begin("consumer")

    assert [sign.pid for sign in signs()] == [os.getpid()]


def test_one_that_lives_is_not_tidied_away(life: subprocess.Popen[str]) -> None:
    begin("consumer")

    assert {sign.pid for sign in signs()} == {os.getpid(), life.pid}


def test_a_child_neither_speaks_for_its_parent_nor_keeps_it_alive() -> None:
    begin("task worker")
    (here, there), (heart,) = socket.socketpair(), heartbeat._hearts
    child = os.fork()
    if child == 0:
        there.send(b".")
        there.recv(1)
        os._exit(0)
    here.recv(1)

    os.close(heart.file)  # as its end does
    heartbeat._hearts.clear()
    (sign,) = signs()
    here.close()
    there.close()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    assert not sign.lives


def test_a_folder_that_others_can_write_to_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / f"badge-worker-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)

    begin("consumer")

    assert list(folder.iterdir()) == []
    with pytest.raises(PermissionError):
        signs()


def test_without_a_place_to_write_to_the_work_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    begin("consumer")
    measuring.went_on()

    assert not (tmp_path / "missing").exists()


def test_leave_is_taken_from_a_folder_that_lets_nothing_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "read-only file system")

    with beating("web"):
        monkeypatch.setattr("pathlib.Path.unlink", refuse)
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    (sign,) = signs()
    assert not sign.lives

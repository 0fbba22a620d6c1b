"""Processes that tests start, and the proof that none of them, nor of their children, stays behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.waiting import wait_until
from worker.adapters.embedded import tethered
from worker.adapters.embedded.tether import end

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PR_SET_CHILD_SUBREAPER = 36


class Spawned:
    """A process that a test started; what it prints goes to the file `log`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str, timeout: float = 30.0) -> None:
        """Wait until it has printed `text`; fails at once if it ended without."""

        def printed() -> bool:
            ended = self.process.poll() is not None
            if text in self.output():
                return True
            assert not ended, f"ended with {self.process.returncode} without printing {text!r}"
            return False

        wait_until(printed, timeout, f"{text!r} printed")

    def wait(self, timeout: float = 30.0) -> int:
        """Wait for its end and return the exit code, negative for a signal."""
        return self.process.wait(timeout)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@contextmanager
def spawn(
    args: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[Spawned]:
    """Start a process and end it with the block; `env` is added to our own environment.

    Tests ask for the fixture `spawn`, which also shows the output when they fail.
    """
    with log.open("wb") as output:
        process = tethered(list(map(str, args)), output=output, env={**os.environ, **(env or {})}, cwd=cwd)
    spawned = Spawned(process, log)
    try:
        yield spawned
    finally:
        end(process, signal.SIGTERM, timeout=20)


@contextmanager
def no_process_left(timeout: float = 15.0) -> Iterator[None]:
    """Fail if a process that was started within the block is still there `timeout` seconds after it.

    Orphans become our children here, so that neither sessions of their own nor a changed name or
    environment hides them. Linux only.
    """
    adopt_orphans()
    before = set(descendants())
    yield

    def left() -> dict[int, str]:
        return {pid: name for pid, name in descendants().items() if pid not in before}

    try:
        wait_until(lambda: not left(), timeout)
    except AssertionError:
        names = left()
        _kill(names)
        raise AssertionError(f"processes were left behind, and killed now: {names}") from None


def _kill(pids: Iterable[int]) -> None:
    """Let a failing test not be a nuisance to others."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def adopt_orphans() -> None:
    """Let orphaned descendants become our children instead of init's."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert sys.platform == "linux"
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())


def descendants() -> dict[int, str]:
    """Return the living processes below this one: pid to command; those that ended do not count."""
    table = dict(_processes())
    below = {os.getpid()}
    while more := {pid for pid, (parent, _) in table.items() if parent in below} - below:
        below |= more
    return {pid: table[pid][1] for pid in below - {os.getpid()}}


def _processes() -> Iterator[tuple[int, tuple[int, str]]]:
    """Yield pid, parent and command of every living process."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, rest = (folder / "stat").read_text().rsplit(")", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = rest.split()[:2]
        if state not in {"Z", "X"}:
            yield int(folder.name), (int(parent), name.partition("(")[2])

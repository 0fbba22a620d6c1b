"""Signs of life of long-running processes, for `badge-worker healthcheck` in the same container.

Each has a file in the folder for temporary files, often the only one that can be written to, and keeps it
locked for as long as it lives: the kernel gives the lock back, whatever ends it. In the file stands when it
last went on (`measuring.went_on`), by the clock that nobody can set.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from worker import measuring
from worker.settings import is_locked

log = structlog.get_logger(__name__)

LONGEST_SILENCE = 90.0  # seconds; the longest that a process in order has to say nothing is a third of it
_EVERY = 1.0  # seconds between two notes
_SUFFIX = ".alive"


@dataclass(frozen=True, slots=True)
class Sign:
    """What was found of one process; `silence` is how many seconds ago it went on."""

    process: str
    pid: int
    lives: bool
    silence: float

    @property
    def ok(self) -> bool:
        """Return whether it makes progress."""
        return self.lives and self.silence <= LONGEST_SILENCE

    @property
    def said(self) -> str:
        """Return what to tell an operator."""
        if not self.lives:
            return f"{self.process} (pid {self.pid}) has ended without taking leave"
        return f"{self.process} (pid {self.pid}) went on {self.silence:.1f} s ago"


@dataclass(slots=True)
class _Heart:
    path: Path
    file: int
    noted: float = 0.0


_hearts: list[_Heart] = []  # this process's, if it has one


def begin(process: str) -> None:
    """Give signs of life under this name from now on. Never raises: work goes before telling of it."""
    try:
        folder = _our_folder()
        _tidy(folder, process)
        _hearts.append(_lay(folder, process))
    except OSError as error:
        log.warning("heartbeat.not_possible", reason=str(error))
    atexit.register(end)
    if _beat not in measuring.also_told:
        measuring.also_told.append(_beat)
    measuring.went_on()


def _beat() -> None:
    """Note that this process goes on; costs nothing most of the time."""
    for heart in _hearts:
        now = time.monotonic()
        if now - heart.noted < _EVERY:
            continue
        heart.noted = now
        with contextlib.suppress(OSError):  # a full disk: the check will say that nothing goes on
            os.pwrite(heart.file, f"{now:020.3f}".encode(), 0)


def end() -> None:
    """Take leave. Never raises, and is done with each heart before its file's number can be another's."""
    hearts, _hearts[:] = list(_hearts), []
    for heart in hearts:
        with contextlib.suppress(OSError):
            heart.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            os.close(heart.file)


@contextmanager
def beating(process: str) -> Iterator[None]:
    """Give signs of life for as long as the block lasts."""
    begin(process)
    try:
        yield
    finally:
        end()


def signs() -> list[Sign]:
    """Return what this user's processes give; raises OSError where the folder is somebody else's."""
    now = time.monotonic()
    return [_read(path, now) for path in sorted(_our_folder().glob(f"*{_SUFFIX}"))]


def _read(path: Path, now: float) -> Sign:
    process, _, rest = path.name.removesuffix(_SUFFIX).rpartition(".")[0].rpartition(".")
    try:
        noted = float(path.read_text())
    except (OSError, ValueError):  # it is just leaving, or has not said anything yet
        noted = now
    return Sign(process, int(rest), is_locked(path), max(now - noted, 0.0))


def _our_folder() -> Path:
    """Return the folder, which nobody else can write to: what stands in it is believed."""
    folder = Path(tempfile.gettempdir()) / f"badge-worker-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022:
        raise PermissionError(f"{folder} can be written to by others")
    return folder


def _lay(folder: Path, process: str) -> _Heart:
    """Make the file, and lock it before anybody can see it."""
    name = f"{process}.{os.getpid()}.{secrets.token_hex(4)}"
    unseen, path = folder / name, folder / f"{name}{_SUFFIX}"
    file = os.open(unseen, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    unseen.rename(path)
    return _Heart(path, file)


def _tidy(folder: Path, process: str) -> None:
    """Remove what killed processes of this name left behind: the one that begins is there in their stead."""
    for path in folder.glob(f"{process}.*{_SUFFIX}"):
        if not is_locked(path):
            path.unlink(missing_ok=True)


def _leave_to_parent() -> None:
    """In a child after a fork: the lock must end with the parent."""
    for heart in _hearts:
        os.close(heart.file)
    _hearts.clear()


os.register_at_fork(after_in_child=_leave_to_parent)

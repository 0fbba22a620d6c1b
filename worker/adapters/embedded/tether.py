"""Child processes that cannot outlive their parent, whatever ends it: Ctrl-C, SIGTERM or SIGKILL."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class User:
    """Whom a process runs as, when we are root."""

    uid: int
    gid: int


def tethered(
    command: Sequence[str],
    *,
    output: int | IO[bytes],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: User | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command`; when this process ends in whatever way, the kernel sends it `death_signal`.

    It has a session of its own, so that Ctrl-C reaches only us: we stop it in our own order. `output` takes
    stdout and stderr; `keep` are file descriptors that it inherits. Raises RuntimeError outside the main
    thread, since the kernel's signal follows the *thread* that started the child.

    Without `prctl` (macOS) this is a best effort: the child is killed when the interpreter ends in an
    orderly way, but survives our SIGKILL.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("start tethered processes from the main thread: they die with the thread")
    who = (str(user.uid), str(user.gid)) if user else ("-", "-")
    launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal)), *who]
    process = subprocess.Popen(  # noqa: S603 # the command is our own
        [*launch, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        pass_fds=keep,
        start_new_session=True,
    )
    if sys.platform != "linux":
        atexit.register(end, process, death_signal, timeout=5)
    return process


def end(process: subprocess.Popen[bytes], stop_signal: signal.Signals, timeout: float) -> None:
    """Ask the process to stop, give it `timeout` seconds, then kill it. Fine on one that has ended."""
    if process.poll() is None:
        process.send_signal(stop_signal)
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

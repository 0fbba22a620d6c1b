"""A server that we started: how it is awaited, where it is found, how it ends."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Self, TypeVar

from worker.adapters.embedded.tether import end
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    import signal
    import subprocess
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

T = TypeVar("T")

HOST = "127.0.0.1"
PORT_ATTEMPTS = 5
START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0
LOG_TAIL = 20


class PortTaken(ConfigurationError):
    """Somebody else listens on the port; with a free one: has done so since we looked."""


class RunningServer:
    """A server that answers at `url`, until `stop()` or the end of this process, whichever comes first."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
        self.url = url
        self._process = process
        self._stop_signal = stop_signal

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def is_running(self) -> bool:
        """Say whether the process is still there."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the server in its orderly way and wait for it; harmless the second time."""
        end(self._process, self._stop_signal, STOP_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def on_free_port(start: Callable[[int], T], port: int) -> T:
    """Return `start(port)`; port 0 means one that is free, tried anew when somebody was quicker."""
    if port:
        return start(port)
    for _ in range(PORT_ATTEMPTS - 1):
        try:
            return start(free_port())
        except PortTaken:
            continue
    return start(free_port())


def await_ready(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    """Wait until the server is `ready`; raises PortTaken, or ConfigurationError with the log's last lines."""
    try:
        _poll(process, ready, log)
    except BaseException:
        process.kill()
        process.wait()
        raise


def _poll(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not ready():
        if process.poll() is not None:
            raise _ended(log)
        if time.monotonic() > deadline:
            raise ConfigurationError(f"the server was not ready after {START_TIMEOUT:.0f} s:\n{_tail(log)}")
        time.sleep(0.01)


def _ended(log: Path) -> Exception:
    tail = _tail(log)
    if "ddress already in use" in tail:
        return PortTaken(f"the port is taken by another program:\n{tail}")
    return ConfigurationError(f"the server ended at once; the end of its log:\n{tail}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL:])

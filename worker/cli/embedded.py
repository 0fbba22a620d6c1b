"""The embedded whole: a Valkey, the sandbox, a consumer, a task worker and beat, as our child processes.

None of them can outlive us, whatever ends us: each is tied to this process by the kernel.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self

import httpx
import structlog

from worker.adapters.badges_file import load_definitions
from worker.adapters.database.migrations import upgrade
from worker.adapters.embedded import free_port, start_valkey, tethered
from worker.adapters.embedded.tether import end
from worker.applying import apply
from worker.bootstrap import Services
from worker.errors import BadgeWorkerError, ConfigurationError
from worker.rules.definitions import Definitions
from worker.settings import PREFIX, load_settings

log = structlog.get_logger(__name__)

HOST = "127.0.0.1"
START_TIMEOUT = 30.0  # seconds for the sandbox to answer
STOP_TIMEOUT = 12.0  # seconds for a part to finish what it has in hand
RESTART_PAUSE = 1.0  # seconds before a part that ended by itself is started again
RUN_FILE = "run.json"

_WORKER = (
    "-q",
    "-A",
    "worker.app",
    "worker",
    "--loglevel",
    "WARNING",
    "--without-mingle",
    "--without-gossip",
)
_BEAT = ("-q", "-A", "worker.app", "beat", "--loglevel", "WARNING", "--pidfile=")


class Stopped(BaseException):
    """A signal asks us to stop; raised in the main thread wherever it is, so that everything unwinds."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@dataclass(slots=True)
class _Part:
    """One of our processes: started again when it ends by itself."""

    name: str
    command: list[str]
    env: dict[str, str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    ended_at: float = 0.0

    @property
    def log_file(self) -> Path:
        """Return where its output goes."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        with self.log_file.open("ab") as output:
            self.process = tethered(self.command, output=output, env=self.env, cwd=self.folder)

    def tend(self) -> None:
        """Start it again, a little later, if it has ended."""
        if self.process is None or self.process.poll() is None:
            return
        if not self.ended_at:
            self.ended_at = time.monotonic()
            log.warning("part.ended", part=self.name, code=self.process.returncode, see=str(self.log_file))
        elif time.monotonic() - self.ended_at > RESTART_PAUSE:
            self.ended_at = 0.0
            self.start()

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        if self.process is not None:
            end(self.process, signal.SIGTERM, STOP_TIMEOUT)


@dataclass(slots=True)
class Whole:
    """The embedded whole in one folder; a context manager. `persistent` keeps the broker's data too."""

    folder: Path
    badges_file: Path
    persistent: bool
    services: Services = field(init=False)
    sandbox_url: str = field(init=False)
    variables: dict[str, str] = field(init=False)
    _stack: ExitStack = field(init=False, default_factory=ExitStack)
    _parts: list[_Part] = field(init=False, default_factory=list)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def tend(self) -> None:
        """Keep everything running; to be called now and then from the main thread."""
        for part in self._parts:
            part.tend()

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder = self.folder.resolve()
        _lock(self._stack, self.folder / "lock")
        definitions = load_definitions(self.badges_file)
        valkey = self._stack.enter_context(start_valkey(self.folder / "valkey", persistent=self.persistent))
        port = _port(self.folder)
        self.sandbox_url = f"http://{HOST}:{port}"
        self.variables = _variables(self.folder, valkey.url, definitions)
        settings = {PREFIX + name: value for name, value in self.variables.items()}
        self.services = Services(load_settings(settings, self.folder))
        self._add("sandbox", sys.executable, "-m", "worker", "sandbox", *self._sandbox_options(port))
        upgrade(self.services.database.engine)
        apply(self.services.database, _at(definitions, self.sandbox_url))
        _await_answer(self.sandbox_url, self._parts[0])
        self._add("consumer", sys.executable, "-m", "worker", "consume")
        self._add("worker", sys.executable, "-m", "celery", *_WORKER)
        self._add("beat", sys.executable, "-m", "celery", *_BEAT)
        self._write_run_file()

    def _sandbox_options(self, port: int) -> list[str]:
        data = ["--data", str(self.folder / "sandbox.db")]
        return ["--port", str(port), "--badges", str(self.badges_file.resolve()), *data]

    def _add(self, name: str, *command: str) -> None:
        env = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        env |= {PREFIX + key: value for key, value in self.variables.items()}
        part = _Part(name, list(command), env, self.folder)
        part.start()
        self._parts.append(part)

    def _write_run_file(self) -> None:
        """Tell other commands in this folder where everything is. Nobody else may read it."""
        path = self.folder / RUN_FILE
        described = {
            "pid": os.getpid(),
            "variables": {PREFIX + name: value for name, value in self.variables.items()},
            "urls": {"sandbox": self.sandbox_url, "events": self.variables["EVENTS_URL"]},
        }
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(described, file, indent=1)

    def _stop(self) -> None:
        """End what takes work in before what does it, and the broker last. Signals no longer interrupt."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        leaving = [part for part in reversed(self._parts) if part.name != "sandbox"]
        for part in leaving:
            part.ask_to_stop()
        for part in leaving:
            part.stop()
        for part in self._parts:
            part.stop()
        self._parts.clear()
        self._stack.close()


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into Stopped for as long as the block lasts."""

    def _stop(number: int, _frame: FrameType | None) -> NoReturn:
        raise Stopped(number)

    before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _lock(stack: ExitStack, path: Path) -> None:
    """Hold the folder; the lock ends with this process, so it needs no tidying up."""
    file = stack.enter_context(path.open("wb"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigurationError(f"badge-worker is running on {path.parent} already") from None


def _port(folder: Path) -> int:
    """Return the sandbox's port: the one of the last run, so that its URLs stay good, else a free one."""
    path = folder / "sandbox.port"
    try:
        port = int(path.read_text())
    except (OSError, ValueError):
        port = free_port()
    path.write_text(str(port))
    return port


def _variables(folder: Path, valkey_url: str, definitions: Definitions) -> dict[str, str]:
    base = valkey_url.rsplit("/", 1)[0]
    variables = {
        "DATABASE_URL": f"sqlite:///{folder / 'badge-worker.db'}",
        "EVENTS_URL": f"{base}/0?stream=badge-events",
        "BROKER_URL": f"{base}/1",
        "REDIS_URL": f"{base}/2",
    }
    for issuer_id, issuer in definitions.issuers.items():
        name = issuer_id.upper().replace("-", "_")
        # The sandbox signs anybody in; the user name is the account, and so the connection that it counts.
        if issuer.provider == "credly":
            variables[f"ISSUER_{name}_TOKEN"] = issuer_id
            continue
        variables[f"ISSUER_{name}_USERNAME"] = issuer_id
        variables[f"ISSUER_{name}_PASSWORD"] = "sandbox"  # it opens nothing
    return variables


def _at(definitions: Definitions, url: str) -> Definitions:
    """Point every issuer at its provider's side of the sandbox."""
    urls = {"badgr": url, "credly": f"{url}/v1"}
    issuers = {
        name: issuer.model_copy(update={"url": urls[issuer.provider]})
        for name, issuer in definitions.issuers.items()
    }
    return Definitions(issuers, definitions.badges)


def _await_answer(url: str, part: _Part) -> None:
    """Wait until the sandbox answers; raises BadgeWorkerError with the end of its log if it does not."""

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/health", timeout=1).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    if not wait_for(answers, START_TIMEOUT, lambda: part.process is not None and part.process.poll() is None):
        tail = part.log_file.read_text(errors="replace")[-2000:]
        raise BadgeWorkerError(f"the sandbox does not come up: {tail.strip()}")


def wait_for(condition: Callable[[], bool], timeout: float, worthwhile: Callable[[], bool]) -> bool:
    """Return whether the condition came true within `timeout` seconds, while it was worth waiting."""
    ends = time.monotonic() + timeout
    while not (met := condition()) and worthwhile() and time.monotonic() < ends:
        time.sleep(0.05)
    return met

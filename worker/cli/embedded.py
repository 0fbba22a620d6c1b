"""The embedded whole: Valkey, sandbox, consumer, task worker, beat and web, as our child processes.

None of them can outlive us, whatever ends us: each is tied to this process by the kernel.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

import httpx
import structlog

from worker.adapters.badges_file import load_definitions
from worker.adapters.database.migrations import upgrade
from worker.adapters.embedded import RunningServer, free_port, start_valkey
from worker.applying import apply
from worker.bootstrap import Services
from worker.cli.parts import Part
from worker.cli.standing_in import at_the_sandbox
from worker.errors import BadgeWorkerError, ConfigurationError
from worker.rules.definitions import Definitions
from worker.settings import PREFIX, load_settings

log = structlog.get_logger(__name__)

HOST = "127.0.0.1"
START_TIMEOUT = 30.0  # seconds for the sandbox to answer, and for the web to listen
STOP_TIMEOUT = 6.0  # seconds for all parts together to finish what they have in hand
LOCK_TIMEOUT = 1.0  # seconds; other commands look at the lock for an instant
RUN_FILE = "run.json"
MEASURED = ("consumer", "worker", "beat", "web")  # the parts that serve metrics
KEY_FILE = "secret.key"  # what SECRET_KEY is, from one run to the next
TOKEN_FILE = "token"  # noqa: S105 # a file's name: the token that opens the web's doors, from one run to the next
TOKEN_NAME = "development"  # noqa: S105 # whose it is, in logs

_WEB_TRIES = 3  # free ports that are tried: another program may be quicker than we

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


@dataclass(slots=True)
class Whole:
    """The embedded whole in one folder; a context manager.

    `persistent` keeps the broker's data, so that everything is there again after a stop. `passed_on` are
    further settings of the parts, without the prefix. `web_port` is where the web application listens, or at
    another port if somebody else does so there; without one there is none.
    """

    folder: Path
    badges_file: Path
    persistent: bool
    passed_on: dict[str, str] = field(default_factory=dict)
    web_port: int | None = None
    services: Services = field(init=False)
    web_url: str = field(init=False, default="")
    token: str = field(init=False, default="")
    sandbox_url: str = field(init=False)
    variables: dict[str, str] = field(init=False)
    _valkey: RunningServer = field(init=False)
    _stack: ExitStack = field(init=False, default_factory=ExitStack)
    _parts: list[Part] = field(init=False, default_factory=list)

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
        """Keep everything running; to be called now and then from the main thread.

        Raises BadgeWorkerError when that cannot be done.
        """
        if not self._valkey.is_running():
            self._restart_valkey()
        for part in self._parts:
            part.tend()

    def _start(self) -> None:
        definitions = load_definitions(self.badges_file)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # people's addresses are in it
        self.folder = self.folder.resolve()
        _lock(self._stack, self.folder / "lock")
        run_file = self.folder / RUN_FILE
        run_file.unlink(missing_ok=True)  # one of a run that was killed leads nowhere
        self._stack.callback(run_file.unlink, missing_ok=True)
        self._valkey = start_valkey(self.folder / "valkey", persistent=self.persistent)
        self._stack.callback(self._stop_valkey)
        port = _sandbox_port(self.folder)
        self.sandbox_url = f"http://{HOST}:{port}"
        self.variables = _variables(self.folder, self._valkey.url, definitions)
        self.variables["SECRET_KEY"] = self.passed_on.get("SECRET_KEY") or _kept_secret(
            self.folder / KEY_FILE
        )
        settings = {PREFIX + name: value for name, value in self.variables.items()}
        self.services = Services(load_settings(settings, self.folder))
        self._stack.callback(self.services.close)
        self._add("sandbox", sys.executable, "-m", "worker", "sandbox", *self._sandbox_options(port))
        upgrade(self.services.database.engine)
        apply(self.services.database, at_the_sandbox(definitions, self.sandbox_url))
        _await_answer(self.sandbox_url, self._parts[0])
        self._add("consumer", sys.executable, "-m", "worker", "consume")
        self._add("worker", sys.executable, "-m", "celery", *_WORKER)
        self._add("beat", sys.executable, "-m", "celery", *_BEAT)
        if self.web_port is not None:
            self._start_web(self.web_port)
        self._write_run_file(run_file)

    def _start_web(self, port: int) -> None:
        """Start the web application at this port, or at a free one if somebody else has it."""
        self.token = _kept_secret(self.folder / TOKEN_FILE)
        ours = f"{TOKEN_NAME}:publish+read+admin:{hashlib.sha256(self.token.encode()).hexdigest()}"
        tokens = ",".join(filter(None, [self.passed_on.get("API_TOKENS"), ours]))
        tries = [port, *(free_port() for _ in range(_WEB_TRIES))]
        for number in tries:
            if not _is_free(number):
                log.warning("web.moves", taken=number)
                continue
            self.web_url = f"http://{HOST}:{number}"
            settings = {"WEB_HOST": HOST, "WEB_PORT": str(number), "API_TOKENS": tokens}
            part = self._add("web", sys.executable, "-m", "worker", "serve", settings=settings)
            if _listens(part, self.web_url):
                return
            if _is_free(number):  # that was not what kept it
                raise BadgeWorkerError(f"the web application does not come up: {part.last_words()}")
            self._parts.remove(part)
        raise BadgeWorkerError("the web application finds no port to listen at")

    def _sandbox_options(self, port: int) -> list[str]:
        data = ["--data", str(self.folder / "sandbox.db")]
        return ["--port", str(port), "--badges", str(self.badges_file.resolve()), *data]

    def _add(self, name: str, *command: str, settings: dict[str, str] | None = None) -> Part:
        env = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        passed_on = self.passed_on | self.variables | (settings or {}) | self._metrics_port(name)
        env |= {PREFIX + key: value for key, value in passed_on.items()}
        part = Part(name, list(command), env, self.folder)
        part.start()
        self._parts.append(part)
        return part

    def _metrics_port(self, name: str) -> dict[str, str]:
        """Return where a part serves its metrics, if any do: each at a port of its own, one after another."""
        first = self.passed_on.get("METRICS_PORT")
        if first is None or name not in MEASURED:
            return {}
        return {"METRICS_PORT": str(int(first) + MEASURED.index(name))}

    def _write_run_file(self, path: Path) -> None:
        """Tell other commands in this folder where everything is. Nobody else may read it."""
        described: dict[str, Any] = {
            "pid": os.getpid(),
            "variables": {PREFIX + name: value for name, value in self.variables.items()},
            "urls": {"sandbox": self.sandbox_url, "events": self.variables["EVENTS_URL"]},
        }
        if self.web_url:
            described |= {"token": self.token, "urls": described["urls"] | {"web": self.web_url}}
        _write_for_us_alone(path, json.dumps(described, indent=1))

    def _restart_valkey(self) -> None:
        """Start it again where it was, with what it had on the disk."""
        if not self.persistent:
            raise BadgeWorkerError("Valkey has ended, and with it the events that it held")
        log.warning("part.ended", part="valkey", see=str(self.folder / "valkey" / "valkey.log"))
        port = urlsplit(self._valkey.url).port or 0
        self._valkey = start_valkey(self.folder / "valkey", port=port, persistent=True)
        log.info("part.started_again", part="valkey")

    def _stop_valkey(self) -> None:
        self._valkey.stop()

    def _stop(self) -> None:
        """End what takes work in before what does it, the broker last; a second signal ends us at once."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _end_at_once)
        ends = time.monotonic() + STOP_TIMEOUT
        leaving = [part for part in reversed(self._parts) if part.name != "sandbox"]
        for part in leaving:
            part.ask_to_stop()
        for part in (*leaving, *self._parts):
            part.stop(max(ends - time.monotonic(), 0.1))
        self._parts.clear()
        self._stack.close()


def _write_for_us_alone(path: Path, text: str) -> None:
    """Write a file that nobody else may read, whole or not at all."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    unfinished.rename(path)


def _kept_secret(path: Path) -> str:
    """Return what was made at the first start.

    By another key forgotten people would be strangers, and another token would have to be passed on again.
    """
    if not path.exists():
        _write_for_us_alone(path, secrets.token_hex(32))
    return path.read_text().strip()


def _end_at_once(number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(128 + number)  # the kernel ends the parts with us


def _lock(stack: ExitStack, path: Path) -> None:
    """Hold the folder; the lock ends with this process, so it needs no tidying up."""
    file = stack.enter_context(path.open("wb"))

    def taken() -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    if not wait_for(taken, LOCK_TIMEOUT):
        raise ConfigurationError(f"badge-worker is running on {path.parent} already")


def _sandbox_port(folder: Path) -> int:
    """Return the sandbox's port: the one of the last run, so that its URLs stay good, else a free one."""
    path = folder / "sandbox.port"
    try:
        port = int(path.read_text())
    except (OSError, ValueError):
        port = free_port()
    if not _is_free(port):
        log.warning("sandbox.moves", taken=port, why="its URLs of earlier runs are not good any more")
        port = free_port()
    path.write_text(str(port))
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except (OSError, OverflowError):
            return False
        return True


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


def _await_answer(url: str, part: Part) -> None:
    """Wait until the sandbox answers; raises BadgeWorkerError with the end of its log if it does not."""

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/health", timeout=1).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    if not wait_for(answers, START_TIMEOUT, lambda: part.is_running):
        raise BadgeWorkerError(f"the sandbox does not come up: {part.last_words()}")


def _listens(part: Part, url: str) -> bool:
    """Wait until a part of this name says in its log that it listens there; somebody else may, instead."""
    begun = part.log_file.stat().st_size

    def said() -> bool:
        with part.log_file.open("rb") as log_file:
            log_file.seek(begun)
            return f"{url}\n".encode() in log_file.read()

    if wait_for(said, START_TIMEOUT, lambda: part.is_running):
        return True
    part.stop(STOP_TIMEOUT)
    return False


def wait_for(
    condition: Callable[[], bool], timeout: float, worthwhile: Callable[[], bool] = lambda: True
) -> bool:
    """Return whether the condition came true within `timeout` seconds, while it was worth waiting."""
    ends = time.monotonic() + timeout
    while not (met := condition()) and worthwhile() and time.monotonic() < ends:
        time.sleep(0.05)
    return met

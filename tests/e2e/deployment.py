"""A whole deployment: PostgreSQL, Valkey, the sandbox, and the worker's processes, each by itself.

Everything in it that nobody may ever read in a log carries a mark: `ADDRESS_MARK`, `SECRET_MARK`,
`NAME_MARK`.
"""

from __future__ import annotations

import hashlib
import json
import signal
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import psycopg

from tests.support.processes import Spawned, spawn
from tests.support.services import plain
from tests.support.waiting import wait_until
from worker.adapters.embedded import free_port
from worker.adapters.redis_connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STREAM = "badge-events"
ADDRESS_MARK, SECRET_MARK, NAME_MARK = "kept-out-of-logs", "s3cr3t-m4rk", "n4me-m4rk"
TOKEN, WEBHOOK_SECRET = f"{SECRET_MARK}-token", f"{SECRET_MARK}-webhook"
PATIENCE = 60.0  # seconds; a busy machine may be slow, and nothing here is a matter of time

# The commands as an operator types them, after `badge-worker` and `celery`.
CONSUMER = ("-m", "worker", "consume")
WORKER = ("-m", "celery", "-A", "worker.app", "worker", "--loglevel", "INFO")
BEAT = ("-m", "celery", "-A", "worker.app", "beat", "--loglevel", "INFO", "--pidfile=")
FLOWER_USER = ("operator", f"{SECRET_MARK}-flower")
FLOWER = ("-m", "celery", "-A", "worker.app", "flower")


def address(user_id: str) -> str:
    """Return a person's address, with the mark in it."""
    return f"{user_id}.{ADDRESS_MARK}@example.org"


class Deployment:
    """What runs, and what can be seen of it from outside."""

    def __init__(self, stack: ExitStack, folder: Path, database_url: str, redis_url: str) -> None:
        self._stack = stack
        self._folder = folder
        self._database = plain(database_url)
        self.redis = connect(redis_url)
        stack.callback(self.redis.close)
        self.started: list[Spawned] = []
        self.processes: dict[str, Spawned] = {}
        self.sandbox_url = ""
        self.env = _environment(database_url, redis_url)

    def start(self, name: str, *args: str, **settings: object) -> Spawned:
        """Start a process under a name; the first one of each name is `processes[name]` until the next.

        `settings` are its own, beside those of all.
        """
        log = self._folder / f"{name}-{len(self.started) + 1}.log"
        env = self.env | {f"BADGE_WORKER_{key.upper()}": str(value) for key, value in settings.items()}
        started = self._stack.enter_context(spawn([sys.executable, *args], log, env, self._folder))
        self.started.append(started)
        self.processes[name] = started
        return started

    def run(self, *args: str) -> str:
        """Run a command of ours to its end, which has to be a good one, and return what it printed."""
        command = self.start("-".join(args[:2]), "-m", "worker", *args)
        assert command.wait(PATIENCE) == 0, command.output()
        return command.output()

    def start_sandbox(self, definitions: dict[str, Any]) -> Path:
        """Start the sandbox, point the definitions at it, and return the file they are in."""
        path = self._folder / "badges.json"
        path.write_text(json.dumps(definitions))
        sandbox = self.start(
            "sandbox", "-m", "worker", "sandbox", "--badges", str(path), "--rate-limit", "none"
        )
        sandbox.wait_for("http://", PATIENCE)
        self.sandbox_url = next(word for word in sandbox.output().split() if word.startswith("http://"))
        for issuer in definitions["issuers"].values():
            issuer["url"] = self.sandbox_url + ("/v1" if issuer["provider"] == "credly" else "")
        path.write_text(json.dumps(definitions))
        return path

    def start_flower(self) -> str:
        """Start Flower and return its URL."""
        port = free_port()
        self.start("flower", *FLOWER, "--address=127.0.0.1", f"--port={port}")
        return f"http://127.0.0.1:{port}"

    def start_web(self) -> str:
        """Start the web application and return its URL."""
        port = free_port()
        web = self.start("web", "-m", "worker", "serve", web_port=port)
        web.wait_for("web.started", PATIENCE)
        return f"http://127.0.0.1:{port}"

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a process a signal and return its exit code."""
        self.processes[name].signal(number)
        return self.processes[name].wait(PATIENCE)

    def stop_all(self) -> None:
        """Ask every process to stop, then wait for all of them."""
        for process in self.processes.values():
            process.signal(signal.SIGTERM)
        for process in self.processes.values():
            process.wait(PATIENCE)

    def publish(self, *bodies: bytes) -> None:
        """Put events on the queue as any program in any language would."""
        for body in bodies:
            self.redis.execute_command("XADD", STREAM, "*", "event", body)  # type: ignore[no-untyped-call] # redis-py

    def assertions(self, user_id: str) -> list[dict[str, Any]]:
        """Return what the provider holds for a person."""
        held = httpx.get(f"{self.sandbox_url}/sandbox/assertions", timeout=10).json()
        return [each for each in held if each["recipient"] == address(user_id).lower()]

    def awaited_assertion(self, user_id: str) -> dict[str, Any]:
        """Wait for a person's one assertion."""
        (found,) = wait_until(lambda: self.assertions(user_id), PATIENCE, f"an assertion for {user_id}")
        return found

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """Give a connection of one's own."""
        with psycopg.connect(self._database) as connection:
            yield connection

    def states(self, user_id: str) -> list[str]:
        """Return the states of a person's awards."""
        with self.database() as connection:
            rows = connection.execute("SELECT state FROM awards WHERE user_id = %s", [user_id])
            return [row[0] for row in rows]

    def tokens(self) -> list[str]:
        """Return the tokens that the processes share."""
        with connect(self.env["BADGE_WORKER_REDIS_URL"]) as client:
            keys = [key for key in client.scan_iter() if client.type(key) == b"hash"]
            held = [client.hget(key, "token") for key in keys]
        return [token.decode() for token in held if isinstance(token, bytes)]

    def output(self) -> str:
        """Return everything that any process of this deployment has printed."""
        return "".join(each.output() for each in self.started)


def _environment(database_url: str, redis_url: str) -> dict[str, str]:
    # Both servers let anybody in, whatever the password: it is here to be kept out of the logs.
    server = redis_url.replace("redis://", f"redis://default:{SECRET_MARK}@").rsplit("/", 1)[0]
    hashed = hashlib.sha256(TOKEN.encode()).hexdigest()
    return {
        "BADGE_WORKER_DATABASE_URL": database_url.replace("@", f":{SECRET_MARK}@"),
        "BADGE_WORKER_EVENTS_URL": f"{server}/0?stream={STREAM}",
        "BADGE_WORKER_BROKER_URL": f"{server}/1",
        "BADGE_WORKER_REDIS_URL": f"{server}/2",
        "BADGE_WORKER_ISSUER_ACADEMY_USERNAME": address("academy"),
        "BADGE_WORKER_ISSUER_ACADEMY_PASSWORD": SECRET_MARK,
        "BADGE_WORKER_ISSUER_PARTNER_TOKEN": f"{SECRET_MARK}-partner",
        "BADGE_WORKER_SECRET_KEY": f"{SECRET_MARK}-key-of-forgotten-people",
        "BADGE_WORKER_API_TOKENS": f"grace:admin+read+publish:{hashed}",
        "BADGE_WORKER_OPIGNO_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "BADGE_WORKER_LOG_FORMAT": "json",
        "BADGE_WORKER_LOG_LEVEL": "debug",
        "FLOWER_BASIC_AUTH": ":".join(FLOWER_USER),  # as docker-compose.yml has it
    }

"""A real PostgreSQL and a real broker that can be ended in the middle of things and started again."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import psycopg

from tests.support.ports import steady_port
from tests.support.services import plain, without
from worker.adapters.embedded import RunningServer, start_postgres, start_valkey
from worker.adapters.redis_connection import connect
from worker.errors import ConfigurationError


class Restartable(Protocol):
    """A server that keeps what it said it has, however it ends; `ends` are the ways to try in turn."""

    name: str
    ends: Sequence[signal.Signals]

    def end(self, how: signal.Signals) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


Server = TypeVar("Server", bound=Restartable)


class RestartablePostgres:
    """A durable PostgreSQL. Use it from the main thread.

    SIGINT asks it for a fast shutdown, SIGQUIT for an immediate one, after which it has to recover.
    """

    name = "PostgreSQL"
    ends: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGQUIT)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = steady_port()
        self._server = self._start()
        self.url = self._server.url

    def _start(self) -> RunningServer:
        return start_postgres(self._folder, port=self._port, durable=True)

    def end(self, how: signal.Signals) -> None:
        os.kill(self._server.pid, how)
        self._server.stop()

    def start(self) -> None:
        self._server = self._start()

    def stop(self) -> None:
        self._server.stop()


class RestartableValkey:
    """A Valkey that has each command on its disk before it answers. Use it from the main thread."""

    name = "Valkey"
    ends: Sequence[signal.Signals] = (signal.SIGKILL,)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = steady_port()
        self._server = self._start()
        self.url = self._server.url

    def _start(self) -> RunningServer:
        server = start_valkey(self._folder, port=self._port, persistent=True)
        # With `everysec`, what was confirmed in the last second or two can be gone with the process.
        with connect(server.url) as client:
            client.config_set("appendfsync", "always")
        return server

    def end(self, how: signal.Signals) -> None:
        os.kill(self._server.pid, how)
        self._server.stop()

    def start(self) -> None:
        self._server = self._start()

    def stop(self) -> None:
        self._server.stop()


@contextmanager
def servers(broker: Callable[[Path], Server]) -> Iterator[tuple[RestartablePostgres, Server]]:
    """Give a PostgreSQL and what `broker` starts, on a folder of their own."""
    with ExitStack() as stack:
        # Not pytest's tmp_path, which nobody but its owner can reach: as root, PostgreSQL is another user.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="badge-worker-servers-")))
        folder.chmod(0o755)
        try:
            postgres = RestartablePostgres(folder / "postgres")
            stack.callback(postgres.stop)
            started = broker(folder / "broker")
            stack.callback(started.stop)
            psycopg.connect(plain(postgres.url)).close()
        except ConfigurationError as error:
            without("PostgreSQL or broker of our own", error, "make install")
        yield postgres, started

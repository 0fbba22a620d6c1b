"""What everything is measured on: a PostgreSQL and a Valkey of our own, and databases made ready once."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from tests.support.services import Postgres, plain
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.adapters.database.store import Database
from worker.adapters.embedded import start_postgres, start_valkey
from worker.adapters.redis_connection import connect
from worker.applying import apply
from worker.rules.definitions import read_definitions

# What an operator gives a server of this size; all else is PostgreSQL's default, durability above all. Commit
# times are for the latency of awards.
POSTGRES = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "min_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "track_commit_timestamp": "on",
}
_WAL_WRITTEN = 800  # MB
SHOWN = (*POSTGRES, "synchronous_commit", "fsync", "full_page_writes", "server_version")
_PACKAGES = ("celery", "hiredis", "psycopg", "pydantic", "redis", "sqlalchemy")


@dataclass
class Ground:
    """The servers, a folder for what processes leave behind, and templates of databases by name."""

    postgres: Postgres
    redis_url: str
    folder: Path
    stack: ExitStack
    pids: dict[str, int]
    _templates: dict[str, str] = field(default_factory=dict)

    def template(self, name: str, definitions: dict[str, Any]) -> str:
        """Return the URL of a database with these badges, made when it is first asked for."""
        if name not in self._templates:
            url = self.stack.enter_context(self.postgres.database())
            prepare(url, definitions)
            self._templates[name] = url
        return self._templates[name]

    def empty(self) -> str:
        """Return the URL of a new database with nothing in it."""
        return self.stack.enter_context(self.postgres.database())

    @contextmanager
    def copy(self, template: str) -> Iterator[str]:
        """Give the URL of a fresh copy of a template."""
        name = make_url(template).database
        with self.postgres.database(str(name)) as url:
            yield url

    def checkpoint(self) -> None:
        """Write out what other cases left behind, so that it does not fall into the next one."""
        with psycopg.connect(plain(self.postgres.url), autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    def settings(self) -> dict[str, str]:
        """Return the settings that the server runs with."""
        with psycopg.connect(plain(self.postgres.url)) as connection:
            rows = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in SHOWN]
        return {name: row[0] for name, row in zip(SHOWN, rows, strict=True) if row}

    def broker(self) -> dict[str, str]:
        """Return what the broker is and how it keeps what it has."""
        with connect(self.redis_url) as client:
            server: Any = client.info("server")
            aof: Any = client.config_get("append*")
        kept = {name: aof[name] for name in ("appendonly", "appendfsync")}
        return {"valkey": server.get("valkey_version", server["redis_version"]), **kept}


@contextmanager
def ground() -> Iterator[Ground]:
    """Start the servers; end them, and remove what they wrote, afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="badge-worker-bench-")))
        folder.chmod(0o755)
        server = stack.enter_context(start_postgres(folder / "postgres", settings=POSTGRES))
        valkey = stack.enter_context(start_valkey(folder / "valkey", persistent=True))
        pids = {"postgres": server.pid, "valkey": valkey.pid}
        _write_wal(server.url)
        yield Ground(Postgres(server.url), valkey.url, folder, stack.enter_context(ExitStack()), pids)


def _write_wal(database_url: str) -> None:
    """Let the server write as much of its log as it keeps files for.

    From then on it writes over old files, as one that has run for a day does. A new one fills each file with
    zeros first, while a transaction waits.
    """
    with psycopg.connect(plain(database_url), autocommit=True) as connection:
        for _ in range(_WAL_WRITTEN):
            connection.execute("SELECT pg_logical_emit_message(false, 'benchmarks', repeat('0', 1 << 20))")
        connection.execute("CHECKPOINT")


def prepare(database_url: str, definitions: dict[str, Any]) -> None:
    """Make the tables, and put these badges in force."""
    read, problems = read_definitions(definitions)
    if problems:
        raise ValueError(problems)
    engine = make_engine(database_url)
    upgrade(engine)
    apply(Database(engine), read)
    engine.dispose()


def machine() -> dict[str, Any]:
    """Return what was measured on."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in info if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _PACKAGES},
        "commit": _commit(),
    }


def load() -> list[float]:
    """Return the load averages of the last 1, 5 and 15 minutes: a busy machine measures nothing."""
    return [round(each, 1) for each in os.getloadavg()]


def _commit() -> str:
    here = Path(__file__).parent
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"

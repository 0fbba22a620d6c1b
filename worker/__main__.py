"""The console script `badge-worker`, and ``python -m worker``."""

from __future__ import annotations

import sys

from worker.cli.application import app
from worker.cli.stopping import Stopped, stoppable


def main() -> None:
    """Run one command and end with its exit code (contract.md section 1)."""
    try:
        with stoppable():
            app(prog_name="badge-worker")
    except Stopped as stopped:
        sys.exit(stopped.exit_code)


if __name__ == "__main__":
    main()

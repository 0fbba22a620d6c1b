"""A program that starts both embedded servers, says so, and waits: for tests of how it may end."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from worker.adapters.embedded import start_postgres, start_valkey


def main(folder: Path) -> None:
    valkey = start_valkey(folder / "valkey", persistent=True)
    postgres = start_postgres(folder, durable=False)
    print("started", valkey.pid, postgres.pid, flush=True)  # noqa: T201 # the test reads it
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        print("still running:", valkey.is_running(), postgres.is_running(), flush=True)  # noqa: T201 # likewise
        postgres.stop()
        valkey.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

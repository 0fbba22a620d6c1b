"""`make bench`: every figure from one run, with the machine and the versions.

python -m benchmarks [--events 60000] [--repeat 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import mix
from benchmarks.ingest import Rate, measure
from tests.support.services import Postgres
from worker.adapters.embedded import start_postgres, start_valkey
from worker.events import parse_event

_PACKAGES = ("celery", "psycopg", "pydantic", "redis", "sqlalchemy")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    report = run(wanted.events, wanted.repeat)
    if wanted.json:
        json.dump(report, sys.stdout, indent=1)
    else:
        _show(report)


def run(count: int, repeat: int) -> dict[str, Any]:
    """Measure every case so many times, in turn, and return medians."""
    events = mix.events(count)
    rates: dict[str, list[float]] = {}
    memory = 0.0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="badge-worker-bench-")))
        folder.chmod(0o755)
        server = Postgres(stack.enter_context(start_postgres(folder / "postgres")).url)
        redis_url = stack.enter_context(start_valkey(folder / "valkey", persistent=False)).url
        for turn in range(repeat):
            for rate in _turn(server, redis_url, folder, turn, events):
                rates.setdefault(rate.case, []).append(rate.per_second)
                memory = max(memory, rate.memory)
        rates["parse alone"] = [_parse(events) for _ in range(repeat)]
    return {
        "machine": {"cpus": _cpus(), "platform": platform.platform(), "python": platform.python_version()},
        "versions": {name: version(name) for name in _PACKAGES},
        "events": count,
        "repeat": repeat,
        "events_per_second": {case: round(statistics.median(found)) for case, found in rates.items()},
        "spread": {case: [round(min(found)), round(max(found))] for case, found in rates.items()},
        "largest_consumer_mib": round(memory, 1),
    }


def _turn(server: Postgres, redis_url: str, folder: Path, turn: int, events: list[bytes]) -> list[Rate]:
    found = []
    for consumers in (1, 2):
        with server.database() as url:
            case = f"PostgreSQL, {consumers} consumer{'s' if consumers > 1 else ''}"
            found.append(measure(case, url, redis_url, folder, consumers=consumers, events=events))
    sqlite = f"sqlite:///{folder / f'bench-{turn}.db'}"
    found.append(measure("SQLite, 1 consumer", sqlite, redis_url, folder, consumers=1, events=events))
    return found


def _parse(events: list[bytes]) -> float:
    now = datetime.now(UTC)
    begin = time.perf_counter()
    for body in events:
        parse_event(body, now)
    return len(events) / (time.perf_counter() - begin)


def _cpus() -> int:
    return len(os.sched_getaffinity(0))


def _show(report: dict[str, Any]) -> None:
    console = Console()
    table = Table(
        title=f"{report['events']} events of the mix, median of {report['repeat']}", title_justify="left"
    )
    table.add_column("case")
    table.add_column("events/s", justify="right")
    table.add_column("from … to", justify="right")
    for case, rate in report["events_per_second"].items():
        low, high = report["spread"][case]
        table.add_row(case, f"{rate:,}", f"{low:,} … {high:,}")
    console.print(table)
    console.print(
        f"largest consumer: {report['largest_consumer_mib']} MiB; {report['machine']}; {report['versions']}"
    )


if __name__ == "__main__":
    main()

"""The event queues side by side: events published, and events read and acknowledged, a second.

python -m benchmarks.queues [--events 50000] [--repeat 3] [--json]

One process on each side and nothing behind it: no parsing, no database. Batches of 500, as a consumer reads
them. Redis Streams with an append-only file that is synced every second; RabbitMQ with a durable quorum
queue, which is synced before it confirms.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from benchmarks import mix
from tests.support.rabbitmq import running_rabbitmq
from worker.adapters.embedded import start_valkey
from worker.adapters.queues import open_queue
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 500
_PACKAGES = ("amqp", "hiredis", "kombu", "redis")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    report = run(wanted.events, wanted.repeat)
    if wanted.json:
        json.dump(report, sys.stdout, indent=1)
    else:
        show(report)


def run(count: int, repeat: int) -> dict[str, Any]:
    """Measure both brokers in turn, so many times, and return medians."""
    events = mix.events(count)
    rates: dict[str, dict[str, list[float]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="badge-worker-queues-")))
        urls = _brokers(stack, folder)
        for turn in range(repeat):
            for broker, url in urls.items():
                for what, rate in _measure(url.format(turn), events).items():
                    rates.setdefault(broker, {}).setdefault(what, []).append(rate)
    return {
        "versions": {name: version(name) for name in _PACKAGES},
        "events": count,
        "repeat": repeat,
        "events_per_second": {
            broker: {what: round(statistics.median(found)) for what, found in measured.items()}
            for broker, measured in rates.items()
        },
    }


def _brokers(stack: ExitStack, folder: Path) -> dict[str, str]:
    """Start the brokers that there are; `{}` in their URLs stands for the turn."""
    valkey = stack.enter_context(start_valkey(folder / "valkey", persistent=True))
    urls = {"Redis Streams": f"{valkey.url}?stream=events-{{}}"}
    try:
        rabbitmq = stack.enter_context(running_rabbitmq(folder / "rabbitmq"))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
    else:
        urls["RabbitMQ"] = rabbitmq.url(queue="events-{}")
    return urls


def _measure(url: str, events: list[bytes]) -> dict[str, float]:
    queue = open_queue(url)
    try:
        return {
            "published and confirmed": len(events) / _seconds(lambda: _publish(queue, events)),
            "read and acknowledged": len(events) / _seconds(lambda: _read(queue, len(events))),
        }
    finally:
        queue.close()


def _publish(queue: Any, events: list[bytes]) -> None:
    for start in range(0, len(events), BATCH):
        queue.publish(events[start : start + BATCH])


def _read(queue: Any, count: int) -> None:
    while count:
        batch = list(queue.read(min(BATCH, count), 10))
        while batch and len(batch) < min(BATCH, count):
            batch += queue.read(min(BATCH, count) - len(batch), 10)
        queue.acknowledge(batch)
        count -= len(batch)


def _seconds(act: Callable[[], None]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def show(report: dict[str, Any]) -> None:
    table = Table(title=f"{report['events']} events in batches of {BATCH}, events/s")
    measured = report["events_per_second"]
    table.add_column("")
    for broker in measured:
        table.add_column(broker, justify="right")
    for what in next(iter(measured.values())):
        table.add_row(what, *(f"{found[what]:,}" for found in measured.values()))
    console = Console()
    console.print(table)
    console.print(", ".join(f"{name} {number}" for name, number in report["versions"].items()))


if __name__ == "__main__":
    main()

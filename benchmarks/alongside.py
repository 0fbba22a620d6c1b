"""What a consumer feels of everybody's evaluation: paced events on the same people, with and without it.

python -m benchmarks.alongside URL PEOPLE SECONDS RATE: one consumer, in a process of its own, without a
queue; RATE 0 is as fast as it can. Prints one JSON document.
"""

from __future__ import annotations

import hashlib
import json
import random
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from worker.adapters.database.engine import make_engine
from worker.adapters.database.store import Database
from worker.awarding import Awarding

BATCH = 500


@dataclass(frozen=True, slots=True)
class Pace:
    """How a consumer got on: events a second, and milliseconds of a batch."""

    per_second: int
    median_ms: float
    p95_ms: float


def start(url: str, people: int, seconds: float, rate: float) -> subprocess.Popen[str]:
    """Start a consumer that takes events in at this rate for so long."""
    words = [url, str(people), str(seconds), str(rate)]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.alongside", *words], stdout=subprocess.PIPE, text=True
    )


def result(consumer: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for its end and return its pace."""
    out, _ = consumer.communicate(timeout=600)
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def consume(url: str, people: int, seconds: float, rate: float) -> Pace:
    """Be that consumer."""
    database = Database(make_engine(url))
    awarding = Awarding(database, lambda: datetime.now(UTC))
    took: list[float] = []
    number = 0
    begin = time.perf_counter()
    while (passed := time.perf_counter() - begin) < seconds:
        if rate and number > passed * rate:
            time.sleep(number / rate - passed)
        bodies = [_event(number + each, people) for each in range(BATCH)]
        before = time.perf_counter()
        awarding.ingest(bodies)
        took.append(1000 * (time.perf_counter() - before))
        number += BATCH
    whole = time.perf_counter() - begin
    p95 = statistics.quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
    return Pace(round(number / whole), round(statistics.median(took), 1), round(p95, 1))


def _event(number: int, people: int) -> bytes:
    user = hashlib.md5(str(random.randrange(people)).encode(), usedforsecurity=False).hexdigest()
    event = {
        "specversion": "1.0",
        "id": f"alongside-{time.time_ns()}-{number}",
        "source": "https://lms.example.org",
        "type": "post.created.v1",
        "time": datetime.now(UTC).isoformat(),
        "data": {"user_id": user, "post_id": f"post-{time.time_ns()}-{number}"},
    }
    return json.dumps(event).encode()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    pace = consume(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
    print(json.dumps(asdict(pace)))

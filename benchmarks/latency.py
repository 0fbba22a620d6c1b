"""From `XADD` to the committed award, under a steady load: the publisher's clock and PostgreSQL's are one."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks import mix
from benchmarks.ground import Ground
from benchmarks.ingest import check, running
from benchmarks.publisher import PATH
from benchmarks.stream import Streams
from tests.support.services import plain

_BADGE = "probe"
_COMMITTED = """
SELECT user_id, EXTRACT(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM awards WHERE badge_id = %s
"""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from sending to commit, of so many probes, and the publisher's own longest delay."""

    probes: int
    p50: float
    p99: float
    worst: float
    publisher_late: float


def definitions() -> dict[str, Any]:
    """Return the mix's badges and the probes'."""
    found = mix.definitions()
    probe = {
        "title": "Probe",
        "picture": "https://example.org/badge.png",
        "criteria": {"lp_enroll": {"learning_path_id": PATH}},
    }
    return {"badges": {**found["badges"], _BADGE: probe}}


def measure(
    ground: Ground,
    streams: Streams,
    database_url: str,
    warm_up: Sequence[bytes],
    rate: float,
    seconds: float,
    batch_size: int,
) -> Latency:
    """Publish at `rate` events a second for so many seconds, with two consumers at work."""
    with running(ground, streams, database_url, warm_up, 2, batch_size) as consumers:
        options = ["--redis", ground.redis_url, "--rate", str(rate), "--seconds", str(seconds)]
        command = [sys.executable, "-m", "benchmarks.publisher", *options]
        published = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        streams.await_done(lambda: check(consumers))
    with psycopg.connect(plain(database_url)) as connection:
        committed: dict[str, float] = dict(connection.execute(_COMMITTED, [_BADGE]).fetchall())
    taken = sorted((committed[user_id] - at) * 1000 for user_id, at in published["sent"].items())
    percentiles = statistics.quantiles(taken, n=100, method="inclusive")
    return Latency(len(taken), percentiles[49], percentiles[98], taken[-1], published["longest_delay"] * 1000)

"""A publisher that keeps to a rate, as a process of its own; on its output it says when each probe went out.

python -m benchmarks.publisher --redis URL --rate 10000 --seconds 20

Every hundredth event enrols a fresh user in the learning path `probe`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import redis

from benchmarks import mix
from worker.adapters.queues.redis_streams import FIELD, STREAM
from worker.adapters.redis_connection import connect

EVERY = 100
PATH = "probe"
TICK = 0.005  # seconds between two handfuls


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--redis", required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=7)
    wanted = parser.parse_args()
    bodies = with_probes(mix.events(round(wanted.rate * wanted.seconds), wanted.seed))
    json.dump(publish(connect(wanted.redis), bodies, wanted.rate), sys.stdout)


def with_probes(bodies: list[bytes]) -> list[bytes]:
    """Replace every hundredth event by a probe of a user of its own."""
    for number in range(0, len(bodies), EVERY):
        event = json.loads(bodies[number])
        event |= {"id": f"probe-{number}", "type": "learning_path.enrolled.v1"}
        event["data"] = {"user_id": f"probe-{number}", "learning_path_id": PATH}
        bodies[number] = json.dumps(event).encode()
    return bodies


def publish(client: redis.Redis, bodies: list[bytes], rate: float) -> dict[str, Any]:
    """Send what is due, again and again; return when each probe was sent, and the longest delay of ours."""
    sent: dict[str, float] = {}
    begin, done, latest = time.perf_counter(), 0, 0.0
    while done < len(bodies):
        due = min(len(bodies), int((time.perf_counter() - begin) * rate) + 1)
        latest = max(latest, (due - done) / rate)
        with client.pipeline(transaction=False) as pipeline:
            for number in range(done, due):
                pipeline.xadd(STREAM, {FIELD: bodies[number]})
            at = time.time()
            pipeline.execute()
        sent |= {f"probe-{number}": at for number in range(done, due) if number % EVERY == 0}
        done = due
        time.sleep(TICK)
    return {"sent": sent, "longest_delay": latest, "seconds": time.perf_counter() - begin}


if __name__ == "__main__":
    main()

"""A process that calls as fast as its permits let it, and prints when each call arrived.

Run as ``python -m tests.unit.adapters.hammer URL CALLS WINDOW THREADS ROUNDS CLOCK_OFF``. Times are of the
monotonic clock, which all processes of a machine share; CLOCK_OFF is by how many seconds this process's
calendar clock is wrong.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time

from worker.adapters.permits import RateLimit, RedisPermits
from worker.adapters.redis_connection import connect

DEADLINE = 0.3  # seconds that a call may last
DIES = 0.3  # how many of the calls nobody hears of again


def hammer(permits: RedisPermits, rounds: int, arrivals: list[float], dice: random.Random) -> None:
    for _ in range(rounds):
        permit = permits.acquire("academy", 120)
        time.sleep(dice.uniform(0, DEADLINE))
        if (now := time.monotonic()) < permit.call_by:
            arrivals.append(now)
        if dice.random() > DIES:
            time.sleep(dice.uniform(0, DEADLINE))
            permit.answered()


def main(url: str, calls: str, window: str, threads: str, rounds: str, clock_off: str) -> None:
    right = time.time
    time.time = lambda: right() + float(clock_off)
    permits = RedisPermits(connect(url), {"academy": RateLimit(int(calls), float(window), DEADLINE)})
    arrivals: list[float] = []
    dice = random.Random()  # noqa: S311 - no secret
    running = [
        threading.Thread(target=hammer, args=(permits, int(rounds), arrivals, dice))
        for _ in range(int(threads))
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    print(json.dumps(arrivals))  # noqa: T201 - what it is there for


if __name__ == "__main__":
    main(*sys.argv[1:])

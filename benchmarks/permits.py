"""How much of the permitted calls is used: a backlog, four task workers, answers of 20 to 600 ms.

    python -m benchmarks.permits [--calls 100] [--window 60] [--windows 5]

The sandbox counts exactly so many calls in any window, on arrival, and refuses the rest with 429.
"""

from __future__ import annotations

import argparse
import json
import time
from bisect import bisect_left
from contextlib import ExitStack
from typing import Any

from tests.drills import issuing
from tests.drills.issuing import Drill, Plan, ground


class Backlog(Drill):
    """A drill in which nothing fails: one award a badge, so that every award takes a call of its own."""

    def until(self, seconds: float) -> list[dict[str, Any]]:
        """Let the workers call for so long after the first call, and return the calls."""
        self.prepare()
        self.publish()
        self.workers()
        self.break_things({"rules": [{"fault": "slow", "path": "/", "seconds": [0.02, 0.6]}]})
        while not (calls := self.calls()) or time.time() < calls[0]["time"] + seconds:
            time.sleep(1)
        return calls


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--window", type=float, default=60.0)
    parser.add_argument("--windows", type=int, default=5)
    wanted = parser.parse_args()
    needed = wanted.calls * (wanted.windows + 2)
    plan = Plan(needed, needed, 4, wanted.calls, wanted.window, wanted.window, timeout=30.0)
    with ground() as (folder, urls), ExitStack() as stack:
        calls = Backlog(plan, 1, folder, urls, stack).until(wanted.windows * wanted.window + 2)
    times = sorted(call["time"] for call in calls)
    used = bisect_left(times, times[0] + wanted.windows * wanted.window)
    permitted = wanted.calls * wanted.windows
    figures = {
        "windows": wanted.windows,
        "permitted": permitted,
        "used": used,
        "share": round(used / permitted, 4),
        "most_calls_in_a_window": issuing.fullest(times, wanted.window),
        "refused_with_429": sum(call["status"] == 429 for call in calls),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

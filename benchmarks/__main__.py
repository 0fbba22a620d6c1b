"""`make bench`: every figure and ratio from one run, with the machine and the versions.

python -m benchmarks [--events 200000] [--repeat 3] [--only one,two] [--json FILE] [--full]

A turn measures every case once, so that a noisy minute hits all of them; shown are the medians of the turns,
and ratios of what was measured in the same turn. Evaluating everybody is measured in the first turn alone.
`--full` adds the brokers side by side.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import queues
from benchmarks.cases import BATCH, Cases, known
from benchmarks.figures import Figures, show, write
from benchmarks.ground import Ground, ground, load, machine

NAMES = "one,bare,two,latency,plain,default,single,statements,sqlite,stored,badges,pages,everybody,simulate"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default=NAMES, help=f"some of {NAMES}")
    parser.add_argument("--stored", type=int, default=10_000_000, help="activities in the large database")
    parser.add_argument("--batch-size", type=int, default=BATCH, help="BATCH_SIZE of the consumers")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--full", action="store_true")
    wanted = parser.parse_args()
    only = wanted.only.split(",")
    if unknown := set(only) - set(NAMES.split(",")):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {NAMES}")
    with ground() as servers:
        report, figures = run(servers, wanted, only)
    show(report, figures.measured())
    if wanted.full:
        report["others"] = others()
    if wanted.json:
        write(report, wanted.json)


def run(servers: Ground, wanted: argparse.Namespace, only: list[str]) -> tuple[dict[str, Any], Figures]:
    """Measure these cases so many times, and return what was found."""
    figures = Figures(known(wanted.stored))
    cases = Cases(servers, figures, wanted.events, wanted.stored, wanted.batch_size)
    before = load()
    for turn in range(wanted.repeat):
        cases.begin(turn)
        for name, case in cases.by_name().items():
            if name in only:
                begin = time.perf_counter()
                case()
                _say(f"turn {turn + 1}: {name} ({time.perf_counter() - begin:.0f} s)")
        cases.end()
    report = {
        "events": wanted.events,
        "turns": wanted.repeat,
        "batch_size": wanted.batch_size,
        "machine": machine(),
        "postgres": servers.settings(),
        "broker": servers.broker(),
        "load": {"before": before, "after": load()},
        "figures": {name: figure.as_json() for name, figure in figures.measured().items()},
    }
    return report, figures


def others() -> dict[str, Any]:
    """Run what measures itself: the brokers side by side."""
    _say("brokers")
    brokers = queues.run(50_000, 3)
    queues.show(brokers)
    return {"queues": brokers}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

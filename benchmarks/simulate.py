"""How long `badge-worker simulate` takes for 100,000 events of the mix, from start to end of the command.

python -m benchmarks.simulate [--events 100000] [--repeat 3]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import mix

AT_MOST = 5.0  # seconds for 100,000 events


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds for the whole command, the median of several runs, and how many awards there would be."""

    events: int
    seconds: float
    awards: int


def measure(events: int = 100_000, repeat: int = 3) -> Timing:
    """Run the command as a process of its own so many times."""
    with tempfile.TemporaryDirectory(prefix="badge-worker-bench-") as folder:
        badges, file = Path(folder) / "badges.json", Path(folder) / "events.jsonl"
        badges.write_text(json.dumps(mix.definitions()))
        file.write_bytes(b"\n".join(mix.events(events)))
        runs = [_run(badges, file) for _ in range(repeat)]
    return Timing(events, statistics.median(seconds for seconds, _ in runs), runs[0][1])


def _run(badges: Path, file: Path) -> tuple[float, int]:
    command = [sys.executable, "-m", "worker", "simulate", str(badges), str(file), "--json"]
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - begin, len(json.loads(done.stdout)["awards"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    wanted = parser.parse_args()
    found = measure(wanted.events, wanted.repeat)
    print(
        f"simulate: {found.events:,} events in {found.seconds:.2f} s "
        f"({found.events / found.seconds:,.0f} events/s), {found.awards:,} awards"
    )


if __name__ == "__main__":
    main()

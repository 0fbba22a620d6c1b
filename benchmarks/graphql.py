"""How fast pages of badges are, against the same schema over ready-made objects, over HTTP and side by side.

python -m benchmarks.graphql [--users 1000000] [--badges 1000] [--seconds 10] [--rounds 3] [--json]

Both are served by processes of their own, by the same code but for what the resolver answers from: a
database with so many users and badges, or a page that was made before. Each round measures one after the
other, at full load, and then what the database's pages take at half of it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.ground import prepare
from benchmarks.population import settle
from tests.support.ports import free_port
from worker.adapters.database.engine import make_engine
from worker.adapters.embedded import start_postgres

TOKEN = "benchmark"  # noqa: S105 # of two servers that live for seconds
LEAST_RATIO = 0.6
MOST_P99 = 0.05  # seconds
DAY = 86_400
_AT_ONCE = 4
QUERY = """
query Page($first: Int, $after: Cursor) {
  getBadges(first: $first, after: $after) {
    totalItems
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node {
      id title picture { url } status earned(format: "Y-m-d")
      earningCriteria {
        __typename
        ... on BadgeEarningCriteriaLpComplete { learningPathId }
        ... on BadgeEarningCriteriaLpPassed { learningPathId }
        ... on BadgeEarningCriteriaLpEnroll { learningPathId }
        ... on BadgeEarningCriteriaSocialConnection { threshold currentThreshold period }
        ... on BadgeEarningCriteriaSocialEngagement { threshold currentThreshold }
        ... on BadgeEarningCriteriaRegisteredFor { threshold currentThreshold }
      }
    } }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one measurement found: requests a second, and seconds that they took."""

    per_second: float
    median: float
    p99: float


@dataclass(frozen=True, slots=True)
class Round:
    """Pages from the database, ready-made ones, and the former at half of their load."""

    database: Load
    ready_made: Load
    half: Load

    @property
    def ratio(self) -> float:
        return self.database.per_second / self.ready_made.per_second

    def as_json(self) -> dict[str, Any]:
        rounded = {
            name: {key: round(value, 5) for key, value in each.items()} for name, each in asdict(self).items()
        }
        return {**rounded, "ratio": round(self.ratio, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--badges", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    report = run(wanted.users, wanted.badges, wanted.seconds, wanted.rounds)
    if wanted.json:
        json.dump(report, sys.stdout, indent=1)
    else:
        show(report)


def run(users: int, badges: int, seconds: float = 10, rounds: int = 3) -> dict[str, Any]:
    """Measure on a server of its own, and return the figures."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="badge-worker-bench-")))
        folder.chmod(0o755)
        url = stack.enter_context(start_postgres(folder / "postgres")).url
        fill(url, users, badges)
        found = [measure(url, users, seconds) for _ in range(rounds)]
    return {
        "users": users,
        "badges": badges,
        "rounds": [each.as_json() for each in found],
        "ratio": round(statistics.median(each.ratio for each in found), 3),
        "p99_at_half_load": round(statistics.median(each.half.p99 for each in found), 4),
    }


def measure(url: str, users: int, seconds: float) -> Round:
    """Measure one round on a database that was filled with so many users."""
    uuids = [f"uuid-{number}" for number in range(0, users, max(1, users // 1000))]
    with _serving(url) as real, _serving(url, "--ready-made") as ready:
        for site in (real, ready):
            load(site, uuids, 3)  # what is read, parsed and planned but once
        ours, bare = load(real, uuids, seconds), load(ready, uuids, seconds)
        return Round(ours, bare, load(real, uuids, seconds, pace=ours.per_second / 2))


def fill(url: str, users: int, badges: int) -> None:
    """Fill an empty database: each user has a uuid, some activities and some awards."""
    prepare(url, {"badges": dict(_badge(number) for number in range(badges))})
    engine = make_engine(url)
    settle(engine, users, users * 5)
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE users SET uuid = 'uuid-' || n, uuid_at = now(), scope = 'AUTHENTICATED' "
                "FROM generate_series(0, :users - 1) n WHERE user_id = md5(n::text)"
            ),
            {"users": users},
        )
        connection.execute(
            text(
                "INSERT INTO awards (user_id, badge_id, state, definition_version, earned_at, decided_at, "
                "because, due_at) SELECT md5(n::text), "
                "'badge-' || lpad(((n * 7 + k * 311) % :badges)::text, 4, '0'), "
                "'earned', 1, now(), now(), '[]', now() "
                "FROM generate_series(0::bigint, :users - 1) n, generate_series(0, 1) k "
                "ON CONFLICT DO NOTHING"
            ),
            {"users": users, "badges": badges},
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _badge(number: int) -> tuple[str, dict[str, Any]]:
    path = {"learning_path_id": f"path-{number}"}
    criteria: list[dict[str, dict[str, Any]]] = [
        {"lp_enroll": path},
        {"lp_complete": path},
        {"lp_passed": path},
        {"social_connection": {"threshold": number + 1}},
        {"social_connection": {"threshold": number + 1, "period": (1 + number % 2) * 7 * DAY}},
        {"social_engagement": {"threshold": number + 1}},
        {"registered_for": {"threshold": (number + 1) * DAY}},
    ]
    picture = f"https://example.org/{number}.png"
    return f"badge-{number:04}", {
        "title": f"Badge {number}",
        "picture": picture,
        "criteria": criteria[number % 7],
    }


@contextmanager
def _serving(url: str, *options: str) -> Iterator[str]:
    """Serve the pages in a process of their own, and give its address."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.graphql_site", url, str(port), _digest(TOKEN), *options]
    process = subprocess.Popen(command)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def load(site: str, uuids: list[str], seconds: float, pace: float | None = None) -> Load:
    """Ask for so many seconds, four at a time: as fast as answers come, or at a pace a second."""
    return asyncio.run(_load(site, uuids, seconds, pace))


async def _load(site: str, uuids: list[str], seconds: float, pace: float | None) -> Load:
    body = json.dumps({"query": QUERY, "variables": {"first": 20}}).encode()
    requests = [_request(uuid, body) for uuid in uuids]
    connections = [await _connected(site) for _ in range(_AT_ONCE)]
    taken: list[float] = []
    begin = time.perf_counter()
    turns = count()

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (now := time.perf_counter()) < begin + seconds:
            turn = next(turns)
            due = begin + turn / pace if pace else now
            if due > now:
                await asyncio.sleep(due - now)
            writer.write(requests[turn % len(requests)])
            await _answer(reader)
            taken.append(time.perf_counter() - due)
        writer.close()

    await asyncio.gather(*(ask(*each) for each in connections))
    lasted = time.perf_counter() - begin
    quantiles = statistics.quantiles(taken, n=100)
    return Load(len(taken) / lasted, quantiles[49], quantiles[98])


async def _connected(site: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = site.split(":")
    for _ in range(300):
        try:
            return await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(0.1)
    raise TimeoutError(site)


def _request(uuid: str, body: bytes) -> bytes:
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: benchmark\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Opigno-Client-UUID: {uuid}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer; anything but a page is a mistake."""
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode())
    (length,) = [
        line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    ]
    body = await reader.readexactly(int(length))
    if body.count(b'"cursor"') != 20:
        raise RuntimeError(body[:500].decode())
    return body


def show(report: dict[str, Any]) -> None:
    print(f"{report['users']:,} users, {report['badges']:,} badges, pages of 20, four at a time")
    for each in report["rounds"]:
        print(
            "  " + ", ".join(f"{name} {_plainly(each[name])}" for name in ("database", "ready_made", "half"))
        )
    print(f"ratio {report['ratio']:.0%}, at least {LEAST_RATIO:.0%} wanted")
    print(
        f"p99 at half load {report['p99_at_half_load'] * 1000:.1f} ms, at most {MOST_P99 * 1000:.0f} wanted"
    )


def _plainly(found: dict[str, float]) -> str:
    return (
        f"{found['per_second']:.0f}/s (p50 {found['median'] * 1000:.1f} ms, p99 {found['p99'] * 1000:.1f} ms)"
    )


if __name__ == "__main__":
    main()

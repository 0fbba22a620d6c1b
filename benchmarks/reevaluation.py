"""How long everybody's evaluation takes for each kind of criterion; a sweep; and what consumers feel of it.

python -m benchmarks.reevaluation [--users 100000] [--activities 1000000] [--workers 1] [--seconds 20]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from benchmarks import alongside
from benchmarks.population import settle
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.adapters.database.store import Database
from worker.adapters.embedded import start_postgres
from worker.applying import apply, changes_between
from worker.planning import would_gain
from worker.ports import Reason
from worker.reevaluation import backfill, sweep
from worker.rules.definitions import Definitions, read_definitions

DAY = 86_400
# A tenth of the people or so earns each.
CRITERIA: dict[str, dict[str, Any]] = {
    "lp_enroll": {"lp_enroll": {"learning_path_id": "path-1"}},
    "lp_complete": {"lp_complete": {"learning_path_id": "path-2"}},
    "lp_passed": {"lp_passed": {"learning_path_id": "path-3"}},
    "social_connection": {"social_connection": {"threshold": 7}},
    "social_connection, windowed": {"social_connection": {"threshold": 4, "period": 14 * DAY}},
    "social_engagement": {"social_engagement": {"threshold": 6}},
    "registered_for": {"registered_for": {"threshold": 900 * DAY}},
    "all_of": {
        "all_of": [{"social_engagement": {"threshold": 2}}, {"lp_enroll": {"learning_path_id": "path-4"}}]
    },
    "any_of": {
        "any_of": [{"social_engagement": {"threshold": 8}}, {"lp_enroll": {"learning_path_id": "path-5"}}]
    },
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One criterion: seconds to count who would gain it, to award them, and to look again for nobody."""

    criterion: str
    earned: int
    plan: float
    new_badge: float
    again: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--activities", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20, help="of consuming alone, and of it alongside")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    report = run(wanted.users, wanted.activities, wanted.workers, wanted.seconds)
    if wanted.json:
        json.dump(report, sys.stdout, indent=1)
    else:
        show(report)


def run(people: int, activities: int, workers: int = 1, seconds: float = 20) -> dict[str, Any]:
    """Measure all of it on one population, and return the figures."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="badge-worker-bench-")))
        folder.chmod(0o755)
        engine = make_engine(stack.enter_context(start_postgres(folder / "postgres")).url)
        stack.callback(engine.dispose)
        upgrade(engine)
        begin = time.perf_counter()
        settle(engine, people, activities)
        loaded = time.perf_counter() - begin
        database = Database(engine)
        measured = []
        for name in CRITERIA:
            measured.append(_measure(database, name, workers))
            print(measured[-1], file=sys.stderr, flush=True)
        url = engine.url.render_as_string(hide_password=False)
        return {
            "users": people,
            "activities": activities,
            "workers": workers,
            "seconds_to_load": round(loaded, 1),
            "evaluation": [asdict(each) for each in measured],
            "sweep": _sweep(database),
            "consumer": _alongside(database, url, people, seconds),
        }


def _measure(database: Database, name: str, workers: int) -> Measured:
    definitions = _definitions(CRITERIA[name])
    with database.change() as stored:
        changes = changes_between(stored.badges(), definitions)
    plan = _timed(lambda: would_gain(database, changes))
    apply(database, definitions)
    before = _count(database)
    new_badge = _timed(lambda: _work(database, workers))
    earned = _count(database) - before
    _vacuum(database)
    database.evaluate_all(Reason.ASKED, None, None)
    again = _timed(lambda: _work(database, workers))
    return Measured(name, earned, plan, new_badge, again)


def _definitions(criteria: dict[str, Any], more: str = "") -> Definitions:
    """Return a badges file with one badge of this criterion; the one before is disabled by it."""
    name = f"{hashlib.sha256(json.dumps(criteria).encode()).hexdigest()[:12]}{more}"
    badge = {"title": name, "picture": "https://example.org/badge.png", "criteria": criteria}
    definitions, problems = read_definitions({"badges": {name: badge}})
    if problems:
        raise ValueError(problems)
    return definitions


def _work(database: Database, workers: int) -> None:
    """Work off what is noted, in so many threads."""
    with ThreadPoolExecutor(workers) as pool:
        for each in [pool.submit(backfill, database) for _ in range(workers)]:
            each.result()


def _sweep(database: Database, due: int = 1000) -> dict[str, float]:
    """Let so many people fall due, and sweep them up."""
    criteria = {"registered_for": {"threshold": 4000 * DAY}}
    apply(database, _definitions(criteria))
    backfill(database)
    sweep(database)
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE users SET registered_at = (SELECT swept_to FROM rulebook) - interval '4000 days' "
                "+ random() * interval '1 second' + interval '1 millisecond' "
                "WHERE user_id IN (SELECT user_id FROM users LIMIT :due)"
            ),
            {"due": due},
        )
    time.sleep(1.1)
    _vacuum(database)
    before = _count(database)
    seconds = _timed(lambda: sweep(database))
    nobody = _timed(lambda: sweep(database))
    return {"due": _count(database) - before, "seconds": seconds, "seconds_with_nobody_due": nobody}


def _alongside(database: Database, url: str, people: int, seconds: float) -> dict[str, Any]:
    """Let a consumer work at a quarter of its full load, alone and while everybody is evaluated."""
    full = alongside.result(alongside.start(url, people, seconds / 2, 0))
    quarter = full["per_second"] / 4
    alone = alongside.result(alongside.start(url, people, seconds, quarter))
    consumer = alongside.start(url, people, seconds, quarter)
    evaluations = 0
    while consumer.poll() is None:
        criteria = list(CRITERIA.values())[evaluations % len(CRITERIA)]
        apply(database, _definitions(criteria, str(evaluations)))
        backfill(database)
        evaluations += 1
    return {
        "at_full_load": full,
        "at_a_quarter": alone,
        "with_evaluations": alongside.result(consumer),
        "evaluations": evaluations,
    }


def _timed(function: Any) -> float:
    begin = time.perf_counter()
    function()
    return round(time.perf_counter() - begin, 3)


def _count(database: Database) -> int:
    return sum(database.count_awards().values())


def _vacuum(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE awards"))


def show(report: dict[str, Any]) -> None:
    title = f"{report['users']:,} users, {report['activities']:,} activities, workers: {report['workers']}"
    table = Table(title=title, title_justify="left")
    for column in ("criterion", "people who earn it", "plan s", "new badge s", "again s"):
        table.add_column(column, justify="left" if column == "criterion" else "right")
    for each in report["evaluation"]:
        times = (f"{each[name]:.1f}" for name in ("plan", "new_badge", "again"))
        table.add_row(each["criterion"], f"{each['earned']:,}", *times)
    console = Console()
    console.print(table)
    swept = report["sweep"]
    console.print(
        f"a sweep of {swept['due']} due: {swept['seconds']:.2f} s; of nobody: "
        f"{swept['seconds_with_nobody_due']:.3f} s; loaded in {report['seconds_to_load']} s"
    )
    for name, pace in report["consumer"].items():
        console.print(f"consumer, {name}: {pace}")


if __name__ == "__main__":
    main()

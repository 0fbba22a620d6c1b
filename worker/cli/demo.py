"""`badge-worker demo`: the main job on an embedded default, from events on the queue to assertions."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from worker.adapters.badges_file import load_definitions
from worker.awards import AwardState
from worker.cli.embedded import Whole
from worker.errors import BadgeWorkerError, ConfigurationError, TransientError
from worker.logs import configure_logging
from worker.settings import Settings, load_settings

TIME_LIMIT = 150.0  # seconds until a demo that does not end has failed
_UNSETTLED = {AwardState.PENDING.value, AwardState.ISSUING.value}
_WIDTH = 140  # characters
_BADGES: Path = Settings.model_fields["badges_file"].default  # what `up` reads unless it is told otherwise
_SHOWN = 12  # rows of a table that could have hundreds

Issued = Counter[tuple[str, str, str]]  # badge, address, earned at


@dataclass(frozen=True, slots=True)
class Sample:
    """The sample stream, its badges, and what must come of it by an independent replay."""

    badges: Path
    file: Path
    events: list[bytes]
    expected: dict[str, Any]


def demo() -> None:
    """Run the main job on sample events, with nothing to install or start; takes less than a minute.

    Publishes about 1,000 events, awards the badges they earn and issues them at an embedded Badgr sandbox,
    within its limit of 100 calls per 60 s. Exits 0 only if exactly the expected assertions are there.
    """
    settings = load_settings()
    configure_logging(settings.log_format, "warning" if settings.log_level == "info" else settings.log_level)
    console = _console()
    with tempfile.TemporaryDirectory(prefix="badge-worker-demo-") as folder:
        right = _run(console, Path(folder))
    raise typer.Exit(0 if right else 1)


def _console() -> Console:
    """Return a console wide enough for a whole URL in a row: one that can be clicked and copied."""
    console = Console()
    return console if console.width >= _WIDTH else Console(width=_WIDTH)


def _run(console: Console, folder: Path) -> bool:
    sample = _sample()
    console.print("Starting: Valkey, SQLite, Badgr sandbox, consumer, Celery worker, beat …")
    with Whole(folder, sample.badges, persistent=False) as whole:
        try:
            whole.services.queue.publish(sample.events)
            with _progress(console) as progress:
                _follow(whole, sample, progress)
        except TransientError:
            whole.tend()  # raises what lies behind it: a broker that has ended
            raise
        held = httpx.get(f"{whole.sandbox_url}/sandbox/assertions", timeout=10).json()
        calls = httpx.get(f"{whole.sandbox_url}/sandbox/calls", timeout=10).json()
        _show_badges(console, sample, held)
        _show_dead_letters(console, whole)
        _show_calls(console, whole, calls)
        right = _compare(console, _expected(sample), _held(sample, held))
    if right:
        _show_what_next(console, sample)
    return right


def _sample() -> Sample:
    """Find the sample: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parents[1]
    for examples, badges in (
        (package.parent / "examples", package.parent / "config" / "badges.yaml"),
        (package / "examples", package / "examples" / "badges.yaml"),
    ):
        if (file := examples / "events.jsonl").is_file():
            expected = json.loads((examples / "expected.json").read_text())
            return Sample(badges, file, file.read_bytes().splitlines(), expected)
    raise ConfigurationError("the sample events are missing: examples/events.jsonl")


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield progress


def _follow(whole: Whole, sample: Sample, progress: Progress) -> None:
    """Show how far it is, until nothing is left to do; raises BadgeWorkerError when that takes too long."""
    events = progress.add_task("events taken in", total=len(sample.events))
    issued = progress.add_task("badges issued", total=None)
    calls = progress.add_task("calls of the permitted", total=_permitted(whole))
    ends = time.monotonic() + TIME_LIMIT
    while time.monotonic() < ends:
        whole.tend()
        backlog = whole.services.queue.backlog()
        states = whole.services.database.count_awards()
        progress.update(events, completed=len(sample.events) - backlog)
        _update_issued(progress, issued, states)
        progress.update(calls, completed=_calls_used(whole))
        if backlog == 0 and not _UNSETTLED & states.keys() and states:
            return
        time.sleep(0.2)
    raise BadgeWorkerError(f"the demo did not end within {TIME_LIMIT:.0f} s; awards: {states}")


def _update_issued(progress: Progress, task: TaskID, states: dict[str, int]) -> None:
    done = states.get(AwardState.ISSUED.value, 0)
    left = sum(count for state, count in states.items() if state in _UNSETTLED)
    progress.update(task, completed=done, total=done + left or None)


def _permitted(whole: Whole) -> int:
    return sum(issuer.rate_limit.calls for issuer in whole.services.issuers().values())


def _calls_used(whole: Whole) -> int:
    issuers = whole.services.issuers()
    permits = whole.services.permits(issuers)
    return sum(issuer.rate_limit.calls - permits.room(name, 0) for name, issuer in issuers.items())


def _badges_by_class(sample: Sample) -> dict[str, str]:
    badges = load_definitions(sample.badges).badges
    return {badge.issue.target: name for name, badge in badges.items() if badge.issue}


def _expected(sample: Sample) -> Issued:
    return Counter(
        (each["badge"], each["recipient"], _normal(each["earned_at"])) for each in sample.expected["issued"]
    )


def _held(sample: Sample, held: list[dict[str, Any]]) -> Issued:
    names = _badges_by_class(sample)
    return Counter(
        (names.get(each["badgeclass"], each["badgeclass"]), each["recipient"], _normal(each["issuedOn"]))
        for each in held
        if not each["revoked"]
    )


def _normal(instant: str) -> str:
    return datetime.fromisoformat(instant).isoformat()


def _show_badges(console: Console, sample: Sample, held: list[dict[str, Any]]) -> None:
    names = _badges_by_class(sample)
    table = Table(title=f"Badges earned: {len(held)}", title_justify="left", box=SIMPLE_HEAD)
    for column in ("badge", "person", "earned", "assertion"):
        table.add_column(column, no_wrap=True)
    ordered = sorted(held, key=lambda each: (names.get(each["badgeclass"], ""), each["issuedOn"]))
    for each in ordered:
        badge = names.get(each["badgeclass"], each["badgeclass"])
        table.add_row(badge, each["recipient"], each["issuedOn"][:10], each["url"])
    console.print(table)


def _show_dead_letters(console: Console, whole: Whole) -> None:
    letters = whole.services.database.list_dead_letters()
    table = Table(title=f"Dead letters: {len(letters)}", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("times", justify="right")
    table.add_column("reason", overflow="fold")
    for letter in letters[:_SHOWN]:
        table.add_row(str(letter.times), letter.reason)
    if len(letters) > _SHOWN:
        table.add_row("", f"… and {len(letters) - _SHOWN} more")
    console.print(table)


def _show_calls(console: Console, whole: Whole, calls: list[dict[str, Any]]) -> None:
    statuses = Counter(call["status"] for call in calls)
    busiest = _busiest_minute([datetime.fromtimestamp(call["time"]).astimezone() for call in calls])
    refused = statuses.get(httpx.codes.TOO_MANY_REQUESTS, 0)
    console.print(
        f"Calls to the provider: {len(calls)}; in the busiest 60 s {busiest} of {_permitted(whole)} "
        f"permitted; refused with 429: {refused}",
        highlight=False,
    )


def _busiest_minute(times: list[datetime]) -> int:
    ordered = sorted(times)
    return max(
        (sum(start <= at < start + timedelta(seconds=60) for at in ordered) for start in ordered), default=0
    )


def _compare(console: Console, expected: Issued, held: Issued) -> bool:
    missing, surplus = expected - held, held - expected
    for title, wrong in (("missing", missing), ("not expected", surplus)):
        for (badge, address, earned), times in wrong.items():
            console.print(f"[red]{title}[/red]: {badge} for {address}, earned {earned} ({times} times)")
    if missing or surplus:
        return False
    console.print(f"[green]Exactly the {expected.total()} expected assertions are at the provider.[/green]")
    return True


def _show_what_next(console: Console, sample: Sample) -> None:
    """Say how to see the same at leisure: the demo's own things are gone by now."""
    here = Path.cwd()
    program = _typed(Path(sys.executable).with_name("badge-worker"), here)
    badges = "" if _BADGES.is_file() else f" --badges {_typed(sample.badges, here)}"
    console.print("\nNone of it is kept. To look around in the same, with an admin page, until Ctrl-C:")
    console.print(f"  {program} up{badges}", highlight=False, soft_wrap=True)
    console.print("and in another terminal, in this folder:")
    console.print(f"  {program} publish --raw {_typed(sample.file, here)}", highlight=False, soft_wrap=True)


def _typed(file: Path, folder: Path) -> str:
    """Return how a file is typed in a folder; `make demo` runs a program that is not on the PATH."""
    if not file.is_file() or shutil.which(file.name) == str(file):
        return file.name
    return str(file.relative_to(folder) if file.is_relative_to(folder) else file)

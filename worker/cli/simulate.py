# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker simulate`: what badges would make of a file of events, without database or broker."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import MofNCompleteColumn, SpinnerColumn

from worker.cli.options import AsJson, RowLimit
from worker.cli.output import (
    count,
    json_line,
    print_first,
    print_table,
    printable,
    progress,
    say,
)
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from worker.rules.definitions import Definitions
    from worker.simulating import Difference, Simulated, WouldEarn

_STEP = 1000  # lines between two looks at the progress bar

_Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE EVENTS", help="A badges file and events as JSON lines; - for stdin."),
]


def simulate(
    files: _Files,
    diff: Annotated[
        bool,
        typer.Option("--diff", help="Compare two badges files: --diff OLD NEW EVENTS.", show_default=False),
    ] = False,
    now: Annotated[
        str | None,
        typer.Option(
            metavar="INSTANT",
            help="As if it were now so late, as in 2026-01-31T12:00:00Z.",
            show_default="the clock",
        ),
    ] = None,
    limit: RowLimit = None,
    as_json: AsJson = False,
) -> None:
    """Say who would earn what, and when, from a file of events: a dry run, without database or broker.

    simulate FILE EVENTS takes the events in, in their order, as if all of them came now, with the badges of
    FILE in force; the code that does it for real does it here. Lines that are no events are named on stderr
    and left out. simulate --diff OLD NEW EVENTS shows what a change from OLD to NEW would have done.
    """
    at = _instant(now)
    *badges, events = _named(files, ("OLD", "NEW", "EVENTS") if diff else ("FILE", "EVENTS"))
    rules = [_definitions(file) for file in badges]
    lines = list(_lines(events)) if diff else _lines(events)
    with _quickly():
        found = [_simulate(each, lines, at) for each in rules]
    for line in found[0].refused:
        print(f"{events}:{line.line}: {printable(line.reason)}", file=sys.stderr)
    if diff:
        _tell_difference(found[0], found[1], at, limit, as_json=as_json)
    else:
        _tell(found[0], rules[0], at, limit, as_json=as_json)


def _named(files: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    if len(files) != len(names):
        raise ConfigurationError(
            f"simulate: {' '.join(names)}, please; here are {count(len(files), 'file')}"
            "; two badges files are compared with --diff OLD NEW EVENTS"
        )
    return files


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ConfigurationError(
            f"--now {text}: an instant with its offset, please, as in 2026-01-31T12:00:00Z"
        )
    return at.astimezone(UTC)


def _definitions(file: str) -> Definitions:
    from worker.adapters.badges_file import load_definitions

    return load_definitions(Path(file))


def _lines(file: str) -> Iterator[bytes]:
    """Yield the lines of a file; raises ConfigurationError if it cannot be read."""
    if file == "-":
        yield from sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as lines:
            yield from lines
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from None


def _simulate(definitions: Definitions, lines: Iterable[bytes], at: datetime) -> Simulated:
    from worker import simulating
    from worker.adapters.memory_store import MemoryStore
    from worker.logs import configure_logging

    configure_logging(level="error")  # what consumers warn of is told once, with its line
    store = MemoryStore(simulating.stored_badges(definitions), at)
    with progress(SpinnerColumn(), "simulating", MofNCompleteColumn(), "lines") as bar:
        task = bar.add_task("simulating", total=None)

        def shown() -> Iterator[bytes]:
            for number, line in enumerate(lines):
                if number % _STEP == 0:
                    bar.update(task, completed=number)
                yield line

        return simulating.simulate(store, definitions, shown(), at)


@contextmanager
def _quickly() -> Iterator[None]:
    """Do not look for cycles meanwhile: nothing makes any, and looking takes a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _tell(
    found: Simulated, definitions: Definitions, at: datetime, limit: int | None, *, as_json: bool
) -> None:
    by_badge = Counter(award.badge_id for award in found.awards)
    people = {badge_id: by_badge[badge_id] for badge_id in definitions.badges}
    if as_json:
        _print_document(_taken_in(found, at) | {"badges": people}, {"awards": found.awards})
        return
    rows = [(badge_id, definitions.badges[badge_id].title, number) for badge_id, number in people.items()]
    print_table(f"Badges: {len(rows)}", ("badge", "title", "people"), rows)
    _print_awards("Awards", found.awards, limit)
    _say_what_was_taken_in(found)


def _tell_difference(
    before: Simulated, after: Simulated, at: datetime, limit: int | None, *, as_json: bool
) -> None:
    from worker.simulating import difference

    found = difference(before, after)
    if as_json:
        lists: dict[str, Sequence[object]] = {
            "gained": found.gained,
            "lost": found.lost,
            "moved": found.moved,
        }
        _print_document(_taken_in(after, at) | {"unchanged": found.unchanged}, lists)
        return
    print_table("Badges that differ", ("badge", "gained", "lost", "at another time"), _by_badge(found))
    _print_awards("Gained", found.gained, limit)
    _print_awards("Lost", found.lost, limit)
    moved = [(each.user_id, each.badge_id, each.before, each.after) for each in found.moved[:limit]]
    print_first(
        "At another time", ("user", "badge", "before", "after"), moved, limit, lambda: len(found.moved)
    )
    print(f"{count(found.unchanged, 'award')} would be the same")
    _say_what_was_taken_in(after)


def _print_document(head: Mapping[str, object], lists: Mapping[str, Sequence[object]]) -> None:
    """Print one JSON document, of the lists an item a line: they are long, and indenting them is slow."""
    parts = [f"  {json_line(name)}: {json_line(value)}" for name, value in head.items()]
    for name, items in lists.items():
        lines = ",\n".join(f"    {json_line(item)}" for item in items)
        parts.append(f"  {json_line(name)}: [\n{lines}\n  ]" if lines else f"  {json_line(name)}: []")
    print("{\n" + ",\n".join(parts) + "\n}")


def _by_badge(found: Difference) -> list[tuple[str, int, int, int]]:
    columns = [Counter(each.badge_id for each in some) for some in (found.gained, found.lost)]
    columns.append(Counter(each.badge_id for each in found.moved))
    names = sorted({name for column in columns for name in column})
    return [(name, *(column[name] for column in columns)) for name in names]  # type: ignore[misc]  # three of them


def _print_awards(what: str, awards: Sequence[WouldEarn], limit: int | None) -> None:
    rows = [
        (each.user_id, each.badge_id, each.earned_at, each.state, each.issuer, _events(each))
        for each in awards[:limit]
    ]
    columns = ("user", "badge", "earned", "state", "issuer", "by the events")
    print_first(what, columns, rows, limit, lambda: len(awards))


def _events(award: WouldEarn) -> str:
    """Return the events that made it hold, the last few of them."""
    last = [each["event"] for each in award.because[-3:]]
    return f"{'… ' if len(award.because) > len(last) else ''}{', '.join(last)}" or "the clock"


def _taken_in(found: Simulated, at: datetime) -> dict[str, Any]:
    return {
        "now": at,
        "lines": found.lines,
        "events": found.events,
        "unknown": found.unknown,
        "refused": found.refused,
    }


def _say_what_was_taken_in(found: Simulated) -> None:
    said = f"{count(found.events, 'event')} taken in, {len(found.refused)} refused"
    if found.unknown:
        types = ", ".join(f"{printable(name)} ({times})" for name, times in found.unknown.most_common())
        said += f"; {found.unknown.total()} more of types that the worker passes over: {types}"
    say(said)

"""`badge-worker dead-letters`: what was refused, and why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from worker import replaying
from worker.cli.opening import open_database, open_services
from worker.cli.options import AsJson, RowLimit
from worker.cli.output import (
    TABLE_ROWS,
    body,
    count,
    fail,
    fields_of,
    print_fields,
    print_first,
    print_json,
    print_json_list,
    printable,
    say,
)
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from worker.adapters.database.listings import DeadLetter
    from worker.adapters.database.store import Database

app = typer.Typer(no_args_is_help=True, help="What was refused, and why; and back on the queue with it.")

_COLUMNS = ("id", "received", "times", "replayed", "reason", "body")
_SHORT = 12  # characters of an id that tell letters apart for people
_PREVIEW = 60  # characters of a body in a table
_ID_HELP = "The letter's id, or as much of its beginning as no other has."


@app.command("list")
def list_letters(limit: RowLimit = None, as_json: AsJson = False) -> None:
    """List dead letters, oldest first."""
    database = open_database(open_services())
    if as_json:
        print_json_list(database.each_dead_letter(limit))
        return
    found = database.list_dead_letters(limit or TABLE_ROWS + 1)
    print_first("Dead letters", _COLUMNS, [*map(_cells, found)], limit, database.number_of_dead_letters)


def _cells(letter: DeadLetter) -> tuple[object, ...]:
    text = printable(letter.body[: _PREVIEW * 4].decode(errors="backslashreplace")).replace("\n", "\\n")
    preview = text if len(text) <= _PREVIEW else text[:_PREVIEW] + "…"
    return letter.id[:_SHORT], letter.received_at, letter.times, letter.replayed_at, letter.reason, preview


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help=_ID_HELP)], as_json: AsJson = False
) -> None:
    """Show one dead letter with its whole body. Exit code 1 if there is none with this id."""
    database = open_database(open_services())
    found = _find(database, letter_id)
    letter = next(iter(database.dead_letters_of([found])), None) if found else None
    if letter is None:
        if as_json:
            print_json(None)
        fail(f"no dead letter {letter_id}")
    if as_json:
        print_json(letter)
        return
    text = body(letter.body)
    print_fields(fields_of(letter) | {"body": text if isinstance(text, str) else f"base64 {text['base64']}"})


def _find(database: Database, start: str) -> str | None:
    """Return the id that begins so; raises ConfigurationError if several do."""
    found = database.dead_letter_ids(start.lower()) if start else []
    if len(found) > 1:
        raise ConfigurationError(
            f"{len(found)} dead letters have an id that begins with {start}: more of it, please"
        )
    return found[0] if found else None


@app.command()
def replay(
    letter_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help=_ID_HELP)] = None,
    every: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put dead letters back on the event queue, after a mend. Doing it twice does no harm.

    This ends when they are durably on the queue. What is refused again is a dead letter again: its count goes
    up. Exit code 1, and nothing is done, if an id is unknown.
    """
    here = open_services()
    database = open_database(here)
    chosen = _chosen(database, "replay", letter_ids, every=every)
    done = replaying.replay(database, here.queue, chosen) if chosen else []
    _report(done, "put back on the event queue", as_json=as_json)


@app.command()
def discard(
    letter_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help=_ID_HELP)] = None,
    every: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget dead letters for good, which nobody will mend. Asks first; without a terminal --yes is needed.

    One that comes again is a dead letter again. Exit code 1, and nothing is done, if an id is unknown.
    """
    database = open_database(open_services())
    chosen = _chosen(database, "discard", letter_ids, every=every)
    if chosen and not yes:
        _confirm(len(chosen))
    # Of all, those that were there when we asked: what came since, nobody has looked at.
    done = [gone for chunk in replaying.chunks(chosen) for gone in database.discard_dead_letters(chunk)]
    _report(done, "discarded", as_json=as_json)


def _confirm(number: int) -> None:
    if not sys.stdin.isatty():
        words = f"nobody is here to ask about {count(number, 'dead letter')}; --yes discards without asking"
        raise ConfigurationError(f"dead-letters discard: {words}")
    if not typer.confirm(f"Discard {count(number, 'dead letter')} for good?", err=True):
        say("nothing was discarded")
        raise typer.Exit(1)


def _chosen(database: Database, what: str, starts: list[str] | None, *, every: bool) -> list[str]:
    """Return the ids that are meant, each once: those that begin so, or all."""
    if bool(starts) == every:
        raise ConfigurationError(f"dead-letters {what}: some ids, or --all, please")
    if every:
        return database.dead_letter_ids()
    found = {start: _find(database, start) for start in starts or []}
    if unknown := [start for start, letter_id in found.items() if letter_id is None]:
        fail(f"no dead letter {', '.join(unknown)}; nothing was done")
    return list(dict.fromkeys(letter_id for letter_id in found.values() if letter_id is not None))


def _report(ids: list[str], what: str, *, as_json: bool) -> None:
    if as_json:
        print_json([{"id": each} for each in ids])
    else:
        print(f"{what}: {count(len(ids), 'dead letter')}")

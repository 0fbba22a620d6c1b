"""`badge-worker dead-letters`: what was refused, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.opening import open_database, open_services
from worker.cli.options import AsJson, Limit
from worker.cli.output import body, count, fail, fields_of, print_fields, print_json, print_table, printable
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from worker.adapters.database.listings import DeadLetter
    from worker.adapters.database.store import Database

app = typer.Typer(no_args_is_help=True, help="What was refused, and why; and back on the queue with it.")

_SHORT = 12  # characters of an id that tell letters apart for people
_PREVIEW = 60  # characters of a body in a table
_CHUNK = 500  # letters put back at once
_ID_HELP = "The letter's id, or as much of its beginning as no other has."


@app.command("list")
def list_letters(limit: Limit = None, as_json: AsJson = False) -> None:
    """List dead letters, oldest first."""
    letters = open_database(open_services()).list_dead_letters(limit)
    if as_json:
        print_json(letters)
        return
    columns = ("id", "received", "times", "replayed", "reason", "body")
    print_table(f"Dead letters: {len(letters)}", columns, map(_cells, letters))


def _cells(letter: DeadLetter) -> tuple[object, ...]:
    text = printable(letter.body[: _PREVIEW * 4].decode(errors="backslashreplace")).replace("\n", "\\n")
    preview = text if len(text) <= _PREVIEW else text[:_PREVIEW] + "…"
    return letter.id[:_SHORT], letter.received_at, letter.times, letter.replayed_at, letter.reason, preview


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help=_ID_HELP)], as_json: AsJson = False
) -> None:
    """Show one dead letter with its whole body. Exit code 1 if there is none with this id."""
    letter = _find(open_database(open_services()), letter_id)
    if letter is None:
        if as_json:
            print_json(None)
        fail(f"no dead letter {letter_id}")
    if as_json:
        print_json(letter)
        return
    text = body(letter.body)
    print_fields(fields_of(letter) | {"body": text if isinstance(text, str) else f"base64 {text['base64']}"})


def _find(database: Database, start: str) -> DeadLetter | None:
    """Return the letter whose id begins so; raises ConfigurationError if several do."""
    found = database.find_dead_letters(start.lower()) if start else []
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
    if bool(letter_ids) == every:
        raise ConfigurationError("dead-letters replay: some ids, or --all, please")
    here = open_services()
    database = open_database(here)
    letters = database.list_dead_letters() if every else _find_all(database, letter_ids or [])
    for start in range(0, len(letters), _CHUNK):
        chunk = letters[start : start + _CHUNK]
        here.queue.publish([letter.body for letter in chunk])
        # Only now: one that is noted is on the queue. One that is there without a note is replayed again.
        database.note_replayed([letter.id for letter in chunk])
    if as_json:
        print_json([{"id": letter.id} for letter in letters])
    else:
        print(f"put back on the event queue: {count(len(letters), 'dead letter')}")


def _find_all(database: Database, starts: list[str]) -> list[DeadLetter]:
    found = {start: _find(database, start) for start in starts}
    if unknown := [start for start, letter in found.items() if letter is None]:
        fail(f"no dead letter {', '.join(unknown)}; nothing was replayed")
    return list({letter.id: letter for letter in found.values() if letter is not None}.values())

"""What commands print: tables for people, one JSON document for programs; everything else on stderr."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.table import Table
from rich.text import Text

_WIDE = 200  # columns where nobody's terminal sets them
TABLE_ROWS = 100  # in a table of what may be without end, if no other number is asked for


def stdout() -> Console:
    """Return where results for people go. Not to a terminal, lines are long enough for a table."""
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDE
    return Console(highlight=False, width=wide)


def stderr() -> Console:
    """Return where progress and remarks go."""
    return Console(stderr=True, highlight=False)


def say(line: str) -> None:
    """Print one line about the command itself, on stderr."""
    print(f"badge-worker: {line}", file=sys.stderr)


def fail(line: str) -> NoReturn:
    """End the command: the answer is no, or something failed."""
    say(line)
    raise typer.Exit(1)


def print_json(document: object) -> None:
    """Print the one JSON document of a command."""
    print(json.dumps(document, ensure_ascii=False, indent=2, default=_as_json))


def json_line(value: object) -> str:
    """Return a value as JSON in one line."""
    return json.dumps(value, ensure_ascii=False, default=_as_json)


def print_json_list(items: Iterable[object]) -> None:
    """Print a list as one JSON document, each item as it comes: a list may be longer than memory."""
    before = "["
    for each in items:
        item = json.dumps(each, ensure_ascii=False, indent=2, default=_as_json)
        print(f"{before}\n  " + item.replace("\n", "\n  "), end="")
        before = ","
    print("[]" if before == "[" else "\n]")


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, bytes):
        return body(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return fields_of(value)
    raise TypeError(f"not JSON: {type(value).__name__}")


def fields_of(value: Any) -> dict[str, Any]:
    """Return a dataclass as it is, by the names of its fields."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def count(number: int, what: str) -> str:
    """Return a number of things, as in `1 award` and `2 awards`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def instant(at: datetime) -> str:
    """Return an instant as RFC 3339, in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def body(value: bytes) -> str | dict[str, str]:
    """Return a body as text, or as base64 where it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, err: bool = False
) -> None:
    """Print a table (on stderr: `err`); values from outside cannot change colours or move the cursor."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(cell, row))
    (stderr() if err else stdout()).print(table)


def print_first(
    what: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    limit: int | None,
    number: Callable[[], int],
) -> None:
    """Print a table of what was asked for; without a limit of its first TABLE_ROWS rows, and say so.

    `number` counts how many there are, where there are more than that.
    """
    shown = rows if limit else rows[:TABLE_ROWS]
    if len(shown) == len(rows):
        print_table(f"{what}: {len(rows)}", columns, shown)
        return
    of = f"{len(shown)} of {number()}"
    print_table(f"{what}: {of}", columns, shown)
    say(f"these are the first {of}; --limit N shows N, --json all")


def print_fields(fields: Mapping[str, object]) -> None:
    """Print one thing, a line for each field."""
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(name, cell(value))
    stdout().print(table)


def cell(value: object) -> Text:
    """Return what stands in a table for a value."""
    if isinstance(value, Text):
        return value
    if value is None:
        return Text("-")
    if isinstance(value, datetime):
        return Text(value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ"))
    return Text(printable(str(value)))


def printable(text: str) -> str:
    """Return text with whatever could steer a terminal escaped, line breaks excepted."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text
    )


def progress(*columns: str | ProgressColumn) -> Progress:
    """Return a progress display on stderr, which stays silent where that is no terminal."""
    console = stderr()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

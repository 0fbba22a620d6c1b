# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""What the commands for Badgr have in common: the connection, options, questions and how things are shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.opening import open_database, open_services
from worker.cli.output import print_fields, print_json, print_table, say
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from worker.adapters.badgr import BadgrClient
    from worker.rules.definitions import Issuer

_PATIENCE = 70.0  # seconds for the rate limit to have room: a window and a little

Connection = Annotated[
    str | None,
    typer.Option(
        "--issuer", metavar="ID", help="The issuer of the badges file to connect as; the only one by default."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Pages = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Get pages of N, newest first, a call for each; else one call."),
]
Picture = Annotated[
    str | None, typer.Option(metavar="FILE", help="A PNG or SVG file; or the URL of the one it has.")
]


def client(issuer_id: str | None) -> BadgrClient:
    """Return the API of one issuer's service; raises ConfigurationError."""
    from worker.adapters.badgr import BadgrProvider

    here = open_services()
    open_database(here)
    issuers = here.issuers()
    chosen = _chosen(issuers, issuer_id)
    provider = here.provider(chosen, issuers[chosen], here.permits(issuers))
    if not isinstance(provider, BadgrProvider):
        raise ConfigurationError(f"issuer {chosen}: its provider is not Badgr")
    return provider.client(_PATIENCE)


def _chosen(issuers: dict[str, Issuer], issuer_id: str | None) -> str:
    if issuer_id is not None:
        if issuer_id not in issuers:
            raise ConfigurationError(f"--issuer {issuer_id}: not among those applied: {_named(issuers)}")
        return issuer_id
    of_badgr = [name for name, issuer in issuers.items() if issuer.provider == "badgr"]
    if not of_badgr:
        raise ConfigurationError("no Badgr issuer is in force; `badge-worker badges apply` brings them")
    if len(of_badgr) > 1:
        raise ConfigurationError(f"--issuer: there are several, so which one? {_named(of_badgr)}")
    return of_badgr[0]


def _named(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def agree(question: str, yes: bool) -> None:
    """Go on only if somebody agrees; raises ConfigurationError where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{question} Nobody is here to ask; --yes does it without asking")
    if not typer.confirm(question, err=True):
        say("nothing was changed")
        raise typer.Exit(1)


def show(thing: BaseModel, as_json: bool) -> None:
    """Print one thing."""
    fields = thing.model_dump()
    if as_json:
        print_json(fields)
    else:
        print_fields({name: _cell(value) for name, value in fields.items()})


def show_all(
    what: str,
    columns: Sequence[str],
    things: Iterable[BaseModel],
    as_json: bool,
    limit: int | None = None,
    cells: Callable[[Any], Sequence[object]] | None = None,
) -> None:
    """Print a list, whole or its beginning: in a table its `columns`, each a field unless `cells` says so."""
    found = list(islice(things, limit))
    if as_json:
        print_json([each.model_dump() for each in found])
        return
    rows = ([_cell(value) for value in (cells(each) if cells else _fields(each, columns))] for each in found)
    print_table(f"{what}: {len(found)}", [column.replace("_", " ") for column in columns], rows)


def _fields(thing: Any, columns: Sequence[str]) -> list[object]:
    return [getattr(thing, column) for column in columns]


def _cell(value: object) -> object:
    """Return what stands for a value in a table: of lists and objects, what is in them."""
    if isinstance(value, dict):
        return ", ".join(
            f"{name}: {_cell(inner)}" for name, inner in value.items() if inner not in (None, [])
        )
    if isinstance(value, list):
        return "\n".join(str(_cell(inner)) for inner in value) or None
    return value


def done(what: str, thing: str, as_json: bool) -> None:
    """Say that it is done, where the service has nothing more to tell."""
    if as_json:
        print_json({"done": what, "id": thing})
    else:
        print(f"{thing} {what}")


def picture(value: str | None) -> str | None:
    """Return a picture as it is sent: a file's contents as a data URI, a URL as it is."""
    from worker.adapters.badgr.models.fields import picture_of

    if value is None or value.startswith(("http://", "https://", "data:")):
        return value
    try:
        found = picture_of(Path(value).read_bytes())
    except OSError as error:
        raise ConfigurationError(f"--image {value}: cannot be read: {error.strerror}") from None
    if found is None:
        raise ConfigurationError(f"--image {value}: neither a PNG nor an SVG, and the service takes no other")
    return found


def given(**values: Any) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in values.items() if value is not None and value != []}


def something(values: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be changed; raises ConfigurationError if that is nothing."""
    if not values:
        raise ConfigurationError("nothing to change: give at least one option")
    return values

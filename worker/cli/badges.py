# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker badges`: from the badges file to the rules in force."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.badge_changes import changes_to, describe, print_changes
from worker.cli.opening import nudge, open_database, open_services, open_settings
from worker.cli.options import AsJson
from worker.cli.output import count, print_json, print_table, say
from worker.cli.reevaluate import counting, everybody
from worker.cli.stopping import Stopped
from worker.errors import ConfigurationError, InvalidDefinition, TransientError

if TYPE_CHECKING:
    from worker.adapters.database.store import Database
    from worker.applying import Applied

app = typer.Typer(no_args_is_help=True, help="Issuers and badges: the rules.")

_File = Annotated[
    Path | None, typer.Argument(help="The badges file.", show_default="BADGE_WORKER_BADGES_FILE")
]


@app.command()
def check(file: _File = None, as_json: AsJson = False) -> None:
    """Say whether a badges file is right; name file, line and field of what is not (exit code 1)."""
    from worker.adapters.badges_file import load_definitions

    file = file or open_settings().badges_file
    problems: list[str] = []
    said = ""
    try:
        definitions = load_definitions(file)
        badges, issuers = len(definitions.badges), len(definitions.issuers)
        said = f"{file}: {count(badges, 'badge')}, {count(issuers, 'issuer')}, nothing wrong"
    except InvalidDefinition as error:
        problems = error.problems
    if as_json:
        print_json({"file": str(file), "ok": not problems, "problems": problems})
    else:
        print("\n".join(problems) or said)
    raise typer.Exit(1 if problems else 0)


@app.command("list")
def list_badges(as_json: AsJson = False) -> None:
    """List the badges in force, and how many people have each."""
    rows = open_database(open_services()).list_badges()
    if as_json:
        print_json(rows)
        return
    columns = ("badge", "title", "status", "criterion", "issuer", "version", "awards")
    cells = (
        (row.badge_id, row.title, row.status, row.criterion, row.issuer, row.version, row.awards)
        for row in rows
    )
    print_table(f"Badges: {len(rows)}", columns, cells)


@app.command()
def plan(
    file: _File = None,
    detailed_exitcode: Annotated[
        bool,
        typer.Option("--detailed-exitcode", help="Exit code 0: nothing would change; 3: something would."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what `apply` would add, change and disable, and how many people would gain each badge."""
    from worker.adapters.badges_file import load_definitions
    from worker.cli.standing_in import as_used_here
    from worker.planning import would_gain

    here = open_services()
    definitions = as_used_here(load_definitions(file or here.settings.badges_file), here.settings)
    database = open_database(here)
    changes = changes_to(database, definitions)
    with counting("evaluating") as show:
        gains = would_gain(database, changes.badges, show)
    if as_json:
        badges = [each | {"would_gain": gains.get(each["badge_id"], 0)} for each in describe(changes.badges)]
        print_json({"issuers": changes.issuers, "changes": badges})
    elif changes:
        print_changes(changes, gains)
    else:
        print("nothing would change")
    raise typer.Exit(3 if changes and detailed_exitcode else 0)


@app.command()
def apply(
    file: _File = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a badges file the rules in force, after showing what changes and asking.

    A badge that is missing from the file is disabled; who has it keeps it. Everybody is evaluated at once for
    new and changed badges.
    """
    from worker import applying
    from worker.adapters.badges_file import load_definitions
    from worker.cli.standing_in import as_used_here

    here = open_services()
    definitions = as_used_here(load_definitions(file or here.settings.badges_file), here.settings)
    database = open_database(here)
    changes = changes_to(database, definitions)
    if changes:
        print_changes(changes, err=as_json)
    if changes and not yes:
        _ask()
    applied = applying.apply(database, definitions)
    awards = _evaluate(database)
    nudge(here)
    _tell(applied, awards, as_json=as_json)


def _ask() -> None:
    """Go on only if somebody agrees; raises ConfigurationError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise ConfigurationError("badges apply: nobody is here to ask; --yes makes it so without asking")
    if not typer.confirm("Make it so?", err=True):
        say("nothing was changed")
        raise typer.Exit(1)


def _evaluate(database: Database) -> int:
    """Work off the evaluations that are noted, with those that an earlier `apply` left; return new awards."""
    from worker import reevaluation

    with everybody("evaluating everybody") as show:
        try:
            return reevaluation.backfill(database, show)
        except (Stopped, TransientError):
            say("the rules are in force; beat goes on with evaluating everybody, and so does `badges apply`")
            raise


def _tell(applied: Applied, awards: int, *, as_json: bool) -> None:
    if as_json:
        changes = describe(applied.changes)
        print_json({"version": applied.version, "changes": changes, "new_awards": awards})
        return
    counted = Counter(each.change.value for each in applied.changes)
    said = ", ".join(f"{times} {change}" for change, times in counted.items()) or "no badge changed"
    print(f"version {applied.version} of the rules is in force: {said}; {count(awards, 'new award')}")

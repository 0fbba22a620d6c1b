# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker users`: people, and forgetting them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.opening import nudge, open_database, open_services
from worker.cli.options import AsJson
from worker.cli.output import fail, fields_of, print_fields, print_json, say
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from worker.forgetting import Forgetting

app = typer.Typer(no_args_is_help=True, help="People.")


@app.callback()
def _group() -> None:
    """Keep the command's name where it is the only one."""


@app.command()
def forget(
    user: Annotated[str, typer.Argument(help="Whom; the user id.")],
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Revoke at the provider what was issued, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a person's data, for good; what was issued to them stays on record under a pseudonym.

    Awards that were not sent go. Later events of the user are recognised by a hash, keyed by
    BADGE_WORKER_SECRET_KEY, and not kept. This ends when it is done; revocations are durably queued then.
    Asks first; without a terminal --yes is needed. Exit code 1 if there is no such user, or if it is not
    known yet whether the provider has one of their awards: then nothing is changed.
    """
    from worker.forgetting import forget
    from worker.people import Pseudonyms

    here = open_services()
    pseudonyms = Pseudonyms(here.settings.required("secret_key"))
    database = open_database(here)
    if not yes:
        _confirm(user, revoke=revoke)
    done = forget(database, pseudonyms, user, revoke=revoke)
    if done is None:
        if as_json:
            print_json(None)
        fail(f"no user {user}; nothing was changed")
    if done.gone.revocations:
        nudge(here)
    _report(done, as_json=as_json)


def _confirm(user: str, *, revoke: bool) -> None:
    if not sys.stdin.isatty():
        raise ConfigurationError("users forget: nobody is here to ask; --yes forgets without asking")
    too = ", and revoke their badges" if revoke else ""
    if not typer.confirm(f"Forget user {user} for good{too}?", err=True):
        say("nothing was changed")
        raise typer.Exit(1)


def _report(done: Forgetting, *, as_json: bool) -> None:
    whole = {"pseudonym": done.pseudonym, **fields_of(done.gone)}
    whole |= {"dead_letters": done.dead_letters, "texts": done.texts, "before": done.before}
    if as_json:
        print_json(whole)
        return
    if done.before:
        say("this user was forgotten before; what still named them is gone now")
    print_fields(
        {
            "pseudonym": done.pseudonym,
            "activities deleted": done.gone.activities,
            "blocks deleted": done.gone.blocks,
            "awards deleted": done.gone.awards_deleted,
            "awards kept under the pseudonym": done.gone.awards_kept,
            "of them to be revoked": done.gone.revocations,
            "connections of others renamed": done.gone.connections,
            "dead letters deleted": done.dead_letters,
            "texts of others rewritten": done.texts,
        }
    )

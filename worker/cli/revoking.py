# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker awards revoke`: take awards back, for good."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from worker.awards import Asked, AwardState, RevocationAnswer, Which
from worker.cli.opening import nudge, open_database, open_services
from worker.cli.options import AsJson
from worker.cli.output import count, fail, print_json, say
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from worker.adapters.database.store import Database

_USAGE = (
    "awards revoke: USER and BADGE, or --badge with --user (again for each user), or --badge and --all, "
    "or --user and --all, please"
)
_SAYS = {
    RevocationAnswer.REVOKED: "revoked: nothing was ever sent",
    RevocationAnswer.QUEUED: "queued: the task workers revoke it at the provider, as the rate limit allows",
    RevocationAnswer.REMEMBERED: "remembered: it may be on its way, and is revoked once that is settled",
    RevocationAnswer.REVOKED_ALREADY: "revoked before",
    RevocationAnswer.UNDER_WAY: "under way already",
}


def revoke(
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; the provider shows it to whoever looks the badge up.")
    ],
    user: Annotated[str | None, typer.Argument(help="Whose award; with BADGE.")] = None,
    badge: Annotated[str | None, typer.Argument(help="The award of which badge.")] = None,
    of_badge: Annotated[str | None, typer.Option("--badge", help="Awards of this badge.")] = None,
    of_users: Annotated[
        list[str] | None, typer.Option("--user", help="Awards of this user; may be repeated.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of that badge, or of those users.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Revoke awards, for good: a revoked badge is not earned again by itself.

    What was never sent is revoked at once; what the provider has, by the task workers; what is being sent,
    once that is settled. This ends when it is done or durably queued, and says which. More than one award
    needs --yes, or a terminal to ask on. Exit code 1 if USER has no award of BADGE.
    """
    from worker import revoking

    which = _which(user, badge, of_badge, of_users, every=every)
    here = open_services()
    database = open_database(here)
    if user is None and not yes:
        _confirm(database, which)
    answers = list(revoking.ask(database, which, reason))
    nudge(here)
    _report(answers, as_json=as_json)
    if any(each.answer is RevocationAnswer.QUEUED for each in answers):
        _warn(database)
    if user is not None and not answers:
        fail(f"user {user} has no award of badge {badge}")


def _which(
    user: str | None, badge: str | None, of_badge: str | None, of_users: Sequence[str] | None, *, every: bool
) -> Which:
    """Say which awards are meant; nobody shall mean more than was written."""
    if user is not None and badge is not None and not (of_badge or of_users or every):
        return Which(badge, (user,))
    by_options = user is None and (every != bool(of_badge and of_users)) and bool(of_badge or of_users)
    if not by_options:
        raise ConfigurationError(_USAGE)
    return Which(of_badge, tuple(of_users) if of_users else None)


def _confirm(database: Database, which: Which) -> None:
    number = database.count_revocable(which)
    if number == 0:
        return
    if not sys.stdin.isatty():
        words = f"nobody is here to ask about {count(number, 'award')}; --yes revokes without asking"
        raise ConfigurationError(f"awards revoke: {words}")
    if not typer.confirm(f"Revoke {count(number, 'award')} for good?", err=True):
        say("nothing was revoked")
        raise typer.Exit(1)


def _warn(database: Database) -> None:
    """Say what is queued for nobody: an issuer that is not in force makes no calls."""
    in_force = database.issuers()
    waiting = {place.issuer for place in database.places() if place.state == AwardState.REVOKING}
    for issuer in sorted(issuer for issuer in waiting if issuer is not None and issuer not in in_force):
        say(f"issuer {issuer} is not in force: what is queued for it waits until it is applied again")


def _report(answers: Sequence[Asked], *, as_json: bool) -> None:
    if as_json:
        print_json(answers)
        return
    numbers = Counter(each.answer for each in answers)
    for answer, words in _SAYS.items():
        if numbers[answer]:
            print(f"{count(numbers[answer], 'award')} {words}")
    if not answers:
        print("no awards to revoke")

# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker badgr assertions`: what was awarded at the service, by whomever."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.badgr.common import (
    Connection,
    Pages,
    Yes,
    agree,
    client,
    given,
    show,
    show_all,
    something,
)
from worker.cli.badgr.ids import IdCommand
from worker.cli.options import AsJson, Limit
from worker.cli.output import count, fail, print_json, print_table
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from worker.adapters.badgr.models.assertions import AssertionOut, RevocationOut

app = typer.Typer(
    no_args_is_help=True,
    help="What was awarded at the service, by whomever. For our own awards there is `badge-worker awards`.",
)

_Id = Annotated[str, typer.Argument(metavar="ID", help="The assertion's id.")]
_Narrative = Annotated[str | None, typer.Option(help="What it is for, in markdown.")]
_Evidence = Annotated[
    list[str] | None, typer.Option(metavar="TEXT", help="A URL or a text as evidence; may be repeated.")
]
_IssuedOn = Annotated[str | None, typer.Option(metavar="TIME", help="When it was earned (ISO 8601).")]
_Expires = Annotated[str | None, typer.Option(metavar="TIME", help="When it ends (ISO 8601).")]
_COLUMNS = ("assertion", "recipient", "badge class", "issued on", "expires", "revoked")


@app.command("list", cls=IdCommand)
def list_assertions(
    badgeclass: Annotated[str | None, typer.Option(metavar="ID", help="Those of this badge class.")] = None,
    of_issuer: Annotated[str | None, typer.Option(metavar="ID", help="Those of this issuer there.")] = None,
    recipients: Annotated[
        list[str] | None, typer.Option("--recipient", help="Those of this address; may be repeated.")
    ] = None,
    expired: Annotated[bool, typer.Option("--expired", help="Expired ones too.")] = False,
    revoked: Annotated[bool, typer.Option("--revoked", help="Revoked ones too.")] = False,
    pages: Pages = None,
    issuer: Connection = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """List the assertions of a badge class or of an issuer at the service."""
    if (badgeclass is None) == (of_issuer is None):
        raise ConfigurationError("assertions list: either --badgeclass or --of-issuer, please")
    assertions = client(issuer).assertions
    find, of = (assertions.of_badgeclass, badgeclass) if badgeclass else (assertions.of_issuer, of_issuer)
    found = find(of or "", recipients or (), include_expired=expired, include_revoked=revoked, num=pages)
    show_all("Assertions", _COLUMNS, found, as_json, limit, _cells)


@app.command(cls=IdCommand)
def changed(
    since: Annotated[str | None, typer.Option(metavar="TIME", help="After this time (ISO 8601).")] = None,
    pages: Pages = None,
    issuer: Connection = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """List what was made, changed or revoked, oldest change first, at all issuers where we are staff."""
    found = client(issuer).assertions.changed(_read(since), num=pages)
    show_all("Changed assertions", _COLUMNS, found, as_json, limit, _cells)


def _read(since: str | None) -> datetime | None:
    try:
        moment = None if since is None else datetime.fromisoformat(since)
    except ValueError:
        raise ConfigurationError("--since: a time, please, such as 2026-01-31T12:00:00Z") from None
    return moment.replace(tzinfo=UTC) if moment and not moment.tzinfo else moment


def _cells(found: AssertionOut) -> tuple[object, ...]:
    revoked = found.revocation_reason or "revoked" if found.revoked else None
    whom = found.recipient.address()
    return found.entity_id, whom, found.badgeclass, found.issued_on, found.expires, revoked


@app.command(cls=IdCommand)
def get(assertion: _Id, issuer: Connection = None, as_json: AsJson = False) -> None:
    """Show one assertion."""
    show(client(issuer).assertions.get(assertion), as_json)


@app.command(cls=IdCommand)
def create(
    badgeclass: Annotated[str, typer.Argument(metavar="BADGECLASS", help="The id of the badge class.")],
    recipient: Annotated[str, typer.Argument(metavar="ADDRESS", help="The earner's e-mail address.")],
    narrative: _Narrative = None,
    evidence: _Evidence = None,
    issued_on: _IssuedOn = None,
    expires: _Expires = None,
    notify: Annotated[bool, typer.Option("--notify", help="Let the service mail the earner.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Even if the earner has it already.")] = False,
    issuer: Connection = None,
    as_json: AsJson = False,
) -> None:
    """Award a badge class by hand. It is no award of ours; who earns the badge here later keeps this one."""
    from worker.adapters.badgr.models.assertions import AssertionIn

    wanted = AssertionIn(
        recipient={"identity": recipient},
        allow_duplicate_awards=again,
        notify=notify,
        **_facts(narrative, evidence, issued_on, expires),
    )
    show(client(issuer).assertions.issue(badgeclass, wanted), as_json)


@app.command(cls=IdCommand)
def update(
    assertion: _Id,
    narrative: _Narrative = None,
    evidence: _Evidence = None,
    issued_on: _IssuedOn = None,
    expires: _Expires = None,
    issuer: Connection = None,
    as_json: AsJson = False,
) -> None:
    """Change an assertion: what is not given stays. Its picture gets a new URL."""
    from worker.adapters.badgr.models.assertions import AssertionChangeIn

    values = AssertionChangeIn(**something(_facts(narrative, evidence, issued_on, expires)))
    show(client(issuer).assertions.update(assertion, values), as_json)


def _facts(
    narrative: str | None, evidence: list[str] | None, issued_on: str | None, expires: str | None
) -> dict[str, Any]:
    proofs = [
        {"url": each} if each.startswith(("http://", "https://")) else {"narrative": each}
        for each in evidence or []
    ]
    return given(narrative=narrative, evidence=proofs, issued_on=issued_on, expires=expires)


@app.command(cls=IdCommand)
def revoke(
    assertions: Annotated[list[str], typer.Argument(metavar="ID...", help="The assertions' ids.")],
    reason: Annotated[str, typer.Option(help="Why: the service shows it to whoever looks.")],
    yes: Yes = False,
    issuer: Connection = None,
    as_json: AsJson = False,
) -> None:
    """Revoke assertions for good, in one call. Exit code 1 if one was not revoked.

    For an award of ours use `badge-worker awards revoke`, which keeps our own record right.
    """
    api = client(issuer).assertions
    agree(f"Revoke {count(len(assertions), 'assertion')} for good?", yes)
    found = api.revoke_many([(each, reason) for each in assertions])
    if as_json:
        print_json([each.model_dump() | {"reason": each.words} for each in found])
    else:
        print_table("Revocations", ("assertion", "revoked", "why not"), map(_outcome, found))
    left = sum(not each.revoked for each in found)
    if left:
        fail(f"{count(left, 'assertion')} not revoked")


def _outcome(found: RevocationOut) -> tuple[object, ...]:
    return found.entity_id, "yes" if found.revoked else "no", found.words

# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker badgr claim-codes`: codes by which people claim a badge themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.badgr.common import Connection, client, done, given, show, show_all, something
from worker.cli.badgr.ids import IdCommand
from worker.cli.options import AsJson, Limit

if TYPE_CHECKING:
    from worker.adapters.badgr.models.claim_codes import ClaimCodeIn

app = typer.Typer(no_args_is_help=True, help="Codes by which people claim a badge themselves (hosted only).")

_Class = Annotated[str, typer.Argument(metavar="BADGECLASS", help="The id of the badge class.")]
_Code = Annotated[str, typer.Argument(metavar="CODE", help="The code itself.")]
_Label = Annotated[str | None, typer.Option(help='What it is for, such as "Conference".')]
_Uses = Annotated[int | None, typer.Option("--uses", min=1, metavar="N", help="How often it may be used.")]
_Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="When it ends (ISO 8601).")]


@app.command("list", cls=IdCommand)
def list_codes(
    badgeclass: _Class,
    counts: Annotated[bool, typer.Option("--counts", help="With how often each was used.")] = False,
    issuer: Connection = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """List the claim codes of a badge class that are not archived."""
    columns = ("code", "label", "limit", "expiration_date", "enabled", "claim_count")
    found = client(issuer).claim_codes.of_badgeclass(badgeclass, include_count=counts)
    show_all("Claim codes", columns, found, as_json, limit)


@app.command(cls=IdCommand)
def create(
    badgeclass: _Class,
    label: _Label = None,
    uses: _Uses = None,
    until: _Until = None,
    issuer: Connection = None,
    as_json: AsJson = False,
) -> None:
    """Make a claim code."""
    wanted = _read(label, uses, until)
    show(client(issuer).claim_codes.create(badgeclass, wanted), as_json)


@app.command(cls=IdCommand)
def update(
    badgeclass: _Class,
    code: _Code,
    label: _Label = None,
    uses: _Uses = None,
    until: _Until = None,
    issuer: Connection = None,
    as_json: AsJson = False,
) -> None:
    """Change a claim code."""
    wanted = _read(label, uses, until)
    something(wanted.body())
    show(client(issuer).claim_codes.update(badgeclass, code, wanted), as_json)


@app.command(cls=IdCommand)
def archive(badgeclass: _Class, code: _Code, issuer: Connection = None, as_json: AsJson = False) -> None:
    """Archive a claim code; what was claimed with it stays."""
    client(issuer).claim_codes.archive(badgeclass, code)
    done("archived", f"claim code {code}", as_json)


@app.command(cls=IdCommand)
def enable(badgeclass: _Class, code: _Code, issuer: Connection = None, as_json: AsJson = False) -> None:
    """Let a claim code be used again."""
    show(client(issuer).claim_codes.enable(badgeclass, code), as_json)


@app.command(cls=IdCommand)
def disable(badgeclass: _Class, code: _Code, issuer: Connection = None, as_json: AsJson = False) -> None:
    """Let nobody use a claim code until it is enabled again."""
    show(client(issuer).claim_codes.disable(badgeclass, code), as_json)


def _read(label: str | None, uses: int | None, until: str | None) -> ClaimCodeIn:
    from worker.adapters.badgr.models.claim_codes import ClaimCodeIn

    return ClaimCodeIn(**given(label=label, limit=uses, expiration_date=until))

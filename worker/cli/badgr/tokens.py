"""`badge-worker badgr tokens`: what lets programs act for our account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.badgr.common import Connection, Yes, agree, client, done, show, show_all
from worker.cli.badgr.ids import IdCommand
from worker.cli.options import AsJson, Limit

if TYPE_CHECKING:
    from worker.adapters.badgr.models.tokens import AccessTokenOut

app = typer.Typer(no_args_is_help=True, help="What lets programs act for our account at the service.")

_Id = Annotated[str, typer.Argument(metavar="ID", help="The token's id; not the token itself.")]


@app.command("list", cls=IdCommand)
def list_tokens(issuer: Connection = None, limit: Limit = None, as_json: AsJson = False) -> None:
    """List the tokens that have not run out, the one of this very call among them; secrets are not shown."""
    columns = ("entity_id", "program", "scope", "created", "expires")
    show_all("Tokens", columns, client(issuer).tokens.all(), as_json, limit, _cells)


def _cells(token: AccessTokenOut) -> tuple[object, ...]:
    program = token.application.name if token.application else None
    return token.entity_id, program, token.scope, token.created, token.expires


@app.command(cls=IdCommand)
def get(token: _Id, issuer: Connection = None, as_json: AsJson = False) -> None:
    """Show one token without its secret. Of an unknown id some services say nothing but HTTP 500."""
    show(client(issuer).tokens.get(token), as_json)


@app.command(cls=IdCommand)
def revoke(token: _Id, yes: Yes = False, issuer: Connection = None, as_json: AsJson = False) -> None:
    """Revoke a token at once. Workers sign in again by themselves, but for those with a ready-made token."""
    tokens = client(issuer).tokens
    agree(f"Revoke token {token}?", yes)
    tokens.revoke(token)
    done("revoked", f"token {token}", as_json)


@app.command("create", cls=IdCommand)
def of_issuers(
    issuers: Annotated[list[str], typer.Argument(metavar="ISSUER...", help="Their ids at the service.")],
    issuer: Connection = None,
    as_json: AsJson = False,
) -> None:
    """Print a token for each of these issuers that is good for nothing else: for BADGE_WORKER_ISSUER_…_TOKEN.

    It lasts for about a century. The same issuer gets the same one again.
    """
    found = client(issuer).tokens.of_issuers(issuers)
    show_all("Tokens of issuers", ("issuer", "token", "expires"), found, as_json)

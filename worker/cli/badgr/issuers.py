# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker badgr issuers`: the issuers at the service where our account is staff."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.badgr.common import (
    Connection,
    Picture,
    Yes,
    agree,
    client,
    done,
    given,
    picture,
    show,
    show_all,
    something,
)
from worker.cli.badgr.ids import IdCommand
from worker.cli.options import AsJson, Limit
from worker.errors import ConfigurationError

app = typer.Typer(no_args_is_help=True, help="The issuers at the service where our account is staff.")

_Id = Annotated[str, typer.Argument(metavar="ID", help="The service's id of the issuer.")]
_Name = Annotated[str | None, typer.Option(help="Its name.")]
_Email = Annotated[str | None, typer.Option(help="Its address: a verified one of our account.")]
_Url = Annotated[str | None, typer.Option(help="Its home page.")]
_Description = Annotated[str | None, typer.Option(help="What it is.")]
_Staff = Annotated[
    list[str] | None,
    typer.Option(metavar="USER=ROLE", help="Who works for it, as owner, editor or staff; may be repeated."),
]


@app.command("list", cls=IdCommand)
def list_issuers(issuer: Connection = None, limit: Limit = None, as_json: AsJson = False) -> None:
    """List the issuers."""
    columns = ("entity_id", "name", "email", "url")
    show_all("Issuers", columns, client(issuer).issuers.all(), as_json, limit)


@app.command(cls=IdCommand)
def get(issuer_id: _Id, issuer: Connection = None, as_json: AsJson = False) -> None:
    """Show one issuer with its staff."""
    show(client(issuer).issuers.get(issuer_id), as_json)


@app.command(cls=IdCommand)
def create(
    name: Annotated[str, typer.Option(help="Its name.")],
    email: Annotated[str, typer.Option(help="Its address: a verified one of our account.")],
    url: Annotated[str, typer.Option(help="Its home page.")],
    description: _Description = None,
    image: Picture = None,
    staff: _Staff = None,
    issuer: Connection = None,
    as_json: AsJson = False,
) -> None:
    """Make an issuer; our account owns it."""
    from worker.adapters.badgr.models.issuers import IssuerIn

    more = given(description=description, image=picture(image), staff=_members(staff))
    wanted = IssuerIn(name=name, email=email, url=url, **more)
    show(client(issuer).issuers.create(wanted), as_json)


@app.command(cls=IdCommand)
def update(
    issuer_id: _Id,
    name: _Name = None,
    email: _Email = None,
    url: _Url = None,
    description: _Description = None,
    image: Picture = None,
    staff: _Staff = None,
    issuer: Connection = None,
    as_json: AsJson = False,
) -> None:
    """Change an issuer: what is not given stays. --staff adds and removes people but changes no role."""
    values = given(name=name, email=email, url=url, description=description)
    values = something(values | given(image=picture(image), staff=_members(staff)))
    issuers = client(issuer).issuers
    show(issuers.update(issuer_id, issuers.get(issuer_id).changed(**values)), as_json)


@app.command(cls=IdCommand)
def delete(issuer_id: _Id, yes: Yes = False, issuer: Connection = None, as_json: AsJson = False) -> None:
    """Delete an issuer with its unused badge classes; refused while one of its assertions is not revoked."""
    issuers = client(issuer).issuers
    agree(f"Delete issuer {issuer_id} and its badge classes for good?", yes)
    issuers.delete(issuer_id)
    done("deleted", f"issuer {issuer_id}", as_json)


def _members(staff: list[str] | None) -> list[dict[str, str]]:
    members = []
    for each in staff or []:
        user, equals, role = each.partition("=")
        if not equals:
            raise ConfigurationError("--staff: write USER=ROLE, with the service's id of the user")
        members.append({"user": user, "role": role})
    return members

# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker badgr badgeclasses`: what can be awarded at the service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.badgr.common import (
    Connection,
    Pages,
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

if TYPE_CHECKING:
    from worker.adapters.badgr.badgeclasses import BadgeClasses
    from worker.adapters.badgr.models.badgeclasses import BadgeClassOut

app = typer.Typer(no_args_is_help=True, help="The badge classes at the service: what can be awarded.")

_EXPIRY = re.compile(r"([0-9]{1,9}) ?(days|weeks|months|years)")

_Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, or its URL under /public/ (hosted only).")]
_OfIssuer = Annotated[str | None, typer.Option(metavar="ID", help="Those of this issuer at the service.")]
_Archived = Annotated[bool, typer.Option("--archived", help="Archived ones too (hosted only).")]
_Name = Annotated[str | None, typer.Option(help="Its name, at most 1,024 letters.")]
_Description = Annotated[str | None, typer.Option(help="A short description, at most 16,384 letters.")]
_AltText = Annotated[str | None, typer.Option(help="What the picture shows (hosted only).")]
_Type = Annotated[str | None, typer.Option(help="Such as Course or Certificate (hosted only).")]
_CriteriaUrl = Annotated[str | None, typer.Option(help="Where it says how it is earned.")]
_Criteria = Annotated[str | None, typer.Option("--criteria", help="How it is earned, in markdown.")]
_Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag; may be repeated.")]
_Alignments = Annotated[
    list[str] | None,
    typer.Option("--alignment", metavar="NAME=URL", help="A standard it stands for; may be repeated."),
]
_Expires = Annotated[
    str | None, typer.Option(metavar="PERIOD", help='How long it is good for, such as "2 years".')
]


@app.command("list", cls=IdCommand)
def list_badgeclasses(
    of_issuer: _OfIssuer = None,
    archived: _Archived = False,
    pages: Pages = None,
    issuer: Connection = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """List the badge classes of all issuers where our account is staff, or of one."""
    badgeclasses = client(issuer).badgeclasses
    if of_issuer is None:
        found = badgeclasses.all(include_archived=archived, num=pages)
    else:
        found = badgeclasses.of_issuer(of_issuer, include_archived=archived, num=pages)
    columns = ("entity_id", "name", "issuer", "archived", "created_at")
    show_all("Badge classes", columns, found, as_json, limit)


@app.command(cls=IdCommand)
def get(
    badgeclass: _Id, archived: _Archived = False, issuer: Connection = None, as_json: AsJson = False
) -> None:
    """Show one badge class."""
    show(_get(client(issuer).badgeclasses, badgeclass, archived), as_json)


@app.command(cls=IdCommand)
def create(
    of_issuer: Annotated[str, typer.Option(metavar="ID", help="Whose it is to be, by the service's id.")],
    name: Annotated[str, typer.Option(help="Its name, at most 1,024 letters.")],
    description: Annotated[str, typer.Option(help="A short description, at most 16,384 letters.")],
    image: Annotated[str, typer.Option(metavar="FILE", help="A PNG or SVG file.")],
    image_alt_text: _AltText = None,
    achievement_type: _Type = None,
    criteria_url: _CriteriaUrl = None,
    criteria: _Criteria = None,
    tags: _Tags = None,
    alignments: _Alignments = None,
    expires: _Expires = None,
    issuer: Connection = None,
    as_json: AsJson = False,
) -> None:
    """Make a badge class; `badgeclass` of a badge in the badges file is then its entity id."""
    from worker.adapters.badgr.models.badgeclasses import BadgeClassIn

    more = _more(image_alt_text, achievement_type, criteria_url, criteria, tags, alignments, expires)
    wanted = BadgeClassIn(name=name, description=description, image=picture(image), **more)
    show(client(issuer).badgeclasses.create_of_issuer(of_issuer, wanted), as_json)


@app.command(cls=IdCommand)
def update(
    badgeclass: _Id,
    name: _Name = None,
    description: _Description = None,
    image: Picture = None,
    image_alt_text: _AltText = None,
    achievement_type: _Type = None,
    criteria_url: _CriteriaUrl = None,
    criteria: _Criteria = None,
    tags: _Tags = None,
    alignments: _Alignments = None,
    expires: _Expires = None,
    issuer: Connection = None,
    as_json: AsJson = False,
) -> None:
    """Change a badge class: what is not given stays. The hosted service bakes issued assertions anew."""
    values = given(name=name, description=description, image=picture(image))
    values |= _more(image_alt_text, achievement_type, criteria_url, criteria, tags, alignments, expires)
    something(values)
    badgeclasses = client(issuer).badgeclasses
    changed = _get(badgeclasses, badgeclass, archived=True).changed(**values)
    put = badgeclasses.update_by_ref if _is_url(badgeclass) else badgeclasses.update
    show(put(badgeclass, changed), as_json)


@app.command(cls=IdCommand)
def delete(badgeclass: _Id, yes: Yes = False, issuer: Connection = None, as_json: AsJson = False) -> None:
    """Delete a badge class for good; refused while one of its assertions is live. `archive` is milder."""
    badgeclasses = client(issuer).badgeclasses
    agree(f"Delete badge class {badgeclass} for good?", yes)
    remove = badgeclasses.delete_by_ref if _is_url(badgeclass) else badgeclasses.delete
    remove(badgeclass, hard_delete=True)
    done("deleted", f"badge class {badgeclass}", as_json)


@app.command(cls=IdCommand)
def archive(
    badgeclass: _Id,
    note: Annotated[str | None, typer.Option(help="Why.")] = None,
    issuer: Connection = None,
    as_json: AsJson = False,
) -> None:
    """Archive a badge class (hosted only): it cannot be awarded any more, and `reactivate` brings it back."""
    badgeclasses = client(issuer).badgeclasses
    entity = _get(badgeclasses, badgeclass, archived=True).entity_id if _is_url(badgeclass) else badgeclass
    badgeclasses.archive(entity, note)
    done("archived", f"badge class {badgeclass}", as_json)


@app.command(cls=IdCommand)
def reactivate(badgeclass: _Id, issuer: Connection = None, as_json: AsJson = False) -> None:
    """Bring an archived badge class back (hosted only)."""
    badgeclasses = client(issuer).badgeclasses
    bring_back = badgeclasses.reactivate_by_ref if _is_url(badgeclass) else badgeclasses.reactivate
    show(bring_back(badgeclass), as_json)


@app.command(cls=IdCommand)
def duplicate(
    badgeclass: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    new_name: Annotated[str, typer.Argument(help="The name of the copy.")],
    issuer: Connection = None,
    as_json: AsJson = False,
) -> None:
    """Copy a badge class under a new name (hosted only)."""
    show(client(issuer).badgeclasses.duplicate(badgeclass, new_name), as_json)


def _get(badgeclasses: BadgeClasses, badgeclass: str, archived: bool) -> BadgeClassOut:
    find = badgeclasses.get_by_ref if _is_url(badgeclass) else badgeclasses.get
    return find(badgeclass, include_archived=archived)


def _is_url(badgeclass: str) -> bool:
    return badgeclass.startswith(("http://", "https://"))


def _more(
    image_alt_text: str | None,
    achievement_type: str | None,
    criteria_url: str | None,
    criteria: str | None,
    tags: list[str] | None,
    alignments: list[str] | None,
    expires: str | None,
) -> dict[str, Any]:
    return given(
        image_alt_text=image_alt_text,
        achievement_type=achievement_type,
        criteria_url=criteria_url,
        criteria_narrative=criteria,
        tags=tags,
        alignments=[_alignment(each) for each in alignments or []],
        expires=None if expires is None else _expiry(expires),
    )


def _alignment(written: str) -> dict[str, str]:
    name, equals, url = written.partition("=")
    if not equals:
        raise ConfigurationError("--alignment: write NAME=URL")
    return {"target_name": name, "target_url": url}


def _expiry(written: str) -> dict[str, Any]:
    match = _EXPIRY.fullmatch(written.strip())
    if match is None:
        raise ConfigurationError(
            '--expires: write a number of days, weeks, months or years, such as "2 years"'
        )
    return {"amount": int(match[1]), "duration": match[2]}

# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker explain`: why a user has a badge, or why not."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.opening import open_database, open_services
from worker.cli.options import AsJson
from worker.cli.output import fail, print_json

_User = Annotated[str, typer.Argument(metavar="USER", help="The user's id.")]
_Badge = Annotated[
    str | None,
    typer.Argument(metavar="[BADGE]", help="A badge's id; every badge without it.", show_default=False),
]


def explain(user: _User, badge: _Badge = None, as_json: AsJson = False) -> None:
    """Say why a user has a badge, or why not; without BADGE, how far the user is with every badge.

    For each criterion: what is wanted, there and missing, and the activities that count, with the events that
    told of them. Exit code 1 if nothing is known of the user or the badge.
    """
    from worker import explaining
    from worker.adapters.database.explaining import open_records
    from worker.cli import explanations

    database = open_database(open_services())
    try:
        with open_records(database.engine) as records:
            if badge is None:
                found = explaining.explain_all(records, user)
            else:
                one = explaining.explain(records, user, badge)
    except LookupError as error:
        if as_json:
            print_json(None)
        fail(str(error))
    if badge is not None:
        explanations.show_one(one, as_json=as_json)
    else:
        explanations.show_all(user, found, as_json=as_json)

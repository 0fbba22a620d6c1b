# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker db`: the schema."""

from __future__ import annotations

import typer

from worker.cli.opening import open_services
from worker.cli.options import AsJson
from worker.cli.output import print_json

app = typer.Typer(no_args_is_help=True, help="The database's schema.")


@app.callback()
def _group() -> None:
    """Keep the command's name where it is the only one."""


@app.command()
def upgrade(as_json: AsJson = False) -> None:
    """Bring the database to the newest schema and print its revision. Run it before new processes start."""
    from worker.adapters.database import migrations

    revision = migrations.upgrade(open_services().database.engine)
    if as_json:
        print_json({"revision": revision})
    else:
        print(revision)

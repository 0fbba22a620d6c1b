"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.output import TABLE_ROWS

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
RowLimit = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help=f"At most so many; else {TABLE_ROWS} in a table, all as JSON."),
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many; all without it.")]

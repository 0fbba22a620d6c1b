# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker events`: what upstream may send."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from worker.cli.options import AsJson
from worker.cli.output import print_json

app = typer.Typer(no_args_is_help=True, help="What upstream may send.")


@app.callback()
def _group() -> None:
    """Keep the command's name where it is the only one."""


@app.command()
def schema(as_json: AsJson = True) -> None:  # noqa: ARG001 # a schema is JSON, asked for or not
    """Print the JSON Schema of every event type: one document, with a branch for each type."""
    print_json(event_schema())


def event_schema() -> dict[str, Any]:
    """Return one JSON Schema for all events that `parse_event` takes for events of ours."""
    from pydantic import Field, TypeAdapter

    from worker.events import Event

    adapter: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events of badge-worker",
        "description": "One event is one CloudEvents 1.0 document in JSON. Unknown fields are ignored.",
    }
    return described | adapter.json_schema()

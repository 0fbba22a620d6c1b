# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker events`: what upstream may send."""

from __future__ import annotations

import json

import typer

from worker.cli.events_asyncapi import asyncapi_document
from worker.cli.options import AsJson
from worker.cli.output import print_json
from worker.event_schema import event_schema

app = typer.Typer(no_args_is_help=True, help="What upstream may send, and how.")


@app.command()
def schema(as_json: AsJson = True) -> None:  # noqa: ARG001 # a schema is JSON, asked for or not
    """Print the JSON Schema of every event type: one document, with a branch for each type."""
    print_json(event_schema())


@app.command()
def asyncapi(as_json: AsJson = False) -> None:
    """Print the AsyncAPI document: every event type, and the ways to send one. In YAML, or in JSON."""
    import yaml

    if as_json:
        print_json(asyncapi_document())
        return
    # A copy in which nothing stands twice: YAML would put references there.
    document = json.loads(json.dumps(asyncapi_document()))
    print(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110), end="")


@app.command()
def openapi(as_json: AsJson = True) -> None:  # noqa: ARG001 # it is JSON, asked for or not
    """Print the OpenAPI document of the web application, which serves it as /openapi.json."""
    from worker.web.openapi import openapi_document

    print_json(openapi_document())

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from tests.support import commands
from tests.unit.envelopes import NOW
from worker.events import Event, parse_event

TYPES = sorted(get_args(model.model_fields["type"].annotation)[0] for model in get_args(Event))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    ended = commands.run("events", "schema")
    assert ended.code == 0
    document: dict[str, Any] = ended.json
    return document


def test_the_schema_has_a_branch_for_every_type(schema: dict[str, Any]) -> None:
    assert sorted(schema["discriminator"]["mapping"]) == TYPES
    assert len(schema["oneOf"]) == len(TYPES) == 12


def test_each_branch_names_its_type_and_what_it_must_have(schema: dict[str, Any]) -> None:
    for kind, place in schema["discriminator"]["mapping"].items():
        branch = schema["$defs"][place.removeprefix("#/$defs/")]

        assert branch["properties"]["type"]["const"] == kind
        assert sorted(branch["required"]) == ["data", "id", "source", "specversion", "time", "type"]


def test_every_reference_in_the_schema_leads_somewhere(schema: dict[str, Any]) -> None:
    references = _references(schema)

    assert references
    assert {reference.removeprefix("#/$defs/") for reference in references} == schema["$defs"].keys()


def _references(part: object) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if "$ref" in part else set()
        return own.union(*map(_references, part.values()))
    if isinstance(part, list):
        return set().union(*map(_references, part))
    return set()


def test_ids_may_be_text_or_whole_numbers(schema: dict[str, Any]) -> None:
    user_id = schema["$defs"]["OnlyUser"]["properties"]["user_id"]

    assert {choice["type"] for choice in user_id["anyOf"]} == {"string", "integer"}


def test_the_committed_asyncapi_document_is_what_the_command_prints() -> None:
    ended = commands.run("events", "asyncapi")

    committed = Path(__file__).parents[3] / "docs" / "asyncapi.yaml"

    assert ended.code == 0
    assert (
        committed.read_text("utf-8") == ended.out
    )  # else: badge-worker events asyncapi > docs/asyncapi.yaml


def test_the_asyncapi_document_is_json_when_asked_for() -> None:
    in_yaml, in_json = commands.run("events", "asyncapi"), commands.run("events", "asyncapi", "--json")

    assert in_json.json == yaml.safe_load(in_yaml.out)


def test_no_description_names_rows_of_our_own_notes(schema: dict[str, Any]) -> None:
    descriptions = [model["description"] for model in schema["$defs"].values()]

    assert "Two people are connected." in descriptions
    assert not any("(" in description for description in descriptions)


def test_every_message_shows_an_event_of_its_type() -> None:
    messages = commands.run("events", "asyncapi", "--json").json["components"]["messages"]

    shown = {
        message["name"]: parse_event(json.dumps(example["payload"]).encode(), NOW).type
        for message in messages.values()
        for example in message.get("examples", [])
    }

    assert shown == {kind: kind for kind in TYPES}

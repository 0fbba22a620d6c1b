from __future__ import annotations

from typing import Any, get_args

import pytest

from tests.support import commands
from worker.events import Event

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

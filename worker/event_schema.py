# ruff: noqa: PLC0415 # loads what it needs when it runs, so that --help is quick
"""The JSON Schema of events, from the models that read them."""

from __future__ import annotations

import re
from typing import Annotated, Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ABOUT = (
    "One event is one CloudEvents 1.0 document in JSON, of at most 64 KiB. Fields that are not described "
    "here are ignored, and so is an event of another type. A whole number as an id is read as its digits."
)
ABOUT_TIME = (
    "When it happened, with an offset: the only clock that the badges' criteria use. Before 1970 or more "
    "than five minutes ahead is refused."
)
_SOURCE_ROWS = re.compile(r" \((?:facts )?[A-Z]\d*-\d+\)")  # where a rule comes from: not for publishers


def event_schema(template: str = "#/$defs/{model}") -> dict[str, Any]:
    """Return one JSON Schema for all events of ours, with a branch for each type; references by `template`.

    What `parse_event` takes for an event of ours is valid. The reverse holds but for what a schema cannot
    say: instants (the calendar, 1970, the future), that 1 and "1" are one id, 255 digits, and 64 KiB.
    """
    from pydantic import Field, TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema

    from worker.events import Event

    class Plain(GenerateJsonSchema):
        """Leaves out the titles that only repeat the names of fields."""

        def field_title_should_be_set(self, schema: Any) -> bool:
            del schema
            return False

    adapter: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
    made = adapter.json_schema(ref_template=template, schema_generator=Plain)
    for name, definition in made["$defs"].items():
        _tidy(name, definition)
    return {"$schema": DIALECT, "title": "Events of badge-worker", "description": ABOUT} | made


def _tidy(name: str, definition: dict[str, Any]) -> None:
    if "description" in definition:
        definition["description"] = _SOURCE_ROWS.sub("", definition["description"])
    fields = definition.get("properties", {})
    if "time" in fields:
        fields["time"] |= {"format": "date-time", "description": ABOUT_TIME}
    if name == "Connection":
        # The two are alike, and in these words every version of JSON Schema says so.
        either, _ = fields["user_ids"].pop("prefixItems")
        fields["user_ids"] |= {"items": either, "uniqueItems": True}

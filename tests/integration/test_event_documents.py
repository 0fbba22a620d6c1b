"""The JSON Schema and the AsyncAPI document, as others read them, against the parser that decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import commands, node
from tests.unit.envelopes import DATA, MISSING, NOW, event_bytes, with_data
from worker.errors import InvalidEvent
from worker.events import UnknownEvent, parse_event

VALUES: list[Any] = [
    *(MISSING, None, True, False, 0, 7, -7, 1.5, 10**30, 10**254, {}, [], {"u": "v"}),
    *("", "u", " ", "7", "\0", "a\0b", "x" * 255, "x" * 256, "😀" * 255, "😀" * 256, "x" * 1024, "x" * 1025),
    *(["u"], ["u", "v"], ["u", 7], ["u", "v", "w"], ["u", "u"], [7, 7], ["u", None], ["u", ""], ["u", 1.5]),
    *("AUTHENTICATED", "ADMINISTRATOR", "ANONYMOUS", "anonymous", "1.0", "1"),
    *("2026-03-01T10:15:00Z", "2026-03-01t10:15:00z", "2026-03-01 10:15:00.123456789+05:45"),
    *(
        "2026-03-01T10:15:00",
        "2026-03-01",
        "2026-03-01T10:15:00Z\n",
        "2026-03-01T10:15:00+0100",
        "1772360100",
    ),
    *DATA,
]
ATTRIBUTES = ["specversion", "id", "source", "type", "time", "data", "other"]
FIELDS = sorted({name for data in DATA.values() for name in data})
OPTIONAL = ["email", "first_name", "last_name", "uuid", "scope", "is_active"]
OPTIONAL += ["score", "required_score", "parent_post_id", "other"]
# What a schema cannot say: the parser refuses these, and the schema's description tells it.
BEYOND_SCHEMAS = {
    "before-1970": event_bytes(time="1969-12-31T23:59:59Z"),
    "in-the-future": event_bytes(time="2126-03-01T10:15:00Z"),
    "no-such-day": event_bytes(time="2026-02-30T10:15:00Z"),
    "one-person-twice": with_data("connection.established.v1", user_ids=[7, "7"]),
    "a-whole-number-with-a-point": with_data("post.created.v1", user_id=7.0),
    "too-many-digits": with_data("post.created.v1", user_id=10**255),
    "too-large": event_bytes(other="x" * 65536),
}


def _bodies() -> Iterator[bytes]:
    for kind in DATA:
        for value in VALUES:
            yield from (event_bytes(kind, **{name: value}) for name in ATTRIBUTES)
            yield from (with_data(kind, **{name: value}) for name in [*FIELDS, *OPTIONAL])


def _is_event_of_ours(body: bytes) -> bool:
    try:
        return not isinstance(parse_event(body, NOW), UnknownEvent)
    except InvalidEvent:
        return False


@pytest.fixture(scope="module")
def schema() -> Any:
    return commands.run("events", "schema").json


def _verdicts(schema: Any, bodies: list[bytes]) -> list[bool]:
    asked = json.dumps({"schema": schema, "bodies": [body.decode() for body in bodies]})
    verdicts: list[bool] = node.run("verdicts.mjs", asked)
    return verdicts


def test_the_schema_takes_just_what_the_parser_takes(schema: Any) -> None:
    bodies = list(dict.fromkeys(_bodies()))
    parsed = list(map(_is_event_of_ours, bodies))

    verdicts = _verdicts(schema, bodies)

    assert min(parsed.count(True), parsed.count(False)) > 1000
    assert [body for body, ours, theirs in zip(bodies, parsed, verdicts, strict=True) if ours != theirs] == []


def test_only_what_a_schema_cannot_say_is_left_to_the_parser(schema: Any) -> None:
    bodies = list(BEYOND_SCHEMAS.values())

    assert not any(map(_is_event_of_ours, bodies))
    assert _verdicts(schema, bodies) == [True] * len(bodies)


def test_what_is_no_json_is_no_event_for_either(schema: Any) -> None:
    bodies = [b"", b"{", b"[]", b"null", event_bytes().replace(b'"p"', b"NaN")]

    assert not any(map(_is_event_of_ours, bodies))
    assert not any(_verdicts(schema, bodies))


def test_the_asyncapi_document_is_valid_and_has_all_events_on_every_way() -> None:
    ended = commands.run("events", "asyncapi")

    read = node.run("asyncapi.mjs", ended.out)

    assert read["problems"] == []
    ways = {each["id"]: (each["protocols"], sorted(each["messages"])) for each in read["operations"]}
    assert ways == {
        "readStream": (["redis"], sorted(DATA)),
        "readQueue": (["amqp"], sorted(DATA)),
        "takeIn": (["http"], sorted([*DATA, "batch"])),
    }

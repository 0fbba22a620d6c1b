"""Bodies that are no events, of every kind that a queue brings, and what their dead letters must say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Broken:
    """A kind of broken body: `make(number)` gives one of its own, `said` is how its reason begins."""

    make: Callable[[int], bytes]
    said: str


MISSING = object()
POST, COMPLETED, MET = "post.created.v1", "learning_path.completed.v1", "connection.established.v1"
UPDATED = "user.updated.v1"
DATA: dict[str, dict[str, Any]] = {
    POST: {"user_id": "1003", "post_id": "p"},
    COMPLETED: {"user_id": "1003", "learning_path_id": "41", "passed": None},
    MET: {"user_ids": ["1003", "1004"]},
    UPDATED: {"user_id": "1003"},
}


def event(number: int, kind: str = POST, fields: dict[str, Any] | None = None, **attributes: Any) -> bytes:
    """Return an event of which these fields of its data, or attributes, are replaced or taken out."""
    whole = {
        "specversion": "1.0",
        "id": f"broken-{number}",
        "source": "https://lms.example.org",
        "type": kind,
        "time": "2025-04-01T12:00:00Z",
        "data": _there({**DATA.get(kind, {}), **(fields or {})}),
        **attributes,
    }
    return json.dumps(_there(whole)).encode()


def _there(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not MISSING}


def _with(said: str, **attributes: Any) -> Broken:
    """Return posts with another attribute; `subject` lets each be one of its own even without an id."""
    return Broken(lambda number: event(number, subject=str(number), **attributes), said)


def _data(said: str, kind: str = POST, **fields: Any) -> Broken:
    return Broken(lambda number: event(number, kind, fields), said)


def _bytes(said: str, instead: bytes) -> Broken:
    """Return posts whose id stands there as these bytes."""
    return Broken(lambda number: event(number).replace(b'"p"', instead), said)


_ID = "data.user_id: a string or a whole number, please"
_TIME = "time: an RFC 3339 time with offset"
_NOT_JSON = "body: not JSON ("
BROKEN: dict[str, Broken] = {
    # not JSON
    "text": Broken(lambda number: f"user {number} wrote a post".encode(), _NOT_JSON),
    "cut short": Broken(lambda number: event(number)[:-9], _NOT_JSON),
    "not UTF-8": _bytes(_NOT_JSON, b'"\xff"'),
    "a bare NUL": _bytes(_NOT_JSON, b'"\0"'),
    "a lone surrogate": _bytes(_NOT_JSON, b'"\\ud800"'),
    "surrogates the wrong way round": _bytes(_NOT_JSON, b'"\\udc00\\ud800"'),
    "a surrogate as bytes": _bytes(_NOT_JSON, b'"\xed\xa0\x80"'),
    "lists too deep": _bytes(_NOT_JSON, b"[" * 9000 + b"]" * 9000),
    "objects too deep": _bytes(_NOT_JSON, b'{"a":' * 5000 + b"1" + b"}" * 5000),
    # too large
    "too large": _with("body: ", padding="x" * 65_536),
    # not a CloudEvent
    "a list": Broken(lambda number: f"[{number}]".encode(), "body: "),
    "a number alone": Broken(lambda number: str(number).encode(), "body: "),
    "no type": _with("type: missing", type=MISSING),
    "an empty type": _with("type: ", type=""),
    "a number as type": _with("type: ", type=7),
    "another version": _with("specversion: ", specversion="0.3"),
    "no version": _with("specversion: missing", specversion=MISSING),
    "no id": _with("id: missing", id=MISSING),
    "a number as id": _with("id: a string, please", id=7),
    "no source": _with("source: missing", source=MISSING),
    "no data": _with("data: missing", data=MISSING),
    "data that is a list": _with("data: ", data=["1003", "p"]),
    # times
    "no time": _with("time: missing", time=MISSING),
    "no offset": _with(_TIME, time="2025-04-01T12:00:00"),
    "a day": _with(_TIME, time="2025-04-01"),
    "a number as time": _with("time: a string, please", time=1743508800),
    "no such day": _with("time: ", time="2025-02-30T12:00:00Z"),
    "the future": _with("time: 2999-", time="2999-01-01T00:00:00Z"),
    "before 1970": _with("time: before 1970", time="1969-12-31T23:59:59Z"),
    # ids
    "no user": _data("data.user_id: missing", user_id=MISSING),
    "an empty user": _data("data.user_id: ", user_id=""),
    "a user that is null": _data(_ID, user_id=None),
    "a user that is true": _data(_ID, user_id=True),
    "a user that is a fraction": _data("data.user_id: ", user_id=1003.5),
    "a user of 256 characters": _data("data.user_id: ", user_id="x" * 256),
    "a user of 256 digits": _data("data.user_id: ", user_id=10**255),
    "a user with a NUL": _data("data.user_id: no NUL", user_id="u\0"),
    "no post": _data("data.post_id: missing", post_id=MISSING),
    "a post of 256 characters": _data("data.post_id: ", post_id="x" * 256),
    "no learning path": _data("data.learning_path_id: missing", COMPLETED, learning_path_id=MISSING),
    # two people
    "a connection with oneself": _data("data.user_ids: two distinct", MET, user_ids=["1003", "1003"]),
    "with oneself in disguise": _data("data.user_ids: two distinct", MET, user_ids=["1003", 1003]),
    "one alone": _data("data.user_ids", MET, user_ids=["1003"]),
    "three at once": _data("data.user_ids", MET, user_ids=["1", "2", "3"]),
    "a pair as text": _data("data.user_ids: ", MET, user_ids="1003,1004"),
    "no people": _data("data.user_ids: missing", MET, user_ids=MISSING),
    # the rest of what types say
    "passed or not": _data("data.passed: missing", COMPLETED, passed=MISSING),
    "passed as text": _data("data.passed: ", COMPLETED, passed="yes"),
    "a score as text": _data("data.score: ", COMPLETED, score="9"),
    "a score that is NaN": _data("data.score: ", COMPLETED, score=float("nan")),
    "a score without end": _data("data.required_score: ", COMPLETED, required_score=float("inf")),
    "an address that is a number": _data("data.email: ", UPDATED, email=5),
    "an address with a NUL": _data("data.email: no NUL", UPDATED, email="a\0@example.org"),
    "a scope of its own": _data("data.scope: ", UPDATED, scope="ROOT"),
    "active as text": _data("data.is_active: ", UPDATED, is_active="no"),
}

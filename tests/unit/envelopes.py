"""Events as documents, whole and broken, and what parsing says of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from worker.errors import InvalidEvent
from worker.events import FURTHEST_AHEAD, UnknownEvent, parse_event
from worker.news import news_of
from worker.reading import read_plain

A_STRING = "a string, please"
AN_ID = "a string or a whole number, please"
NO_NUL = "no NUL characters, please"
AN_OBJECT = "Input should be an object"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATEST = NOW + FURTHEST_AHEAD
PATH = {"user_id": "u", "learning_path_id": "40"}
POST = {"user_id": "u", "post_id": "p"}
DATA: dict[str, dict[str, Any]] = {
    "user.registered.v1": {"user_id": "u"},
    "user.updated.v1": {"user_id": "u"},
    "user.blocked.v1": {"user_id": "u"},
    "user.unblocked.v1": {"user_id": "u"},
    "user.deleted.v1": {"user_id": "u"},
    "learning_path.enrolled.v1": PATH,
    "learning_path.unenrolled.v1": PATH,
    "learning_path.completed.v1": {**PATH, "passed": True},
    "post.created.v1": POST,
    "post.deleted.v1": POST,
    "connection.established.v1": {"user_ids": ["u", "v"]},
    "connection.removed.v1": {"user_ids": ["u", "v"]},
}
MISSING = object()


def document(kind: str = "post.created.v1", **attributes: Any) -> dict[str, Any]:
    """Return a good event as a document, with some attributes changed or MISSING."""
    whole = {
        "specversion": "1.0",
        "id": "1",
        "source": "https://lms.example.org",
        "type": kind,
        "time": "2026-03-01T10:15:00Z",
        "data": DATA.get(kind, {}),
    }
    return {name: value for name, value in (whole | attributes).items() if value is not MISSING}


def event_bytes(kind: str = "post.created.v1", **attributes: Any) -> bytes:
    return json.dumps(document(kind, **attributes)).encode()


def with_data(kind: str, **fields: Any) -> bytes:
    data = {name: value for name, value in (DATA[kind] | fields).items() if value is not MISSING}
    return event_bytes(kind, data=data)


def parsed(raw: bytes) -> Any:
    found = parse_event(raw, NOW)
    assert not isinstance(found, UnknownEvent)
    assert list(read_plain(raw, LATEST)) in ([], news_of(found))  # what is read in short is read the same
    return found


def reason(raw: bytes) -> str:
    with pytest.raises(InvalidEvent) as refusal:
        parse_event(raw, NOW)
    assert not read_plain(raw, LATEST)  # what is refused is never read in short
    return str(refusal.value)

"""What a queue also brings: messages that are no events, and events of types that are not ours."""

from __future__ import annotations

import json
from typing import Any

_GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "odd",
    "source": "https://lms.example.org",
    "type": "post.created.v1",
    "time": "2025-04-01T12:00:00Z",
    "data": {"user_id": "1003", "post_id": "odd-post"},
}


def broken_lines() -> list[str]:
    """Return messages that are no events, each for a reason of its own."""
    return [*_NO_DOCUMENTS, *(_line(number, change) for number, change in enumerate(_CHANGES, start=1))]


def unknown_events() -> list[dict[str, Any]]:
    """Return sound events of types that the worker does not know."""
    return [
        {**_GOOD, "id": f"unknown-{number}", "type": kind, "data": data}
        for number, (kind, data) in enumerate(_UNKNOWN * 4, start=1)
    ]


# Some platforms let a score be NaN, which JSON does not know.
_NOT_A_NUMBER = (
    '{"specversion":"1.0","id":"nan","source":"https://lms.example.org","type":"learning_path.completed.v1",'
    '"time":"2025-04-01T12:00:00Z","data":{"user_id":"1003","learning_path_id":"41","passed":null,'
    '"score":NaN,"required_score":80}}'
)
_NO_DOCUMENTS = [
    '{"specversion":"1.0","id":"cut-short","source":"https://lms.exa',
    "user 1003 wrote a post",
    "[1003, 1004]",
    "null",
    _NOT_A_NUMBER,
]
_GONE = object()
_CONNECTED = "connection.established.v1"
_COMPLETED = "learning_path.completed.v1"
_CHANGES: list[dict[str, Any]] = [
    {"time": "2025-04-01T12:00:00"},  # no offset
    {"time": "2025-04-01"},
    {"time": "2025-02-30T12:00:00Z"},
    {"time": 1743508800},
    {"time": _GONE},
    {"time": "2999-01-01T00:00:00Z"},  # not yet
    {"time": "1969-12-31T23:59:59Z"},
    {"specversion": "0.3"},
    {"id": _GONE},
    {"source": ""},
    {"type": _GONE},
    {"data": _GONE},
    {"data": ["1003", "odd-post"]},
    {"data": {"user_id": "1003"}},
    {"data": {"user_id": "", "post_id": "odd-post"}},
    {"data": {"user_id": True, "post_id": "odd-post"}},
    {"data": {"user_id": 1003.5, "post_id": "odd-post"}},
    {"data": {"user_id": None, "post_id": "odd-post"}},
    {"data": {"user_id": "1003", "post_id": "x" * 256}},
    {"data": {"user_id": "1003", "post_id": "odd\0post"}},
    {"type": _CONNECTED, "data": {"user_ids": ["1003", "1003"]}},  # with oneself
    {"type": _CONNECTED, "data": {"user_ids": ["1003", 1003]}},  # with oneself, in disguise
    {"type": _CONNECTED, "data": {"user_ids": ["1003", "1004", "1005"]}},
    {"type": _CONNECTED, "data": {"user_ids": "1003,1004"}},
    {"type": _COMPLETED, "data": {"user_id": "1003", "learning_path_id": "41", "passed": "yes"}},
    {"type": _COMPLETED, "data": {"user_id": "1003", "learning_path_id": "41"}},  # passed or not?
    {"type": _COMPLETED, "data": {"user_id": "1003", "learning_path_id": "41", "passed": None, "score": "9"}},
    {"type": "user.updated.v1", "data": {"user_id": "1003", "email": 5}},
    {"type": "user.updated.v1", "data": {"user_id": "1003", "scope": "ROOT"}},
]
_UNKNOWN: list[tuple[str, dict[str, Any]]] = [
    ("user.signed_in.v1", {"user_id": "1003"}),
    ("post.liked.v1", {"user_id": "1003", "post_id": "p-1"}),
    ("post.created.v2", {"user_id": "1003", "post": {"id": "odd-post"}}),
    ("learning_path.module_finished.v1", {"user_id": "1003", "module_id": "7"}),
    ("com.example.calendar.meeting_held", {"attendees": ["1003", "1004"]}),
]


def _line(number: int, change: dict[str, Any]) -> str:
    document = {**_GOOD, "id": f"broken-{number}", **change}
    return json.dumps({name: value for name, value in document.items() if value is not _GONE})

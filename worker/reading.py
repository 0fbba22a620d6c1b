"""Reading: from an event's body to its news, at the door.

Nearly all events are activities told in the plainest way, and are read here without a model of the event. All
others, and whatever is not right with one, are `parse_event`'s: there is one judge of what is no event, and
one voice that says so. What is read here is what `parse_event` and `news_of` would have made of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from worker.activities import Kind
from worker.events import EARLIEST, LONGEST_ID, RFC_3339, instant
from worker.news import ActivityNews

# The parser of the models gives up on nesting sooner than this one; nothing so short goes that deep.
_LONGEST = 512  # bytes
_is_rfc_3339 = re.compile(RFC_3339, re.ASCII).fullmatch
_from_iso = datetime.fromisoformat
# As the class makes them of a tuple, and as the enumeration has them, each costs several times as much.
_news: Callable[[tuple[Any, ...]], ActivityNews] = partial(tuple.__new__, ActivityNews)
_ENROLLED, _COMPLETED, _PASSED, _POST, _CONNECTED = Kind

Read = Sequence[ActivityNews]
_NOT_PLAIN: Read = ()


def read_plain(body: bytes, latest: datetime) -> Read:
    """Return the news of an activity's event, or nothing if it is not a plain one.

    `latest` is the latest time that an event may have.
    """
    if len(body) > _LONGEST:
        return _NOT_PLAIN
    try:
        event = orjson.loads(body)
        read = _READ[event["type"]]
        event_id, source, text = event["id"], event["source"], event["time"]
        if event["specversion"] != "1.0" or not _is_rfc_3339(text):
            return _NOT_PLAIN
        at = _from_iso(text)
        if at.tzinfo is not UTC:
            at = instant(text)
        if not (EARLIEST <= at <= latest and _is_name(event_id) and _is_name(source)):
            return _NOT_PLAIN
        return read(event["data"], at, source, event_id)
    except (ValueError, LookupError, TypeError):
        return _NOT_PLAIN


def _is_name(value: object) -> bool:
    return type(value) is str and value != "" and "\0" not in value


def _is_id(value: object) -> bool:
    return type(value) is str and 0 < len(value) <= LONGEST_ID and "\0" not in value


def _began(user_id: str, kind: Kind, object_id: str, at: datetime, source: str, event_id: str) -> Read:
    if _is_id(user_id) and _is_id(object_id):
        return (_news((user_id, kind, object_id, at, at, None, source, event_id)),)
    return _NOT_PLAIN


def _enrolled(data: dict[str, Any], at: datetime, source: str, event_id: str) -> Read:
    return _began(data["user_id"], _ENROLLED, data["learning_path_id"], at, source, event_id)


def _completed(data: dict[str, Any], at: datetime, source: str, event_id: str) -> Read:
    passed = data["passed"]
    if not isinstance(passed, bool) or "score" in data or "required_score" in data:
        return _NOT_PLAIN
    user_id, path = data["user_id"], data["learning_path_id"]
    completed = _began(user_id, _COMPLETED, path, at, source, event_id)
    if not (completed and passed):
        return completed
    return *completed, _news((user_id, _PASSED, path, at, at, None, source, event_id))


def _posted(data: dict[str, Any], at: datetime, source: str, event_id: str) -> Read:
    parent = data.get("parent_post_id") if isinstance(data, dict) else None
    if parent is not None and not _is_id(parent):
        return _NOT_PLAIN
    return _began(data["user_id"], _POST, data["post_id"], at, source, event_id)


def _connected(data: dict[str, Any], at: datetime, source: str, event_id: str) -> Read:
    pair = data["user_ids"]
    if type(pair) is not list:
        return _NOT_PLAIN
    one, other = pair
    if not (_is_id(one) and _is_id(other)) or one == other:
        return _NOT_PLAIN
    return (
        _news((one, _CONNECTED, other, at, at, None, source, event_id)),
        _news((other, _CONNECTED, one, at, at, None, source, event_id)),
    )


# Those that take nothing away: what removes is rare.
_READ: dict[str, Callable[[Any, datetime, str, str], Read]] = {
    "learning_path.enrolled.v1": _enrolled,
    "learning_path.completed.v1": _completed,
    "post.created.v1": _posted,
    "connection.established.v1": _connected,
}

"""What is an event and what is not, read plainly from contract.md section 3; the standard library alone."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

MOST_BYTES = 64 * 1024
MOST_CHARACTERS = 255
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)

# RFC 3339, section 5.6: a date-time whose offset is not left out; its note lets a space stand for the T.
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_PERSON, _PATH, _POST = ("user_id",), ("user_id", "learning_path_id"), ("user_id", "post_id")
IDS = {
    "user.registered.v1": _PERSON,
    "user.updated.v1": _PERSON,
    "user.blocked.v1": _PERSON,
    "user.unblocked.v1": _PERSON,
    "user.deleted.v1": _PERSON,
    "learning_path.enrolled.v1": _PATH,
    "learning_path.unenrolled.v1": _PATH,
    "learning_path.completed.v1": _PATH,
    "post.created.v1": _POST,
    "post.deleted.v1": _POST,
    "connection.established.v1": (),
    "connection.removed.v1": (),
}
PROFILE = ("email", "first_name", "last_name", "uuid")
SCOPES = ("AUTHENTICATED", "ADMINISTRATOR", "ANONYMOUS")


class NotAnEvent(Exception):
    """The body is no event; `category` is one of size, json, specversion, id, source, type, time, data."""

    def __init__(self, category: str) -> None:
        super().__init__(category)
        self.category = category


@dataclass(frozen=True)
class Event:
    """One valid event of a known type; ids in `data` are strings by now."""

    type: str
    source: str
    id: str
    time: datetime
    data: dict[str, Any]


def read_event(body: bytes | str, now: datetime) -> Event | None:
    """Return the event, or None for a type that nobody has to know; raises NotAnEvent."""
    document = _document(body)
    kind = document.get("type")
    if not _is_text(kind):
        raise NotAnEvent("type")
    if kind not in IDS:
        return None
    if document.get("specversion") != "1.0":
        raise NotAnEvent("specversion")
    for name in ("id", "source"):
        if not _is_text(document.get(name)):
            raise NotAnEvent(name)
    time = _time(document.get("time"), now)
    return Event(kind, document["source"], document["id"], time, _data(kind, document.get("data")))


def _document(body: bytes | str) -> dict[str, Any]:
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    if len(raw) > MOST_BYTES:
        raise NotAnEvent("size")
    try:
        document = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise NotAnEvent("json") from None
    if not isinstance(document, dict) or (b"\\u" in raw and _has_lone_surrogates(document)):
        raise NotAnEvent("json")
    return document


def _has_lone_surrogates(document: dict[str, Any]) -> bool:
    """Say whether a text in it is none: half of a character, which only an escape can write."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _is_text(value: object) -> bool:
    """Say whether it is a non-empty string that every database can keep."""
    return isinstance(value, str) and value != "" and "\0" not in value


def _time(value: object, now: datetime) -> datetime:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise NotAnEvent("time")
    try:
        time = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotAnEvent("time") from None
    if not EARLIEST <= time <= now + AHEAD:
        raise NotAnEvent("time")
    return time


def _data(kind: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotAnEvent("data")
    data = dict(value)
    for name in IDS[kind]:
        data[name] = _object_id(data.get(name))
    if kind.startswith("connection."):
        data["user_ids"] = _two_people(data.get("user_ids"))
    if kind in {"user.registered.v1", "user.updated.v1"}:
        _check_profile(data)
    if kind == "learning_path.completed.v1":
        _check_completion(data)
    if kind == "post.created.v1" and data.get("parent_post_id") is not None:
        data["parent_post_id"] = _object_id(data["parent_post_id"])
    return data


def _object_id(value: object) -> str:
    """Return the id as a string; True is no number here, though Python thinks so."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _is_text(value) or len(value) > MOST_CHARACTERS:
        raise NotAnEvent("data")
    return value


def _two_people(value: object) -> list[str]:
    people = [_object_id(one) for one in value] if isinstance(value, list) else []
    if len(people) != 2 or people[0] == people[1]:
        raise NotAnEvent("data")
    return people


def _check_profile(data: dict[str, Any]) -> None:
    for name in PROFILE:
        value = data.get(name)
        if value is not None and value != "" and not _is_text(value):
            raise NotAnEvent("data")
    if data.get("scope") not in {None, *SCOPES} or not _is_flag(data.get("is_active")):
        raise NotAnEvent("data")


def _check_completion(data: dict[str, Any]) -> None:
    scores = [data.get("score"), data.get("required_score")]
    numbers = all(score is None or _is_number(score) for score in scores)
    if "passed" not in data or not _is_flag(data["passed"]) or not numbers:
        raise NotAnEvent("data")


def _is_number(value: object) -> bool:
    """Say whether it is a number that can be compared: 1e400 is JSON, and more than any."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(float(value))
    except OverflowError:
        return False


def _is_flag(value: object) -> bool:
    return value is None or isinstance(value, bool)

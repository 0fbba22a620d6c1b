"""Event bodies as publishers send them, of one make-believe platform."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

START = datetime(2025, 1, 1, tzinfo=UTC)
DAY = 86400
_NUMBERS = count(1)


def at(seconds: float) -> datetime:
    """Return the instant so many seconds after the beginning of our time."""
    return START + timedelta(seconds=seconds)


def event(kind: str, when: float | datetime, **data: Any) -> bytes:
    """Return an event of a kind such as ``post.created``, each with an id of its own."""
    time = when if isinstance(when, datetime) else at(when)
    document = {
        "specversion": "1.0",
        "id": f"event-{next(_NUMBERS)}",
        "source": "https://lms.example.org",
        "type": f"{kind}.v1",
        "time": time.isoformat(),
        "data": data,
    }
    return json.dumps(document).encode()


def registered(when: float | datetime, user_id: str, **profile: Any) -> bytes:
    return event("user.registered", when, user_id=user_id, **profile)


def updated(when: float | datetime, user_id: str, **profile: Any) -> bytes:
    return event("user.updated", when, user_id=user_id, **profile)


def blocked(when: float | datetime, user_id: str) -> bytes:
    return event("user.blocked", when, user_id=user_id)


def unblocked(when: float | datetime, user_id: str) -> bytes:
    return event("user.unblocked", when, user_id=user_id)


def deleted(when: float | datetime, user_id: str) -> bytes:
    return event("user.deleted", when, user_id=user_id)


def enrolled(when: float | datetime, user_id: str, path: str = "40") -> bytes:
    return event("learning_path.enrolled", when, user_id=user_id, learning_path_id=path)


def unenrolled(when: float | datetime, user_id: str, path: str = "40") -> bytes:
    return event("learning_path.unenrolled", when, user_id=user_id, learning_path_id=path)


def completed(
    when: float | datetime, user_id: str, path: str = "40", *, passed: bool | None = None, **scores: float
) -> bytes:
    data = {"user_id": user_id, "learning_path_id": path, "passed": passed, **scores}
    return event("learning_path.completed", when, **data)


def posted(when: float | datetime, user_id: str, post_id: str, parent: str | None = None) -> bytes:
    comment = {} if parent is None else {"parent_post_id": parent}
    return event("post.created", when, user_id=user_id, post_id=post_id, **comment)


def unposted(when: float | datetime, user_id: str, post_id: str) -> bytes:
    return event("post.deleted", when, user_id=user_id, post_id=post_id)


def met(when: float | datetime, one: str, other: str) -> bytes:
    return event("connection.established", when, user_ids=[one, other])


def parted(when: float | datetime, one: str, other: str) -> bytes:
    return event("connection.removed", when, user_ids=[one, other])

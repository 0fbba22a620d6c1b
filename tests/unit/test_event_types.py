"""The types of events are found again in the news that they told, however they were read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.bodies import event
from worker.event_types import types_of
from worker.events import Event, parse_event
from worker.news import news_of
from worker.reading import read_plain

NOW = datetime(2026, 1, 2, tzinfo=UTC)
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("user.registered", {"user_id": "ada", "is_active": False}),
    ("user.updated", {"user_id": "ada", "email": "ada@example.org"}),
    ("user.updated", {"user_id": "ada"}),
    ("user.blocked", {"user_id": "ada"}),
    ("user.unblocked", {"user_id": "ada"}),
    ("user.deleted", {"user_id": "ada"}),
    ("learning_path.enrolled", {"user_id": "ada", "learning_path_id": "40"}),
    ("learning_path.unenrolled", {"user_id": "ada", "learning_path_id": "40"}),
    ("learning_path.completed", {"user_id": "ada", "learning_path_id": "40", "passed": True}),
    ("learning_path.completed", {"user_id": "ada", "learning_path_id": "40", "passed": None}),
    ("post.created", {"user_id": "ada", "post_id": "1"}),
    ("post.deleted", {"user_id": "ada", "post_id": "1"}),
    ("connection.established", {"user_ids": ["ada", "bob"]}),
    ("connection.removed", {"user_ids": ["ada", "bob"]}),
]


@pytest.mark.parametrize(("name", "data"), EVENTS, ids=json.dumps)
def test_an_event_is_of_the_type_that_its_news_tell(name: str, data: dict[str, Any]) -> None:
    body = event(name, NOW, **data)

    parsed: Any = parse_event(body, NOW)
    plain = read_plain(body, NOW)

    assert isinstance(parsed, Event)
    assert types_of([news_of(parsed)]) == {parsed.type: 1}
    assert types_of([plain] if plain else [news_of(parsed)]) == {f"{name}.v1": 1}


def test_each_event_counts_once() -> None:
    events: list[Any] = [parse_event(event(name, NOW, **data), NOW) for name, data in EVENTS]

    types = types_of([*map(news_of, events), []])

    assert sum(types.values()) == len(EVENTS)
    assert types["learning_path.completed.v1"] == 2

"""`worker.publish` and `worker.Publisher`: what is checked, when it is sent, and what is said of it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

import worker
from tests.support import bodies
from worker import publishing
from worker.adapters.queues import MemoryQueue
from worker.errors import ConfigurationError, InvalidEvent, QueueUnavailable

URL = "redis://127.0.0.1:1/0"
GOOD = json.loads(bodies.completed(0, "ada", score=92, required_score=80))


class Watched(MemoryQueue):
    """A queue that remembers what was sent to it at once, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.closed = False
        self.fails_at = -1

    def publish(self, bodies: Sequence[bytes]) -> int:
        if len(self.sizes) == self.fails_at:
            raise QueueUnavailable("connection refused")
        self.sizes.append(len(bodies))
        return super().publish(bodies)

    def close(self) -> None:
        self.closed = True

    def documents(self) -> list[Any]:
        return [json.loads(message.body) for message in self.read(10_000, 0)]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Watched]:
    """Every queue that a publisher opens, in order; their addresses do not matter."""
    queues: list[Watched] = []

    def open_one(url: str) -> Watched:
        del url
        queues.append(Watched())
        return queues[-1]

    monkeypatch.setattr(publishing, "_open", open_one)
    return queues


def _changed(**data: object) -> dict[str, Any]:
    return {**GOOD, "data": GOOD["data"] | data}


def test_mappings_and_documents_are_events(opened: list[Watched]) -> None:
    events = [GOOD, json.dumps(GOOD), json.dumps(GOOD).encode(), MappingProxyType(GOOD)]

    accepted = worker.publish(events, URL)

    assert accepted == 4
    assert opened[0].documents() == [GOOD] * 4
    assert opened[0].closed


def test_values_that_services_have_in_their_hands_become_json(opened: list[Watched]) -> None:
    time = datetime(2026, 3, 1, 10, 15, tzinfo=UTC)
    number = UUID("2f6c1e9a-0b7e-4b0e-8f4e-5a1f2f3c9d11")

    worker.publish([_changed(score=Decimal("92.5")) | {"id": number, "time": time}], URL)

    document = opened[0].documents()[0]
    assert document["id"] == str(number)
    assert document["time"] == "2026-03-01T10:15:00+00:00"
    assert document["data"]["score"] == 92.5


def test_letters_of_all_alphabets_arrive_as_they_are(opened: list[Watched]) -> None:
    worker.publish([_changed(user_id="Åsa 🦉")], URL)

    assert "Åsa 🦉".encode() in opened[0].read(1, 0)[0].body


HOLDS_ITSELF: dict[str, Any] = {}
HOLDS_ITSELF["data"] = HOLDS_ITSELF


@pytest.mark.parametrize(
    ("event", "said"),
    [
        pytest.param(_changed(user_id=""), "data.user_id: ", id="empty-id"),
        pytest.param({**GOOD, "data": {}}, "data.user_id: missing", id="missing"),
        pytest.param({**GOOD, "time": datetime(2026, 3, 1)}, "time: an RFC 3339", id="no-offset"),  # noqa: DTZ001
        pytest.param("{", "body: not JSON", id="no-json"),
        pytest.param(b"\xff", "body: not JSON", id="no-utf-8"),
        pytest.param('"\ud800"', "body: not JSON", id="surrogate-in-text"),
        pytest.param(_changed(score=float("nan")), "data.score: Out of range", id="nan"),
        pytest.param(_changed(more=[1, {"at": object()}]), "data.more[1].at: object is no JSON", id="object"),
        pytest.param(_changed(user_id="\ud800"), "data.user_id: 'utf-8' codec", id="surrogate"),
        pytest.param(HOLDS_ITSELF, "data.data.", id="holds-itself"),
        pytest.param({**GOOD, ("a",): 1}, "body: keys must be", id="key"),
        pytest.param(42, "body: a mapping or a JSON document, please, not int", id="number"),
        pytest.param(_changed(pad="x" * 65536), "body: ", id="too-large"),
    ],
)
def test_what_is_no_event_is_named_and_nothing_of_its_chunk_sent(
    opened: list[Watched], event: Any, said: str
) -> None:
    with pytest.raises(InvalidEvent) as caught:
        worker.publish([GOOD, event, GOOD], URL)

    assert str(caught.value).startswith(f"events[1]: {said}")
    assert opened[0].sizes == []
    assert opened[0].closed


def test_chunks_before_a_bad_event_are_sent_and_counted(
    opened: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "CHUNK", 2)

    with pytest.raises(InvalidEvent, match=r"^events\[5\]: body: .* \(confirmed before: 4\)$"):
        worker.publish([GOOD, GOOD, GOOD, GOOD, GOOD, 0, GOOD], URL)  # type: ignore[list-item]

    assert opened[0].sizes == [2, 2]


def test_an_outage_says_how_many_were_confirmed(
    opened: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "CHUNK", 2)

    with worker.Publisher(URL) as publisher:
        opened[0].fails_at = 1
        with pytest.raises(QueueUnavailable, match=r"^connection refused \(confirmed before: 2\)$"):
            publisher.publish([GOOD] * 5)


def test_events_are_taken_no_further_than_the_chunk_in_hand(
    opened: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "CHUNK", 2)
    ahead = []

    def stream() -> Iterator[Mapping[str, Any]]:
        for number in range(6):
            ahead.append(number - sum(opened[0].sizes))
            yield GOOD

    assert worker.publish(stream(), URL) == 6
    assert ahead == [0, 1] * 3


@pytest.mark.parametrize("one", [GOOD, "{}", b"{}"], ids=["mapping", "text", "bytes"])
def test_a_lone_event_is_a_slip_that_is_named(opened: list[Watched], one: Any) -> None:
    with pytest.raises(TypeError, match=r"publish\(\[event\]\)"):
        worker.publish(one, URL)

    assert opened[0].sizes == []


def test_no_events_are_no_trouble(opened: list[Watched]) -> None:
    assert worker.publish([], URL) == 0
    assert opened[0].sizes == []


def test_an_unknown_type_is_published_and_told_once(
    opened: list[Watched], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), worker.Publisher(URL) as publisher:
        publisher.publish([{**GOOD, "type": "post.liked.v1"}, GOOD])
        publisher.publish([{**GOOD, "type": "post.liked.v1"}])

    assert len(opened[0].documents()) == 3
    assert [record.getMessage() for record in caplog.records] == [
        "the worker passes over events of type 'post.liked.v1': it does not know them"
    ]


def test_a_publisher_keeps_its_connection_until_closed(opened: list[Watched]) -> None:
    with worker.Publisher(URL) as publisher:
        publisher.publish([GOOD])
        publisher.publish([GOOD])
    publisher.close()
    publisher.publish([GOOD])

    assert [queue.sizes for queue in opened] == [[1, 1], [1]]
    assert [queue.closed for queue in opened] == [True, False]


def test_threads_take_turns_with_the_connection(
    opened: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    within, most = 0, 0
    whole = Watched.publish

    def counting(self: Watched, chunk: Sequence[bytes]) -> int:
        nonlocal within, most
        within += 1
        most = max(most, within)
        os.sched_yield()
        accepted = whole(self, chunk)
        within -= 1
        return accepted

    monkeypatch.setattr(Watched, "publish", counting)
    publisher = worker.Publisher(URL)
    threads = [
        threading.Thread(target=lambda: [publisher.publish([GOOD]) for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 1
    assert opened[0].backlog() == 200


def test_after_a_fork_the_parents_connection_is_left_alone(
    opened: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = worker.Publisher(URL)
    publisher.publish([GOOD])
    publisher._lock.acquire()  # somebody in the parent held it at that moment

    monkeypatch.setattr(os, "getpid", lambda: -1)
    publisher.publish([GOOD, GOOD])
    publisher.close()

    assert [queue.sizes for queue in opened] == [[1], [2]]
    assert [queue.closed for queue in opened] == [False, True]


def test_the_queue_of_the_environment_is_enough(
    opened: list[Watched], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BADGE_WORKER_EVENTS_URL", URL)

    assert worker.publish([GOOD]) == 1
    assert len(opened) == 1


def test_without_a_queue_the_variable_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BADGE_WORKER_EVENTS_URL", raising=False)

    with pytest.raises(ConfigurationError, match="BADGE_WORKER_EVENTS_URL: missing"):
        worker.publish([GOOD])


def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="no event queue speaks 'mail'"):
        worker.Publisher("mail://example.org")


def test_to_import_the_worker_loads_neither_models_nor_clients() -> None:
    heavy = {"pydantic", "redis", "kombu", "celery", "sqlalchemy", "structlog", "typer"}
    program = f"import sys, worker; print(sorted({heavy!r} & set(sys.modules)))"

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)

    assert ended.stdout == "[]\n"

"""Putting events on the queue for many callers at once."""

from __future__ import annotations

import threading
from concurrent.futures import wait
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.unit.envelopes import event_bytes
from worker import intake as module
from worker.adapters.queues import MemoryQueue
from worker.errors import QueueUnavailable
from worker.intake import Intake, Wrong, check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PATIENCE = 30.0


class SlowQueue(MemoryQueue):
    """Publishes when it is let, and notes what came together; fails if it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let = threading.Event(), threading.Event()
        self.together: list[int] = []
        self.fails: Exception | None = None

    def publish(self, bodies: Sequence[bytes]) -> int:
        self.begun.set()
        assert self.let.wait(PATIENCE)
        self.together.append(len(bodies))
        if self.fails:
            raise self.fails
        return super().publish(bodies)


@pytest.fixture
def queue() -> SlowQueue:
    return SlowQueue()


@pytest.fixture
def intake(queue: SlowQueue) -> Iterator[Intake]:
    intake = Intake(queue)
    yield intake
    queue.let.set()
    intake.close()


def test_what_comes_while_it_is_busy_goes_together(intake: Intake, queue: SlowQueue) -> None:
    first = intake.put([b"1"])
    assert queue.begun.wait(PATIENCE)

    others = [intake.put([b"2", b"3"]) for _ in range(5)]
    early = first.done()
    queue.let.set()
    wait([first, *others], PATIENCE)

    assert not early
    assert queue.together == [1, 10]
    assert [other.result() for other in (first, *others)] == [None] * 6


def test_no_more_go_together_than_the_broker_likes(
    intake: Intake, queue: SlowQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PUBLISHED_TOGETHER", 3)
    first = intake.put([b"1"])
    assert queue.begun.wait(PATIENCE)

    others = [intake.put([b"x"] * count) for count in (2, 2, 5, 1)]
    queue.let.set()
    wait([first, *others], PATIENCE)

    assert queue.together == [1, 2, 2, 5, 1]


@pytest.mark.parametrize("error", [QueueUnavailable("away"), RuntimeError("a mistake")])
def test_all_whose_events_went_together_are_told_of_a_failure(
    intake: Intake, queue: SlowQueue, error: Exception
) -> None:
    queue.fails = error
    first = intake.put([b"1"])
    assert queue.begun.wait(PATIENCE)
    others = [intake.put([b"2"]), intake.put([b"3"])]
    queue.let.set()
    wait([first, *others], PATIENCE)

    queue.fails = None
    again = intake.put([b"4"])

    assert [each.exception() for each in (first, *others)] == [error] * 3
    assert again.result(PATIENCE) is None


def test_one_who_does_not_wait_any_more_holds_up_nobody(intake: Intake, queue: SlowQueue) -> None:
    first = intake.put([b"1"])
    assert queue.begun.wait(PATIENCE)
    other = intake.put([b"2"])

    first.cancel()
    queue.let.set()

    assert other.result(PATIENCE) is None


def test_what_nobody_waits_for_any_more_is_not_published(intake: Intake, queue: SlowQueue) -> None:
    first = intake.put([b"1"])
    assert queue.begun.wait(PATIENCE)
    given_up, other = intake.put([b"2", b"2"]), intake.put([b"3"])

    given_up.cancel()
    queue.let.set()
    wait([first, other], PATIENCE)

    assert queue.together == [1, 1]


def test_what_nobody_waits_for_any_more_keeps_no_room(
    intake: Intake, queue: SlowQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 10)
    intake.put([b"x"])
    assert queue.begun.wait(PATIENCE)
    intake.put([b"x" * 9]).cancel()

    other = intake.put([b"y" * 9])
    queue.let.set()

    assert other.result(PATIENCE) is None
    assert intake.put([b"z" * 10]).result(PATIENCE) is None


def test_when_all_have_given_up_it_waits_for_others(intake: Intake, queue: SlowQueue) -> None:
    first = intake.put([b"1"])
    assert queue.begun.wait(PATIENCE)
    intake.put([b"2"]).cancel()
    queue.let.set()
    first.result(PATIENCE)

    assert intake.put([b"3"]).result(PATIENCE) is None


def test_what_waits_is_bounded(intake: Intake, queue: SlowQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 10)
    first = intake.put([b"x" * 10])

    with pytest.raises(QueueUnavailable, match="too much"):
        intake.put([b"x"])
    queue.let.set()
    first.result(PATIENCE)

    assert intake.put([b"x"]).result(PATIENCE) is None


def test_closing_finishes_what_waits_and_takes_no_more(intake: Intake, queue: SlowQueue) -> None:
    waiting = [intake.put([b"1"]), intake.put([b"2"])]
    queue.let.set()

    intake.close()

    assert [each.done() for each in waiting] == [True, True]
    with pytest.raises(QueueUnavailable):
        intake.put([b"3"])


def test_each_wrong_field_is_named_alone() -> None:
    bodies = [
        event_bytes(),
        event_bytes(id="", time="today"),
        event_bytes("connection.established.v1", data={"user_ids": ["a", 1.5]}),
        b"{}",
        b"no json",
    ]

    checked = check(bodies, NOW)

    assert checked.wrong == [
        Wrong(1, "id", "String should have at least 1 character"),
        Wrong(1, "time", "an RFC 3339 time with offset, such as 2026-03-01T10:15:00Z, please"),
        Wrong(2, "data.user_ids[1]", "a string or a whole number, please"),
        Wrong(3, "type", "missing; an event names its type, such as post.created.v1"),
        Wrong(4, "body", "not JSON (expected ident at line 1 column 2)"),
    ]

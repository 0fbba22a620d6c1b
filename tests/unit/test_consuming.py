"""How one consumer works: the next batch is read while one is being committed."""

from __future__ import annotations

import operator
import threading
from collections.abc import Sequence
from functools import partial

import pytest
from structlog.testing import capture_logs

from tests.support.faults import NoTaskWorkers
from tests.support.waiting import wait_until
from worker import consuming, measuring
from worker.adapters.queues.memory import MemoryQueue
from worker.awarding import Awarding, Ingested, ReadBatch
from worker.consuming import Consumer, Pace
from worker.drafting import Draft
from worker.errors import DatabaseUnavailable, QueueUnavailable
from worker.news import News
from worker.ports import Message

ONE_BY_ONE = Pace(1, 0)


class Slow(Awarding):
    """Commits nothing but notes; each commit waits for leave."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.begun: list[list[bytes]] = []
        self.leave = threading.Semaphore(0)
        self.second_read = threading.Event()
        self.fails = False

    def read(self, bodies: Sequence[bytes]) -> ReadBatch:
        if self.begun and bodies:
            self.second_read.set()
        self.seen += bodies
        return ReadBatch([(body, []) for body in bodies])

    def draft(self, read: ReadBatch) -> tuple[Sequence[News], Draft]:
        del read
        return [], Draft([], frozenset(), [])

    def commit(self, read: ReadBatch) -> Ingested:
        self.begun.append([body for body, _ in read.events])
        assert self.leave.acquire(timeout=60)
        if self.fails:
            raise DatabaseUnavailable("gone")
        return Ingested(len(read.events))


def start(
    queue: MemoryQueue, awarding: Awarding, stop: threading.Event, pace: Pace = ONE_BY_ONE
) -> threading.Thread:
    consumer = Consumer(queue, awarding, NoTaskWorkers(), pace)
    thread = threading.Thread(target=consumer.run, args=(stop,), daemon=True)
    thread.start()
    return thread


def test_the_next_batch_is_read_while_one_is_committed() -> None:
    queue, awarding, stop = MemoryQueue(), Slow(), threading.Event()
    queue.publish([b"1", b"2"])

    thread = start(queue, awarding, stop)
    read_ahead = awarding.second_read.wait(60)
    begun = list(awarding.begun)
    stop.set()
    awarding.leave.release(2)
    thread.join(60)

    assert read_ahead
    assert begun == [[b"1"]]  # and only one at a time is committed
    assert awarding.begun == [[b"1"], [b"2"]]
    assert queue.backlog() == 0


def test_a_batch_does_not_overtake_one_that_could_not_be_committed() -> None:
    queue, awarding, stop = MemoryQueue(), Slow(), threading.Event()
    queue.publish([b"1", b"2"])

    thread = start(queue, awarding, stop)
    awarding.second_read.wait(60)
    awarding.fails = True
    stop.set()
    awarding.leave.release(2)
    thread.join(60)

    assert awarding.begun == [[b"1"]]
    assert queue.backlog() == 2


def test_a_batch_is_acknowledged_only_once_it_is_committed() -> None:
    queue, awarding, stop = MemoryQueue(), Slow(), threading.Event()
    queue.publish([b"1", b"2"])

    thread = start(queue, awarding, stop)
    awarding.second_read.wait(60)
    before = queue.backlog()
    stop.set()
    awarding.leave.release(2)
    thread.join(60)

    assert (before, queue.backlog()) == (2, 0)


def numbered(first: int, last: int) -> list[bytes]:
    return [str(number).encode() for number in range(first, last + 1)]


def test_what_comes_while_a_batch_is_committed_goes_into_the_next_one() -> None:
    queue, awarding, stop = MemoryQueue(), Slow(), threading.Event()
    queue.publish(numbered(1, 5))

    thread = start(queue, awarding, stop, Pace(5, 3600))
    wait_until(lambda: bool(awarding.begun), 60, "the first commit")
    for body in numbered(6, 8):
        queue.publish([body])
        wait_until(partial(operator.contains, awarding.seen, body), 60, "it is read")
    awarding.leave.release()
    stop.set()
    awarding.leave.release()
    thread.join(60)

    assert awarding.begun == [numbered(1, 5), numbered(6, 8)]


def commit_one(queue: MemoryQueue, awarding: Slow, pace: Pace) -> None:
    """Run a consumer until it has begun a commit by itself, and let that one be done."""
    stop = threading.Event()
    thread = start(queue, awarding, stop, pace)
    wait_until(lambda: bool(awarding.begun), 60, "a commit")
    stop.set()
    awarding.leave.release()
    thread.join(60)


def test_what_is_worth_a_commit_does_not_wait_for_more() -> None:
    queue, awarding = MemoryQueue(), Slow()
    queue.publish(numbered(1, 100))

    commit_one(queue, awarding, Pace(500, 3600))

    assert awarding.begun == [numbered(1, 100)]


class Counting(MemoryQueue):
    """Notes how much was read at once."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[list[int]] = []

    def read(self, limit: int, wait: float) -> Sequence[Message]:
        messages = super().read(limit, wait)
        if messages:
            self.reads.append([len(message.body) for message in messages])
        return messages


def test_what_is_read_at_once_and_committed_together_is_bounded_by_its_size() -> None:
    """Who dies of what is too much for its memory would die of it again when it comes again."""
    queue, awarding, stop = Counting(), Slow(), threading.Event()
    queue.publish([bytes(1024 * 1024)] * 64)

    thread = start(queue, awarding, stop, Pace(500, 0.05))
    awarding.leave.release(64)
    wait_until(lambda: queue.backlog() == 0)
    stop.set()
    thread.join(60)

    assert max(map(len, queue.reads)) == 16
    assert max(map(len, queue.reads[1:])) <= 8
    assert max(map(len, awarding.begun)) <= 16


def test_of_what_is_light_as_much_is_read_at_once_as_a_batch_may_have() -> None:
    queue, awarding, stop = Counting(), Slow(), threading.Event()
    queue.publish([b"light"] * 2000)

    thread = start(queue, awarding, stop, Pace(500, 0.05))
    awarding.leave.release(64)
    wait_until(lambda: queue.backlog() == 0)
    stop.set()
    thread.join(60)

    assert [len(batch) for batch in awarding.begun] == [500] * 4
    assert 500 in map(len, queue.reads)


def test_a_stop_does_not_wait_until_a_batch_is_full() -> None:
    queue, awarding, stop = MemoryQueue(), Slow(), threading.Event()
    queue.publish([b"1"])

    thread = start(queue, awarding, stop, Pace(500, 3600))
    wait_until(lambda: bool(awarding.seen), 60, "it is read")
    begun_by_itself = bool(awarding.begun)
    stop.set()
    awarding.leave.release()
    thread.join(60)

    assert not begun_by_itself  # a trickle waits
    assert awarding.begun == [[b"1"]]
    assert queue.backlog() == 0


def test_a_trickle_goes_once_it_has_waited() -> None:
    queue, awarding = MemoryQueue(), Slow()
    queue.publish([b"1"])

    commit_one(queue, awarding, Pace(500, 0.05))

    assert awarding.begun == [[b"1"]]


class Breaking(MemoryQueue):
    """A queue that goes away for the third read, while there is something in hand."""

    reads = 0

    def read(self, limit: int, wait: float) -> Sequence[Message]:
        self.reads += 1
        if self.reads == 3:
            raise QueueUnavailable("gone for a moment")
        return super().read(limit, wait)


def test_what_is_in_hand_goes_before_what_comes_after_the_queue_was_away() -> None:
    """It would come again, later: a removal could go before what it removes."""
    queue, awarding = Breaking(), Slow()
    queue.publish(numbered(1, 10))

    commit_one(queue, awarding, Pace(500, 3600))

    assert awarding.begun == [numbered(1, 10)]
    assert queue.backlog() == 0


class Junk(Slow):
    """Nothing is an event to it."""

    def read(self, bodies: Sequence[bytes]) -> ReadBatch:
        self.seen += bodies
        return ReadBatch([], [(body, "body: no event") for body in bodies])

    def commit(self, read: ReadBatch) -> Ingested:
        self.begun.append([body for body, _ in read.broken])
        assert self.leave.acquire(timeout=60)
        return Ingested(0, 0, len(read.broken))


def test_a_flood_of_junk_is_one_line_a_batch_however_it_trickles_in() -> None:
    queue, awarding, stop = MemoryQueue(), Junk(), threading.Event()
    queue.publish(numbered(1, 5))

    with capture_logs() as lines:
        thread = start(queue, awarding, stop, Pace(5, 3600))
        wait_until(lambda: bool(awarding.begun), 60, "the first commit")
        for body in numbered(6, 8):
            queue.publish([body])
            wait_until(partial(operator.contains, awarding.seen, body), 60, "it is read")
        stop.set()
        awarding.leave.release(2)
        thread.join(60)

    refused = [line["events"] for line in lines if line["event"] == "event.refused"]
    assert refused == [5, 3]


class Noting(MemoryQueue):
    """Notes what had been begun by the time that something was acknowledged."""

    def __init__(self, awarding: Slow) -> None:
        super().__init__()
        self.awarding = awarding
        self.noted: list[tuple[list[bytes], int]] = []

    def acknowledge(self, messages: Sequence[Message]) -> None:
        wait_until(lambda: len(self.awarding.begun) == 2, 60, "the next commit is begun")
        self.noted.append(([message.body for message in messages], len(self.awarding.begun)))
        super().acknowledge(messages)


def test_a_batch_is_acknowledged_while_the_next_one_is_being_committed() -> None:
    awarding, stop = Slow(), threading.Event()
    queue = Noting(awarding)
    queue.publish([b"1", b"2"])

    thread = start(queue, awarding, stop)
    awarding.leave.release()
    wait_until(lambda: bool(queue.noted), 60, "the first one is acknowledged")
    stop.set()
    awarding.leave.release()
    thread.join(60)

    assert queue.noted == [([b"1"], 2), ([b"2"], 2)]


def test_what_is_told_of_unknown_types_is_bounded() -> None:
    total = Ingested()

    for number in range(1000):
        total += Ingested(unknown={f"course.rated-{number}": 2})

    assert len(total.unknown) <= 101
    assert sum(total.unknown.values()) == 2000


def test_a_consumer_that_waits_for_a_commit_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, awarding, stop = MemoryQueue(), Slow(), threading.Event()
    monkeypatch.setattr(consuming, "_LONGEST_WAIT", 0.01)
    signs: list[bool] = []
    monkeypatch.setattr(measuring, "also_told", [lambda: signs.append(bool(awarding.begun))])
    queue.publish([b"1"])

    thread = start(queue, awarding, stop)
    wait_until(lambda: signs.count(True) > 5, 60, "signs of life")
    stop.set()
    awarding.leave.release()
    thread.join(60)

    assert queue.backlog() == 0

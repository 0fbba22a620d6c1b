"""Consuming: read a batch, commit it, then acknowledge it; over and over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from worker import measuring
from worker.awarding import Awarding, Ingested, ReadBatch
from worker.errors import DatabaseUnavailable, QueueUnavailable
from worker.event_types import types_of
from worker.ports import Dispatch, EventQueue, Message

T = TypeVar("T")
log = structlog.get_logger(__name__)

_LONGEST_READ = 1.0  # seconds for which a stop is not noticed
_LONGEST_WAIT = 10.0  # seconds between two signs of life while a batch is being committed
_BREATH_EVERY = 5.0  # seconds between two reads with empty hands, at most
_ENOUGH = 100  # messages that are worth a commit: with so many in hand nothing waits for more
_HEAVY = 8 * 1024 * 1024  # bytes in hand that are worth a commit: no more is read before it
# Messages that are read at once to begin with, twice as many each time that they are light: of what is too
# much for our memory we would die again each time that it comes again.
_FIRST_BITE = 16
_LOOKS = 10  # for more, within the longest wait to fill a batch
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.001, 0.02  # seconds between two of them
_PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0)  # seconds between tries while something cannot be reached


@dataclass(frozen=True, slots=True)
class Pace:
    """How batches are filled: at most `size` events, after the first for at most `wait` seconds."""

    size: int = 500
    wait: float = 0.05


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A batch that a thread of its own commits."""

    messages: Sequence[Message]
    read: ReadBatch
    commit: Future[Ingested]


@dataclass(slots=True)
class _Filled:
    """What was taken off the queue together, what it says, and when its first message was there."""

    messages: list[Message] = field(default_factory=list)
    read: ReadBatch = field(default_factory=ReadBatch)
    begun: float = 0.0
    weight: int = 0  # bytes


class Consumer:
    """One consumer. What it has read stays on the queue until its transaction has committed.

    While one batch is being committed the next one is read, so that neither waits for the other; only one
    thread touches the queue.
    """

    def __init__(
        self,
        queue: EventQueue,
        awarding: Awarding,
        dispatch: Dispatch,
        pace: Pace,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._awarding = awarding
        self._dispatch = dispatch
        self._pace = pace
        self._monotonic = monotonic
        self._done = Ingested()
        self._busy_at = monotonic()
        self._breathes_at = self._busy_at + _BREATH_EVERY
        self._bite = _FIRST_BITE

    def run(self, stop: threading.Event, until_idle: float | None = None) -> Ingested:
        """Consume until `stop` is set, or until nothing was unread or pending for `until_idle` seconds.

        The batch in hand is finished first. Returns what was done.
        """
        try:
            with ThreadPoolExecutor(1, "commit") as thread:
                self._run(thread, stop, until_idle)
        finally:
            self._leave()
        return self._done

    def _run(self, thread: Executor, stop: threading.Event, until_idle: float | None) -> None:
        self._busy_at = self._monotonic()
        before: _UnderWay | None = None
        while not stop.is_set():
            if before and self._must_breathe():
                if not self._finish(thread, before, stop):
                    return
                before = None
            filled = self._next(stop, before)
            if before and not self._is_worth_a_commit(filled):
                if not self._finish(thread, before, stop):
                    return  # stopped meanwhile, with its batch undone: what came after must not overtake it
                before = None
                self._fill_on(filled, stop)
            done = self._committed(thread, before, stop) if before else None
            if before and not done:
                return
            under_way = self._begin(thread, filled) if filled.messages else None
            if before and done:
                self._acknowledge(before, done)  # while the next one is being committed
            before = under_way
            if before is None and until_idle is not None and self._was_idle(stop, until_idle):
                return
        if before:
            self._finish(thread, before, stop)

    def _begin(self, thread: Executor, filled: _Filled) -> _UnderWay:
        filled.read.tell_refused()
        self._busy_at = self._monotonic()
        return _UnderWay(filled.messages, filled.read, thread.submit(self._commit, filled.read))

    def _was_idle(self, stop: threading.Event, seconds: float) -> bool:
        """Return whether nothing was unread or pending for so long."""
        if self._reachable(stop, self._queue.backlog) != 0:
            self._busy_at = self._monotonic()
            return False
        return self._monotonic() - self._busy_at >= seconds

    def _next(self, stop: threading.Event, under_way: _UnderWay | None) -> _Filled:
        return self._reachable(stop, lambda: self._fill(stop, under_way)) or _Filled()

    def _must_breathe(self) -> bool:
        """Say whether to read with empty hands now: only so is taken over what a dead consumer left."""
        if self._monotonic() < self._breathes_at:
            return False
        self._breathes_at = self._monotonic() + _BREATH_EVERY
        return True

    def _fill(self, stop: threading.Event, under_way: _UnderWay | None) -> _Filled:
        """Read a batch: as much as comes while another one is being committed, else as is worth a commit."""
        filled = _Filled()
        if not self._read_on(filled, 0 if under_way else _LONGEST_READ):
            return filled
        if under_way is None:
            self._fill_on(filled, stop)
        else:
            self._fill_during(under_way.commit, filled, stop)
        if self._is_worth_a_commit(filled):
            self._awarding.draft(filled.read)
        return filled

    def _fill_during(self, commit: Future[Ingested], filled: _Filled, stop: threading.Event) -> None:
        """Read what comes until that commit is done."""
        ends = self._monotonic() + _LONGEST_READ
        while not (self._is_full(filled) or stop.is_set() or commit.done()) and self._monotonic() < ends:
            wait([commit], self._pause)
            if not self._read_on(filled):
                return

    def _fill_on(self, filled: _Filled, stop: threading.Event) -> None:
        """Read more until what is in hand is worth a commit: the longest wait is for a trickle."""
        while filled.messages and not self._is_worth_a_commit(filled) and not stop.is_set():
            stop.wait(self._pause)
            if not self._read_on(filled):
                return

    def _is_full(self, filled: _Filled) -> bool:
        return len(filled.messages) >= self._pace.size or filled.weight >= _HEAVY

    def _is_worth_a_commit(self, filled: _Filled) -> bool:
        number = len(filled.messages)
        waited = number > 0 and self._monotonic() - filled.begun >= self._pace.wait
        return waited or number >= min(_ENOUGH, self._pace.size) or filled.weight >= _HEAVY

    @property
    def _pause(self) -> float:
        return min(max(self._pace.wait / _LOOKS, _SHORTEST_PAUSE), _LONGEST_PAUSE)

    def _read_on(self, filled: _Filled, patience: float = 0) -> bool:
        """Take what there is by now; False: the queue is gone. What is in hand must not wait for it then.

        It would come again, after what came later. Committed, it comes again at most, and changes nothing.
        """
        try:
            while self._read_into(filled, patience) and not self._is_full(filled):
                patience = 0  # there may be more
        except QueueUnavailable as error:
            if not filled.messages:
                raise
            log.warning("queue.gone", messages=len(filled.messages), reason=str(error))
            return False
        return True

    def _read_into(self, filled: _Filled, patience: float) -> bool:
        """Take a bite, and read it at once: what comes next need not wait for that. True: there may be more.

        A queue can be asked for so many messages, but not for so many bytes.
        """
        limit = min(self._pace.size - len(filled.messages), self._bite)
        messages = self._queue.read(limit, patience)
        if messages and not filled.messages:
            filled.begun = self._monotonic()
        bodies = [message.body for message in messages]
        if weight := sum(map(len, bodies)):
            self._bite = max(1, min(2 * self._bite, self._pace.size, _HEAVY * len(bodies) // weight))
        filled.messages += messages
        filled.weight += weight
        filled.read += self._awarding.read(bodies)
        return len(messages) == limit

    def _finish(self, thread: Executor, batch: _UnderWay, stop: threading.Event) -> bool:
        """Await the commit, then acknowledge; return whether it was committed."""
        if done := self._committed(thread, batch, stop):
            self._acknowledge(batch, done)
        return done is not None

    def _committed(self, thread: Executor, batch: _UnderWay, stop: threading.Event) -> Ingested | None:
        """Await the commit and return what it did; None: stopped before it could be done."""
        begun = [batch.commit]

        def commit() -> Ingested:
            return _awaited(begun.pop() if begun else thread.submit(self._commit, batch.read))

        return self._reachable(stop, commit)

    def _acknowledge(self, batch: _UnderWay, done: Ingested) -> None:
        """Acknowledge what was committed. What is not acknowledged comes again, and changes nothing then."""
        try:
            self._queue.acknowledge(batch.messages)
        except QueueUnavailable as error:
            log.warning("queue.not_acknowledged", messages=len(batch.messages), reason=str(error))
        self._done += done
        types = types_of(news for _, news in batch.read.events)
        measuring.batch_committed(len(batch.messages), done, types)
        if done.awards:
            self._dispatch.nudge()
        self._busy_at = self._monotonic()
        log.debug("batch.committed", events=done.events, awards=done.awards, dead=done.dead)

    def _commit(self, read: ReadBatch) -> Ingested:
        with measuring.committing():
            return self._awarding.commit(read)

    def _reachable(self, stop: threading.Event, act: Callable[[], T]) -> T | None:
        """Do it as soon as what it needs can be reached; say once that it waits. None: stopped meanwhile."""
        tries = 0
        while True:
            measuring.went_on()
            try:
                done = act()
            except (DatabaseUnavailable, QueueUnavailable) as error:
                if tries == 0:
                    log.warning("consumer.waits", error=type(error).__name__, reason=str(error))
                if stop.wait(_PAUSES[min(tries, len(_PAUSES) - 1)]):
                    return None
                tries += 1
            else:
                if tries:
                    log.info("consumer.goes_on", tries=tries)
                return done

    def _leave(self) -> None:
        try:
            self._queue.close()
        except QueueUnavailable as error:
            log.warning("queue.not_left", reason=str(error))


def _awaited(commit: Future[Ingested]) -> Ingested:
    """Wait for it, however long somebody else's lock takes; a process that waits for one is well."""
    while True:
        try:
            return commit.result(_LONGEST_WAIT)
        except TimeoutError:
            if commit.done():
                return commit.result()
            measuring.went_on()

"""Consuming: read a batch, commit it, then acknowledge it; over and over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from worker.awarding import Awarding, Ingested
from worker.errors import DatabaseUnavailable, QueueUnavailable
from worker.ports import Dispatch, EventQueue, Message

T = TypeVar("T")
log = structlog.get_logger(__name__)

_LONGEST_READ = 1.0  # seconds for which a stop is not noticed
_PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0)  # seconds between tries while something cannot be reached


@dataclass(frozen=True, slots=True)
class Pace:
    """How batches are filled: at most `size` events, after the first for at most `wait` seconds."""

    size: int = 500
    wait: float = 0.05


class Consumer:
    """One consumer. What it has read stays on the queue until its transaction has committed."""

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

    def run(self, stop: threading.Event, until_idle: float | None = None) -> Ingested:
        """Consume until `stop` is set, or until nothing was unread or pending for `until_idle` seconds.

        The batch in hand is finished first. Returns what was done.
        """
        idle_since = self._monotonic()
        try:
            while not stop.is_set():
                messages = self._reachable(stop, self._fill) or []
                if messages:
                    self._take_in(messages, stop)
                elif until_idle is not None:
                    now = self._monotonic()
                    if self._reachable(stop, self._queue.backlog) != 0:
                        idle_since = now
                    elif now - idle_since >= until_idle:
                        break
                    continue
                idle_since = self._monotonic()
        finally:
            self._leave()
        return self._done

    def _fill(self) -> list[Message]:
        """Read a batch: wait for the first message, then a little for more."""
        messages = list(self._queue.read(self._pace.size, _LONGEST_READ))
        ends = self._monotonic() + self._pace.wait
        while messages and len(messages) < self._pace.size and (left := ends - self._monotonic()) > 0:
            messages += self._queue.read(self._pace.size - len(messages), left)
        return messages

    def _take_in(self, messages: Sequence[Message], stop: threading.Event) -> None:
        """Commit, then acknowledge. What is not acknowledged comes again, and changes nothing then."""
        bodies = [message.body for message in messages]
        done = self._reachable(stop, lambda: self._awarding.ingest(bodies))
        if done is None:
            return
        try:
            self._queue.acknowledge(messages)
        except QueueUnavailable as error:
            log.warning("queue.not_acknowledged", messages=len(messages), reason=str(error))
        self._done += done
        if done.awards:
            self._dispatch.nudge()
        log.debug("batch.committed", events=done.events, awards=done.awards, dead=done.dead)

    def _reachable(self, stop: threading.Event, act: Callable[[], T]) -> T | None:
        """Do it as soon as what it needs can be reached; say once that it waits. None: stopped meanwhile."""
        tries = 0
        while True:
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

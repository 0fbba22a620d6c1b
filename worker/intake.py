"""Taking events in for the queue: checked one by one, then put on it together with what others bring."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

import structlog

from worker.errors import BadgeWorkerError, InvalidEvent, QueueUnavailable
from worker.events import UnknownEvent, parse_event
from worker.ports import EventQueue

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 1000  # events in one request (contract.md section 5)
_PUBLISHED_TOGETHER = 2000  # events that are sent to the broker in one go
_MOST_WAITING = 64 * 1024 * 1024  # bytes that wait for the broker, of all callers
# A field's name begins each of the parts that InvalidEvent strings together.
_NEXT_FIELD = re.compile(r"; (?=[a-z_]+(?:[.\[][a-z_0-9\].\[]*)?: )")
_FIELD = re.compile(r"([a-z_]+(?:[.\[][a-z_0-9\].\[]*)?): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with one field of one of several events."""

    index: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Events that were looked at: what is wrong with them, and which types the worker passes over."""

    wrong: list[Wrong]
    unknown: list[str]


def check(bodies: Sequence[bytes], now: datetime) -> Checked:
    """Look at each event as the worker will."""
    wrong: list[Wrong] = []
    unknown: dict[str, None] = {}
    for index, body in enumerate(bodies):
        try:
            event = parse_event(body, now)
        except InvalidEvent as error:
            wrong += _fields(index, str(error))
        else:
            if isinstance(event, UnknownEvent):
                unknown[event.type] = None
    return Checked(wrong, list(unknown))


def _fields(index: int, said: str) -> list[Wrong]:
    found = [
        _FIELD.fullmatch(part) or re.fullmatch("()(.*)", part, re.DOTALL) for part in _NEXT_FIELD.split(said)
    ]
    return [Wrong(index, match[1] or "body", match[2]) for match in found if match]


@dataclass(frozen=True, slots=True)
class _Brought:
    bodies: Sequence[bytes]
    size: int  # bytes
    done: Future[None]


class Intake:
    """Puts events on the queue for any number of callers: what comes while it is busy goes together.

    One thread of its own has the queue, from the first event on.
    """

    def __init__(self, queue: EventQueue) -> None:
        self._queue = queue
        self._news = threading.Condition()
        self._waiting: list[_Brought] = []
        self._bytes = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def put(self, bodies: Sequence[bytes]) -> Future[None]:
        """Return what is done once all of these are durably on the queue; its error is QueueUnavailable.

        After an error some may be there nevertheless. Raises QueueUnavailable if too much waits already.
        """
        size = sum(map(len, bodies))
        brought = _Brought(bodies, size, Future())
        with self._news:
            if self._closed:
                raise QueueUnavailable("this process is ending")
            if self._bytes + size > _MOST_WAITING:
                self._drop_given_up()
            if self._bytes + size > _MOST_WAITING:
                raise QueueUnavailable("too much is waiting for the event queue already")
            self._waiting.append(brought)
            self._bytes += size
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
                self._thread.start()
            self._news.notify()
        return brought.done

    def close(self) -> None:
        """Finish what waits, and leave the queue. Never raises."""
        with self._news:
            self._closed = True
            self._news.notify()
        if self._thread is not None:
            self._thread.join()
        self._queue.close()

    def _run(self) -> None:
        while together := self._next():
            self._publish(together)

    def _next(self) -> list[_Brought]:
        """Wait for events and return those of as many callers as go together; none: it was closed."""
        together: list[_Brought] = []
        with self._news:
            while not together and (self._waiting or not self._closed):
                self._news.wait_for(lambda: self._waiting or self._closed)
                self._drop_given_up()
                together = self._together()
        return together

    def _together(self) -> list[_Brought]:
        together: list[_Brought] = []
        count = 0
        while self._waiting and (not together or count + len(self._waiting[0].bodies) <= _PUBLISHED_TOGETHER):
            brought = self._waiting.pop(0)
            count += len(brought.bodies)
            together.append(brought)
        return together

    def _drop_given_up(self) -> None:
        """Drop what nobody waits for any more: they were told to send it again."""
        kept = [brought for brought in self._waiting if not brought.done.cancelled()]
        self._bytes -= sum(brought.size for brought in self._waiting)
        self._bytes += sum(brought.size for brought in kept)
        self._waiting = kept

    def _publish(self, together: list[_Brought]) -> None:
        error: BaseException | None = None
        bodies = [body for brought in together for body in brought.bodies]
        try:
            self._queue.publish(bodies)
        except BadgeWorkerError as expected:
            log.warning("intake.not_published", events=len(bodies), reason=str(expected))
            error = expected
        except BaseException as unexpected:  # noqa: BLE001 # whoever waits is told, and raises it
            error = unexpected
        with self._news:
            self._bytes -= sum(brought.size for brought in together)
        for brought in together:
            if not brought.done.set_running_or_notify_cancel():
                continue
            if error is None:
                brought.done.set_result(None)
            else:
                brought.done.set_exception(error)

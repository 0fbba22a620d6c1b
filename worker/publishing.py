# ruff: noqa: PLC0415 # whoever imports `worker` pays for pydantic and the broker's client when they publish
"""Publishing from Python: events are checked, put on the event queue in chunks, confirmed by the broker."""

from __future__ import annotations

import itertools
import json
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from worker.errors import InvalidEvent, QueueUnavailable

if TYPE_CHECKING:
    from worker.ports import EventQueue

# The standard library's, since the process is somebody else's: structlog, not set up, would print.
log = logging.getLogger(__name__)

CHUNK = 500  # events that are checked, and then sent, at once
_DEEPEST = 20  # levels that are searched for what is no JSON; something may hold itself

Publishable = Mapping[str, Any] | str | bytes


def publish(events: Iterable[Publishable], url: str | None = None) -> int:
    """Publish events over a connection of their own and return how many were confirmed: all of them.

    For now and then, and for scripts; a service keeps a `Publisher`, whose `publish` says all the rest.
    """
    with Publisher(url) as publisher:
        return publisher.publish(events)


class Publisher:
    """A connection to the event queue that is kept, for any number of threads, and for children of a fork.

    `url` is that of the queue; without one, BADGE_WORKER_EVENTS_URL is read as the worker does it (``.env``
    included). No other setting is needed. Nothing is connected before the first event, and again after an
    outage. Threads take turns with the one connection. Raises ConfigurationError.
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = _events_url() if url is None else url
        self._queue: EventQueue | None = _open(self._url)
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._inherited: list[EventQueue | None] = []
        self._told: set[str] = set()

    def publish(self, events: Iterable[Publishable]) -> int:
        """Publish events and return how many the broker has confirmed: all of them.

        An event is a mapping (with `datetime`, `UUID` and `Decimal` values, if you like) or a JSON document,
        as text or bytes. They are taken from the iterable, checked and sent 500 at a time; a generator may be
        as long as it likes.

        Raises InvalidEvent, naming index and field as in ``events[3]: data.user_id: missing``, before
        anything of its chunk is sent; and QueueUnavailable when the broker did not confirm a chunk, of which
        some may be there. Both say how many were confirmed before. Publishing an event again does no harm.
        """
        if isinstance(events, Mapping | str | bytes):
            raise TypeError("an iterable of events, please; for one event: publish([event])")
        confirmed, numbered = 0, enumerate(events)
        while chunk := list(itertools.islice(numbered, CHUNK)):
            try:
                confirmed += self._send(self._bodies(chunk))
            except (InvalidEvent, QueueUnavailable) as error:
                raise type(error)(f"{error} (confirmed before: {confirmed})") from error
        return confirmed

    def close(self) -> None:
        """Close the connection. Never raises; publishing afterwards opens another."""
        self._leave_to_parent()
        with self._lock:
            if self._queue is not None:
                self._queue.close()
            self._queue = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _bodies(self, chunk: list[tuple[int, Publishable]]) -> list[bytes]:
        from worker.events import UnknownEvent, parse_event

        bodies = []
        for index, event in chunk:
            try:
                body = _as_json(event)
                parsed = parse_event(body, datetime.now(UTC))
            except InvalidEvent as error:
                raise InvalidEvent(f"events[{index}]: {error}") from None
            if isinstance(parsed, UnknownEvent):
                self._tell(parsed.type)
            bodies.append(body)
        return bodies

    def _tell(self, unknown: str) -> None:
        """Say once that the worker will pass over this type, which is allowed, but may be a slip."""
        if unknown not in self._told:
            self._told.add(unknown)
            log.warning("the worker passes over events of type %.255r: it does not know them", unknown)

    def _send(self, bodies: list[bytes]) -> int:
        self._leave_to_parent()
        with self._lock:
            if self._queue is None:
                self._queue = _open(self._url)
            return self._queue.publish(bodies)

    def _leave_to_parent(self) -> None:
        """After a fork, start anew; the connection from before is the parent's, and even its end would be."""
        if self._pid != os.getpid():
            self._inherited.append(self._queue)
            self._queue, self._lock, self._pid = None, threading.Lock(), os.getpid()


def _events_url() -> str:
    from worker.settings import load_settings

    return load_settings().required("events_url")


def _open(url: str) -> EventQueue:
    from worker.adapters.queues import open_queue

    return open_queue(url)


def _as_json(event: Publishable) -> bytes:
    if isinstance(event, bytes):
        return event
    if isinstance(event, str):
        return event.encode(errors="surrogatepass")  # the parser refuses them, with a reason
    if not isinstance(event, Mapping):
        raise InvalidEvent(f"body: a mapping or a JSON document, please, not {type(event).__name__}")
    try:
        return _dumped(event)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent(_culprit(event, error)) from None


def _dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain).encode()


def _plain(value: object) -> object:
    """Return as JSON what services have in their hands; a time without an offset is refused later."""
    match value:
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case Decimal():
            return float(value)
        case Mapping():
            return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def _culprit(value: object, error: Exception, path: str = "", depth: int = 0) -> str:
    """Return where in `value` the first thing stands that cannot be JSON, and why."""
    for step, part in _parts(value) if depth < _DEEPEST else ():
        try:
            _dumped(part)
        except (TypeError, ValueError, RecursionError) as its_error:
            return _culprit(part, its_error, f"{path}{step}", depth + 1)
    return f"{path.removeprefix('.') or 'body'}: {error}"


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        yield from ((f".{name}", part) for name, part in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"[{number}]", part) for number, part in enumerate(value))

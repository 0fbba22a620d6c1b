"""The event queue on RabbitMQ: a durable quorum queue for any number of consumers (design.md section 6)."""

from __future__ import annotations

import itertools
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from worker.adapters.queues.declaring import Declaration, waiting
from worker.adapters.queues.inbox import Inbox
from worker.adapters.queues.link import Broker, Link, reaching_broker
from worker.adapters.queues.outbox import Outbox
from worker.errors import QueueUnavailable
from worker.ports import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

log = structlog.get_logger(__name__)

QUEUE = "badge-events"
# Looks at the connection for each heartbeat, while its owner is busy with something else.
LOOKS = 4


class AmqpQueue:
    """One consumer, and a publisher. Nothing is connected before the first call, and again after an outage.

    What was read belongs to the connection that it came by. When that ends, in whatever way, the broker gives
    it to others, or to us again: acknowledging it then raises QueueUnavailable, and harms nobody. A thread
    keeps the connection alive while the owner is busy. Publishing has a connection of its own, since a broker
    that is short of memory stops listening to those who publish.
    """

    def __init__(self, broker: Broker, name: str = QUEUE) -> None:
        self._broker = broker
        self._name = name
        self._declaration = Declaration(name)
        self._lock = threading.RLock()
        self._inbox: Inbox | None = None
        self._outbox: Outbox | None = None
        self._numbers = itertools.count(1)
        self._number = 0
        self._closed = threading.Event()
        self._keeper: threading.Thread | None = None

    def read(self, limit: int, wait: float) -> Sequence[Message]:
        """Return up to `limit` messages; empty-handed, wait up to `wait` seconds for the first."""
        with self._lock, self._letting_go_on_failure():
            inbox = self._inbox or self._open_inbox()
            taken = inbox.take(limit, wait)
            return [Message(body, f"{self._number}:{tag}") for tag, body in taken]

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Say that these are done for good; if the connection that they came by is gone, they come again."""
        tags = [handle[1] for handle in map(_numbers_of, messages) if handle[0] == self._number]
        with self._lock:
            if tags and self._inbox is not None:
                with self._letting_go_on_failure():
                    self._inbox.acknowledge(tags)
            # Nor does the connection that there is now let go of anything: what came by it is well.
            if len(tags) != len(messages) or (messages and self._inbox is None):
                raise QueueUnavailable("the connection that these messages came by was lost: they come again")

    def publish(self, bodies: Sequence[bytes]) -> int:
        """Publish events and return how many: all of them, each confirmed by the broker.

        After QueueUnavailable some may be there: publish all again, since events may come twice.
        """
        with self._lock:
            tried = self._outbox is not None
            try:
                self._send(bodies)
            except QueueUnavailable:
                # A connection that was idle may have ended long ago, and the queue with it.
                if not tried:
                    raise
                self._send(bodies)
        return len(bodies)

    def backlog(self) -> int:
        """Count what is unread and what we hold; of what others hold the broker says nothing."""
        with self._lock:
            if self._inbox is not None:
                with self._letting_go_on_failure():
                    return (waiting(self._inbox.link, self._name) or 0) + self._inbox.held
            with reaching_broker(), _linked(self._broker) as link:
                return waiting(link, self._name) or 0

    def close(self) -> None:
        """Leave the queue; what is unacknowledged goes to others at once. Never raises."""
        self._closed.set()
        if self._keeper is not None:
            self._keeper.join()
        with self._lock:
            for box in (self._inbox, self._outbox):
                if box is not None:
                    box.link.close()
            self._inbox = self._outbox = self._keeper = None

    def _open_inbox(self) -> Inbox:
        link = Link(self._broker)
        try:
            self._declaration.make(link)
            self._inbox = Inbox(link, self._name)
        except BaseException:
            link.drop()
            raise
        self._number = next(self._numbers)
        self._keep_alive()
        return self._inbox

    def _send(self, bodies: Sequence[bytes]) -> None:
        try:
            with reaching_broker():
                self._outbox = self._outbox or self._open_outbox()
                self._outbox.publish(bodies)
        except BaseException:
            if self._outbox is not None:
                self._outbox.link.drop()
            self._outbox = None
            raise

    def _open_outbox(self) -> Outbox:
        # Without heartbeats: nobody would send them for a publisher that has nothing to say for an hour.
        link = Link(replace(self._broker, heartbeat=0))
        try:
            self._declaration.make(link)
            return Outbox(link, self._name)
        except BaseException:
            link.drop()
            raise

    @contextmanager
    def _letting_go_on_failure(self) -> Iterator[None]:
        """End the connection with the error: what came by it is nobody's then, and comes again."""
        try:
            with reaching_broker():
                yield
        except BaseException:
            if self._inbox is not None:
                self._inbox.link.drop()
            self._inbox = None
            raise

    def _keep_alive(self) -> None:
        if self._keeper is None and self._broker.heartbeat:
            self._closed.clear()
            self._keeper = threading.Thread(target=self._look_after, name="amqp-heartbeats", daemon=True)
            self._keeper.start()

    def _look_after(self) -> None:
        """Send heartbeats while the owner is busy, and notice when the broker has given us up."""
        while not self._closed.wait(self._broker.heartbeat / LOOKS):
            with self._lock:
                held = self._inbox.held if self._inbox is not None else 0
                try:
                    with self._letting_go_on_failure():
                        if self._inbox is not None:
                            self._inbox.link.tick()
                except QueueUnavailable as error:
                    log.warning("queue.connection_lost", held=held, reason=str(error))


def _numbers_of(message: Message) -> tuple[int, int]:
    """Return the number of the connection that a message came by, and that of the message on it."""
    connection, _, tag = message.handle.partition(":")
    return int(connection), int(tag)


@contextmanager
def _linked(broker: Broker) -> Iterator[Link]:
    link = Link(broker)
    try:
        yield link
    finally:
        link.close()

"""The event queue on whatever else kombu speaks, one message at a time, with the promises of that broker."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kombu import Connection
from kombu.exceptions import KombuError

from worker.errors import QueueUnavailable
from worker.ports import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Seconds between two looks into an empty queue.
PAUSE = 0.05


class KombuQueue:
    """One consumer and publisher. Nothing is connected before the first call, and again after a failure.

    What a dead consumer held comes again where the broker sees to it: with most of kombu's own, it is lost.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: Connection | None = None
        self._channel: Any = None
        self._held: dict[str, None] = {}

    def read(self, limit: int, wait: float) -> Sequence[Message]:
        """Return up to `limit` messages; empty-handed, wait up to `wait` seconds for the first."""
        deadline = time.monotonic() + wait
        with self._reaching():
            while not (taken := self._take(limit)) and (left := deadline - time.monotonic()) > 0:
                time.sleep(min(PAUSE, left))
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Say that these are done for good; what we do not hold any more stays as it is."""
        with self._reaching():
            for message in messages:
                if message.handle in self._held:
                    self._channel.basic_ack(message.handle)
                    del self._held[message.handle]

    def publish(self, bodies: Sequence[bytes]) -> int:
        """Publish events and return how many: all of them."""
        with self._reaching():
            for body in bodies:
                message = self._channel.prepare_message(body, content_type="application/json")
                self._channel.basic_publish(message, exchange="", routing_key=self._name)
        return len(bodies)

    def backlog(self) -> int:
        """Count what is unread and what we hold; of what others hold most brokers say nothing."""
        with self._reaching():
            found: int = self._channel.queue_declare(self._name, passive=True).message_count
            return found + len(self._held)

    def close(self) -> None:
        """Leave the queue; what is unacknowledged goes back to it. Never raises."""
        if self._connection is None:
            return
        with suppress(QueueUnavailable), self._reaching():
            for handle in self._held:
                self._channel.basic_reject(handle, requeue=True)
        self._leave()

    def _take(self, limit: int) -> list[Message]:
        taken: list[Message] = []
        while len(taken) < limit and (message := self._channel.basic_get(self._name)) is not None:
            body = message.body if isinstance(message.body, bytes) else str(message.body).encode()
            taken.append(Message(body, message.delivery_tag))
            self._held[message.delivery_tag] = None
        return taken

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn its errors into QueueUnavailable; they end the connection, and what came by it is nobody's."""
        connection = self._connection or Connection(self._url)
        errors: tuple[Any, ...] = connection.connection_errors + connection.channel_errors
        try:
            if self._connection is None:
                self._channel = connection.channel()
                self._channel.queue_declare(self._name)
                self._connection = connection
            yield
        except (KombuError, OSError, *errors) as error:
            self._leave()
            raise QueueUnavailable(str(error) or type(error).__name__) from error

    def _leave(self) -> None:
        """Drop the connection and what came by it."""
        connection, self._connection = self._connection, None
        self._held = {}
        if connection is not None:
            errors: tuple[type[BaseException], ...] = connection.connection_errors
            with suppress(KombuError, OSError, *errors):
                connection.release()

"""Publishing over AMQP: many messages on their way at once, and a word of the broker for each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from amqp import Message

from worker.adapters.queues.link import SLICE
from worker.errors import QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.adapters.queues.link import Link

CONFIRM_TIMEOUT = 30.0
CHUNK = 500
PERSISTENT = 2


class Outbox:
    """Publishes to the queue `name` over one connection; after an error it is worth nothing."""

    def __init__(self, link: Link, name: str, confirm_timeout: float = CONFIRM_TIMEOUT) -> None:
        self.link = link
        self._name = name
        self._confirm_timeout = confirm_timeout
        self._sent = 0
        self._unconfirmed: dict[int, None] = {}  # in the order of their sending
        self._refused = 0
        self._returned: list[str] = []
        self._channel: Any = link.open_channel()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)
        self._channel.confirm_select()

    def publish(self, bodies: Sequence[bytes]) -> None:
        """Return once the broker has each of them for good.

        Raises QueueUnavailable, saying what became of them; some may be there all the same.
        """
        for start in range(0, len(bodies), CHUNK):
            for body in bodies[start : start + CHUNK]:
                self._send(body)
            self._await_confirmations()

    def _send(self, body: bytes) -> None:
        message = Message(body, content_type="application/json", delivery_mode=PERSISTENT)
        self._sent += 1
        self._unconfirmed[self._sent] = None
        self._channel.basic_publish(message, routing_key=self._name, mandatory=True)

    def _await_confirmations(self) -> None:
        deadline = time.monotonic() + self._confirm_timeout
        while self._unconfirmed:
            if self.link.blocked:
                raise QueueUnavailable("the broker takes no messages: it is short of memory or disk")
            if time.monotonic() > deadline:
                waited = f"{self._confirm_timeout:.0f} s"
                raise QueueUnavailable(f"{len(self._unconfirmed)} events were not confirmed within {waited}")
            self.link.wait(SLICE)
        if self._returned:
            raise QueueUnavailable(f"{len(self._returned)} events came back: {self._returned[0]}")
        if self._refused:
            raise QueueUnavailable(f"the broker refused {self._refused} events: is the queue full?")

    def _settled(self, tag: int, multiple: object) -> int:
        """Strike off what the broker speaks of, and count it."""
        tags = [each for each in self._unconfirmed if each <= tag] if multiple else [tag]
        for each in tags:
            self._unconfirmed.pop(each, None)
        return len(tags)

    def _on_ack(self, tag: int, multiple: object) -> None:
        self._settled(tag, multiple)

    def _on_nack(self, tag: int, multiple: object) -> None:
        self._refused += self._settled(tag, multiple)

    def _on_return(self, error: Exception, *_: object) -> None:
        self._returned.append(str(error))

"""What one AMQP connection has delivered: it is ours until acknowledged, or until the connection ends."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from worker.adapters.queues.link import SLICE

if TYPE_CHECKING:
    from collections.abc import Collection

    from worker.adapters.queues.link import Link

# The protocol has 16 bits for it.
WIDEST = 65535


class Inbox:
    """One subscription to the queue `name`. Raises the errors of py-amqp; after one it is worth nothing.

    The broker sends no more than was asked for and not acknowledged yet: whoever is busy for long gets
    nothing new meanwhile.
    """

    def __init__(self, link: Link, name: str) -> None:
        self.link = link
        self._name = name
        self._channel = link.open_channel()
        self._unread: deque[tuple[int, bytes]] = deque()
        self._given: dict[int, None] = {}  # in the broker's order
        self._window = 0
        self._subscription: str | None = None

    @property
    def held(self) -> int:
        """Count what the broker has sent us and waits for an acknowledgement of."""
        return len(self._unread) + len(self._given)

    def take(self, limit: int, wait: float) -> list[tuple[int, bytes]]:
        """Return up to `limit` deliveries; empty-handed, wait up to `wait` seconds for the first."""
        self._ask_for(limit)
        deadline = time.monotonic() + wait
        while not self._unread:
            left = deadline - time.monotonic()
            if not self.link.wait(min(max(left, 0), SLICE)) and left <= 0:
                return []
        self.link.take_in(lambda: len(self._unread) >= limit)
        taken = [self._unread.popleft() for _ in range(min(limit, len(self._unread)))]
        self._given.update((tag, None) for tag, _ in taken)
        return taken

    def acknowledge(self, tags: Collection[int]) -> None:
        """Say that these are done. What is not held by us any more stays as it is."""
        done = self._given.keys() & tags
        last = None
        for tag in self._given:
            if tag not in done:
                break
            last = tag
        if last is not None:
            # Everything up to here was given, and is done: one word for all of it.
            self._channel.basic_ack(last, multiple=True)
        for tag in sorted(done):
            if last is None or tag > last:
                self._channel.basic_ack(tag)
            del self._given[tag]

    def _ask_for(self, limit: int) -> None:
        """Let the broker send so many more. It never changes the window of a subscription: make a new one."""
        window = min(len(self._given) + limit, WIDEST)
        if window <= self._window:
            return
        if self._subscription is not None:
            self._channel.basic_cancel(self._subscription)
        self._window = window
        self._channel.basic_qos(0, self._window, a_global=False)
        self._subscription = self._channel.basic_consume(self._name, callback=self._on_message)

    def _on_message(self, message: Any) -> None:
        # An empty body is an empty text.
        self._unread.append((message.delivery_tag, message.body or b""))

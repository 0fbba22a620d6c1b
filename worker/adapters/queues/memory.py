"""The event queue of one process: the twin that keeps the same promises without a broker."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.ports import Message

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class _Shared:
    """What all consumers of one queue see; `changed` guards it and tells those who wait."""

    unread: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    pending: dict[str, bytes] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    changed: threading.Condition = field(default_factory=threading.Condition)


class MemoryQueue:
    """One consumer of an in-memory event queue, which may be used from any thread."""

    def __init__(self, shared: _Shared | None = None) -> None:
        self._shared = shared or _Shared()
        self._held: set[str] = set()

    def consumer(self) -> MemoryQueue:
        """Return another consumer of the same queue."""
        return MemoryQueue(self._shared)

    def read(self, limit: int, wait: float) -> Sequence[Message]:
        """Return up to `limit` messages; empty-handed, wait up to `wait` seconds for the first."""
        with self._shared.changed:
            self._shared.changed.wait_for(lambda: self._shared.unread, wait)
            taken = list(itertools.islice(self._shared.unread, limit))
            for handle in taken:
                self._shared.pending[handle] = self._shared.unread.pop(handle)
            self._held.update(taken)
            return [Message(self._shared.pending[handle], handle) for handle in taken]

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Say that these are done for good, whoever holds them by now."""
        with self._shared.changed:
            for message in messages:
                self._shared.pending.pop(message.handle, None)
                self._shared.unread.pop(message.handle, None)
                self._held.discard(message.handle)

    def publish(self, bodies: Sequence[bytes]) -> int:
        """Put events on the queue; durable for as long as this process lives."""
        with self._shared.changed:
            self._shared.unread.update((str(next(self._shared.numbers)), body) for body in bodies)
            self._shared.changed.notify_all()
        return len(bodies)

    def backlog(self) -> int:
        """Count what is unread or unacknowledged, over all consumers."""
        with self._shared.changed:
            return len(self._shared.unread) + len(self._shared.pending)

    def close(self) -> None:
        """Leave the queue: what this consumer holds is unread again, before everything else."""
        with self._shared.changed:
            for handle in sorted(self._held & self._shared.pending.keys(), key=int, reverse=True):
                self._shared.unread[handle] = self._shared.pending.pop(handle)
                self._shared.unread.move_to_end(handle, last=False)
            self._held.clear()
            self._shared.changed.notify_all()

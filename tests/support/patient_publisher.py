"""A publisher that waits while the broker is away, and publishes again what was not confirmed."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Self

from worker.adapters.queues import open_queue
from worker.errors import QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK = 500
PAUSE = 0.1  # seconds between tries


class PatientPublisher:
    """Publishes in a thread of its own. `again` counts the chunks of which it could not know the fate."""

    def __init__(self, url: str) -> None:
        self.again = 0
        self._queue = open_queue(url)
        self._chunks: deque[Sequence[bytes]] = deque()
        self._news = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._news.set()
        self._thread.join()
        self._queue.close()

    def publish(self, bodies: Sequence[bytes]) -> None:
        """Take these; they are on the queue, each at least once, when it is idle again."""
        self._chunks.extend(bodies[start : start + CHUNK] for start in range(0, len(bodies), CHUNK))
        self._news.set()

    def idle(self) -> bool:
        """Say whether all that was taken is confirmed; raises AssertionError if it has given up."""
        assert self._thread.is_alive(), "the publisher has ended"
        return not self._chunks

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self._chunks:
                self._news.wait()
                self._news.clear()
                continue
            try:
                self._queue.publish(self._chunks[0])
            except QueueUnavailable:
                self.again += 1
                self._stop.wait(PAUSE)
            else:
                self._chunks.popleft()

"""How far the consumers are behind: in messages, and where the broker can say so in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import redis

from worker.adapters.queues.opening import open_queue, stream_at
from worker.adapters.redis_connection import connect
from worker.errors import QueueUnavailable

if TYPE_CHECKING:
    from worker.ports import EventQueue

_MS = 1000


class Lag:
    """Looks at an event queue from outside: it reads nothing, and is no consumer."""

    def __init__(self, events_url: str) -> None:
        self._queue: EventQueue = open_queue(events_url)
        parts = urlsplit(events_url)
        self._stream: tuple[redis.Redis, str] | None = None
        if parts.scheme in {"redis", "rediss"}:
            url, stream = stream_at(parts)
            self._stream = connect(url), stream

    def close(self) -> None:
        """Look no more. Never raises."""
        self._queue.close()
        if self._stream is not None:
            self._stream[0].close()

    def messages(self) -> int:
        """Return how many messages are unread or unacknowledged; raises QueueUnavailable.

        RabbitMQ counts the unread ones only.
        """
        return self._queue.backlog()

    def seconds(self) -> float | None:
        """Return the age of the oldest message that is not done; None where the broker does not know it.

        In a stream done entries are deleted, and ids begin with Redis's clock.
        """
        if self._stream is None:
            return None
        client, stream = self._stream
        try:
            with client.pipeline(transaction=True) as pipeline:
                pipeline.xrange(stream, count=1)
                pipeline.time()
                oldest, clock = pipeline.execute()
        except redis.RedisError as error:
            raise QueueUnavailable(type(error).__name__) from None
        if not oldest:
            return 0.0
        seconds, micros = map(int, clock)
        since = int(oldest[0][0].split(b"-")[0]) / _MS
        return max(0.0, seconds + micros / 1e6 - since)

"""From `BADGE_WORKER_EVENTS_URL` to an event queue."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from worker.adapters.queues.redis_streams import STREAM, RedisStreamQueue
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from worker.ports import EventQueue

WHAT_WORKS = "use redis://host:6379/0?stream=badge-events (Redis Streams; rediss:// for TLS)"


def open_queue(events_url: str) -> EventQueue:
    """Return the event queue at `events_url`; nothing is connected yet.

    Raises ConfigurationError, without the address, since that may hold a password.
    """
    try:
        parts = urlsplit(events_url)
        if parts.scheme in {"redis", "rediss"}:
            return _redis_streams(parts)
    except ValueError as error:
        raise ConfigurationError(f"EVENTS_URL is not an address: {WHAT_WORKS}") from error
    if parts.scheme in {"amqp", "amqps"}:
        raise ConfigurationError(
            f"EVENTS_URL: RabbitMQ support arrives with the ingestion work; until then {WHAT_WORKS}"
        )
    raise ConfigurationError(f"EVENTS_URL: no event queue speaks {parts.scheme!r}; {WHAT_WORKS}")


def _redis_streams(parts: SplitResult) -> RedisStreamQueue:
    """Take our own parameter out of the URL; the others are the client's."""
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    stream = query.pop("stream", STREAM)
    if not stream:
        raise ConfigurationError(f"EVENTS_URL: `stream` is empty; {WHAT_WORKS}")
    return RedisStreamQueue(parts._replace(query=urlencode(query)).geturl(), stream)

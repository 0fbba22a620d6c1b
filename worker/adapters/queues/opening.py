"""From `BADGE_WORKER_EVENTS_URL` to an event queue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from worker.adapters.queues.redis_streams import STREAM, RedisStreamQueue
from worker.adapters.redis_connection import connect
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from worker.ports import EventQueue

WHAT_WORKS = "use redis://host:6379/0?stream=badge-events (Redis Streams; rediss:// for TLS)"


def open_queue(events_url: str) -> EventQueue:
    """Return the event queue at `events_url`; nothing is connected yet.

    Raises ConfigurationError. Its text and its causes never hold the address, in which a password may stand.
    """
    try:
        parts = urlsplit(events_url)
    except ValueError:
        raise ConfigurationError(f"EVENTS_URL is not an address: {WHAT_WORKS}") from None
    if parts.scheme in {"redis", "rediss"}:
        return _redis_streams(parts)
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
    if not re.fullmatch(r"(/\d*)?", parts.path):
        # The client would take database 0 instead, without a word.
        raise ConfigurationError(f"EVENTS_URL: the database is not a number; {WHAT_WORKS}")
    url = parts._replace(query=urlencode(query)).geturl()
    _check(url, sorted(query))
    return RedisStreamQueue(url, stream)


def _check(url: str, parameters: list[str]) -> None:
    """Let the client look at the address now; it would complain at its first connection."""
    try:
        connect(url).connection_pool.make_connection()
    except ValueError:
        raise ConfigurationError(f"EVENTS_URL is not an address of Redis; {WHAT_WORKS}") from None
    except TypeError:
        names = ", ".join(parameters)
        raise ConfigurationError(
            f"EVENTS_URL: the client does not know all of these parameters: {names}; {WHAT_WORKS}"
        ) from None

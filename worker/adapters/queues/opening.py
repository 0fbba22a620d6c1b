"""From `BADGE_WORKER_EVENTS_URL` to an event queue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from worker.adapters.queues.amqp import QUEUE, AmqpQueue
from worker.adapters.queues.link import HEARTBEAT, Broker
from worker.adapters.queues.others import KombuQueue
from worker.adapters.queues.redis_streams import STREAM, RedisStreamQueue
from worker.adapters.redis_connection import connect
from worker.adapters.tls import AMQP_FILES
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from worker.ports import EventQueue

WHAT_WORKS = (
    "use redis://host:6379/0?stream=badge-events (Redis Streams; rediss:// for TLS)"
    " or amqp://user:password@host:5672/vhost?queue=badge-events (RabbitMQ; amqps:// for TLS)"
)
LONGEST_NAME = 255  # bytes, says the protocol
AMQP = {"amqp", "amqps", "pyamqp"}


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
    if parts.scheme in AMQP:
        return _rabbitmq(parts)
    kind = parts.scheme.partition("+")[0]
    if kind in {"redis", "rediss", "sentinel"}:
        raise ConfigurationError(f"EVENTS_URL: kombu's lists in Redis can lose events; {WHAT_WORKS}")
    if kind not in TRANSPORT_ALIASES:
        raise ConfigurationError(f"EVENTS_URL: no event queue speaks {parts.scheme!r}; {WHAT_WORKS}")
    return _other(parts)


def _redis_streams(parts: SplitResult) -> RedisStreamQueue:
    return RedisStreamQueue(*stream_at(parts))


def stream_at(parts: SplitResult) -> tuple[str, str]:
    """Return Redis's address and the stream: that is our own parameter, the others are the client's."""
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    stream = query.pop("stream", STREAM)
    if not stream:
        raise ConfigurationError(f"EVENTS_URL: `stream` is empty; {WHAT_WORKS}")
    if not re.fullmatch(r"(/\d*)?", parts.path):
        # The client would take database 0 instead, without a word.
        raise ConfigurationError(f"EVENTS_URL: the database is not a number; {WHAT_WORKS}")
    url = parts._replace(query=urlencode(query)).geturl()
    _check(url, sorted(query))
    return url, stream


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


def _rabbitmq(parts: SplitResult) -> AmqpQueue:
    """Take the parameters out of the URL: kombu would leave most of them unread."""
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    name = _queue_name(query)
    heartbeat = _seconds(query.pop("heartbeat", str(HEARTBEAT)))
    tls = {AMQP_FILES[each]: query.pop(each) for each in list(query) if each in AMQP_FILES}
    if query:
        raise ConfigurationError(f"EVENTS_URL: unknown parameters: {', '.join(sorted(query))}; {WHAT_WORKS}")
    if tls and parts.scheme != "amqps":
        raise ConfigurationError(f"EVENTS_URL: certificates are for amqps:// alone; {WHAT_WORKS}")
    url = parts._replace(query="").geturl()
    _check_kombu(url)
    return AmqpQueue(Broker(url, heartbeat, tls if parts.scheme == "amqps" else None), name)


def _other(parts: SplitResult) -> KombuQueue:
    """Take our own parameter out of the URL; the others are the transport's."""
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    name = _queue_name(query)
    url = parts._replace(query=urlencode(query)).geturl()
    if not parts.netloc:  # the parts of memory:// make "memory:"
        url = url.replace(f"{parts.scheme}:", f"{parts.scheme}://", 1)
    _check_kombu(url)
    return KombuQueue(url, name)


def _queue_name(query: dict[str, str]) -> str:
    name = query.pop("queue", QUEUE)
    if not name:
        raise ConfigurationError(f"EVENTS_URL: `queue` is empty; {WHAT_WORKS}")
    if len(name.encode()) > LONGEST_NAME:
        raise ConfigurationError(f"EVENTS_URL: `queue` has more than {LONGEST_NAME} bytes; {WHAT_WORKS}")
    return name


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) < 1:
        raise ConfigurationError(f"EVENTS_URL: `heartbeat` is a number of seconds, 1 or more; {WHAT_WORKS}")
    return float(text)


def _check_kombu(url: str) -> None:
    """Let kombu look at the address now, and load what it needs for it."""
    try:
        Connection(url).get_transport_cls()
    except ImportError as error:
        raise ConfigurationError(f"EVENTS_URL: kombu needs {error.name} for it; {WHAT_WORKS}") from None
    except (AttributeError, NameError):
        # What a module of kombu's comes to that takes a package for granted.
        raise ConfigurationError(f"EVENTS_URL: kombu misses a package for it; {WHAT_WORKS}") from None
    except (KeyError, TypeError, ValueError):
        raise ConfigurationError(f"EVENTS_URL is not an address of a broker; {WHAT_WORKS}") from None

"""One connection to an AMQP broker, through kombu: bounded waits, heartbeats, and errors in our words."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from amqp import AMQPError
from kombu import Connection
from kombu.exceptions import KombuError

from worker.adapters.queues.frames import frames_without_words
from worker.adapters.tls import amqp_tls
from worker.errors import QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

log = structlog.get_logger(__name__)

HEARTBEAT = 30.0
CONNECT_TIMEOUT = 5.0
# For what a living broker does at once; one that is frozen would hold us for ever.
ANSWER_TIMEOUT = 10.0
# The longest time between two looks at whether a heartbeat is due.
SLICE = 1.0
# Below this a wait is one for what lies in the socket already.
AT_ONCE = 0.001


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is: `url` as kombu reads it, seconds between heartbeats, what TLS needs."""

    url: str = field(repr=False)
    heartbeat: float = HEARTBEAT
    tls: Mapping[str, str] | None = None


@contextmanager
def reaching_broker() -> Iterator[None]:
    """Turn the errors of kombu and py-amqp into QueueUnavailable."""
    try:
        yield
    except (AMQPError, KombuError, OSError) as error:
        raise QueueUnavailable(str(error) or type(error).__name__) from error


class Link:
    """A connection that is open; raises QueueUnavailable when it cannot be had, and when it is lost."""

    def __init__(self, broker: Broker) -> None:
        self._blocked = False
        self._connection = Connection(
            broker.url,
            heartbeat=broker.heartbeat,
            connect_timeout=CONNECT_TIMEOUT,
            ssl=_tls(broker),
            transport_options={
                "on_blocked": self._on_blocked,
                "on_unblocked": self._on_unblocked,
                "frame_handler": frames_without_words,
            },
        )
        with reaching_broker():
            # Each of several hosts gets one try.
            self._connection.ensure_connection(
                max_retries=max(len(self._connection.alt) - 1, 0), interval_start=0, interval_step=0
            )
            self._set_timeout(ANSWER_TIMEOUT)

    @property
    def blocked(self) -> bool:
        """Say whether the broker takes no messages, for want of memory or disk."""
        return self._blocked

    @property
    def server(self) -> Mapping[str, Any]:
        """Return what the broker says of itself."""
        told: Mapping[str, Any] = self._connection.connection.server_properties
        return told

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """Give a channel for a question that may be answered by closing it."""
        channel = self.open_channel()
        try:
            yield channel
        finally:
            with suppress(AMQPError, OSError):
                channel.close()

    def open_channel(self) -> Any:
        """Return a channel. It ends with the connection."""
        return self._connection.channel()

    def wait(self, seconds: float) -> bool:
        """Wait for one thing to come from the broker; False if nothing came. Heartbeats go on meanwhile."""
        self._check()
        deadline = time.monotonic() + seconds
        while True:
            left = min(deadline - time.monotonic(), SLICE)
            if self._drain(max(left, AT_ONCE)):
                return True
            self._connection.heartbeat_check()
            if time.monotonic() >= deadline:
                return False

    def take_in(self, enough: Callable[[], bool]) -> None:
        """Take in what has come already, as long as it is not enough."""
        self._check()
        # For all of it at once: py-amqp would set the socket's time-out twice for each part of a message.
        self._set_timeout(AT_ONCE)
        while not enough() and self._drain(None):
            pass
        self._set_timeout(ANSWER_TIMEOUT)

    def tick(self) -> None:
        """Take in what came, and send a heartbeat if one is due: for whoever has no time to wait."""
        self.take_in(lambda: False)
        self._connection.heartbeat_check()

    def close(self) -> None:
        """Say farewell. Never raises."""
        try:
            self._connection.release()
        except (AMQPError, KombuError, OSError, AttributeError):
            # py-amqp raises AttributeError where the connection is gone.
            self.drop()

    def drop(self) -> None:
        """Close the socket without a farewell, which a broken connection could not take. Never raises."""
        with suppress(OSError, AttributeError):
            self._connection.collect()

    def _check(self) -> None:
        """Raise ConnectionResetError where the connection is gone: kombu would make another in silence."""
        if not self._connection.connected:
            raise ConnectionResetError("the connection is closed")

    def _set_timeout(self, seconds: float) -> None:
        """Set for how long one answer may keep us waiting, where nothing else is said."""
        self._connection.connection.sock.settimeout(seconds)

    def _drain(self, timeout: float | None) -> bool:
        try:
            self._connection.drain_events(timeout=timeout)
        except TimeoutError as error:
            # With a number it is the network's: the connection is dead.
            if error.errno is not None:
                raise
            return False
        return True

    def _on_blocked(self, reason: str) -> None:
        self._blocked = True
        log.warning("queue.blocked", reason=reason)

    def _on_unblocked(self) -> None:
        self._blocked = False


def _tls(broker: Broker) -> dict[str, Any] | bool:
    """Return what kombu wants to know."""
    if broker.tls is None:
        return False
    return amqp_tls(broker.tls)

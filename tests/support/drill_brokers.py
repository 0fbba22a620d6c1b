"""The event queues of the ingestion drill: each can be ended and started again, and says what it holds."""

from __future__ import annotations

import re
import signal
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Protocol

import redis

from tests.support.ports import ports_of
from tests.support.rabbitmq import running_rabbitmq
from tests.support.restartable import Restartable, RestartableValkey
from tests.support.waiting import wait_until
from worker.adapters.queues.amqp import QUEUE
from worker.adapters.queues.redis_streams import ABANDONED_MS, GROUP, STREAM
from worker.adapters.redis_connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MOST = 5000  # entries in anybody's hands


class Broker(Restartable, Protocol):
    """What holds the event queue."""

    url: str

    def in_hand(self, pid: int) -> int:
        """Count the entries that this process has read and not acknowledged."""
        ...

    def left(self) -> tuple[int, int]:
        """Return how many entries the queue holds, and how many of them are in somebody's hands."""
        ...


class StreamOnValkey(RestartableValkey):
    """A Redis Stream. `aged`: what nobody has touched for a second is old enough for anybody to take over."""

    def __init__(self, folder: Path, *, aged: bool = False) -> None:
        super().__init__(folder)
        self._aged = aged

    def in_hand(self, pid: int) -> int:
        with connect(self.url) as client:
            try:
                names = [each["name"] for each in client.xinfo_consumers(STREAM, GROUP)]
            except redis.ResponseError:  # the first consumer has not made the group yet
                return 0
            own = [name for name in names if f"-{pid}-".encode() in name]
            return sum(map(len, (_held(client, name) for name in own)))

    def left(self) -> tuple[int, int]:
        with connect(self.url) as client:
            if self._aged:
                _age(client)
            try:
                pending: Any = client.xpending(STREAM, GROUP)
            except redis.ResponseError:  # the first consumer has not made the group yet
                return client.xlen(STREAM), 0
            return client.xlen(STREAM), int(pending["pending"])


def _held(client: redis.Redis, consumer: bytes) -> list[Any]:
    held: Any = client.xpending_range(STREAM, GROUP, "-", "+", MOST, consumername=consumer)
    return list(held)


def _age(client: redis.Redis) -> None:
    with suppress(redis.ResponseError):  # the first consumer has not made the group yet
        pending = client.xpending_range(STREAM, GROUP, "-", "+", MOST, idle=1000)
        ids: list[Any] = [entry["message_id"] for entry in pending]
        if ids:
            client.xclaim(STREAM, GROUP, "nobody", 0, ids, idle=ABANDONED_MS, justid=True)


# Of one moment, and of the queue itself: over AMQP a broker speaks of the unread alone.
STATE = (
    f"ra:consistent_query({{'%2F_{QUEUE}', node()}}, fun(Queue) -> "
    "{rabbit_fifo:query_messages_total(Queue), rabbit_fifo:query_messages_checked_out(Queue)} end)"
)
HANDS = (
    "[{binary_to_list(Name), Held} || [{name, Name}, {messages_unacknowledged, Held}]"
    " <- rabbit_channel:info_all([name, messages_unacknowledged])]"
)
_PAIR = re.compile(r"{(\d+), (\d+)}")


class QueueOnRabbitMQ:
    """A durable quorum queue."""

    name = "RabbitMQ"
    ends: Sequence[signal.Signals] = (signal.SIGKILL, signal.SIGTERM)

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self._broker = self._stack.enter_context(running_rabbitmq(folder))
        self.url = self._broker.url()

    def end(self, how: signal.Signals) -> None:
        # A queue that is younger than a second or two may not survive a power cut.
        wait_until(lambda: self._broker.has_written(QUEUE), what="the broker has noted the queue")
        {signal.SIGKILL: self._broker.kill, signal.SIGTERM: self._broker.stop}[how]()

    def start(self) -> None:
        self._broker.start()

    def stop(self) -> None:
        self._stack.close()

    def in_hand(self, pid: int) -> int:
        held = re.findall(r':(\d+) -> [^"]*", (\d+)}', self._broker.ask(HANDS))
        own = ports_of(pid)
        return sum(int(number) for port, number in held if int(port) in own)

    def left(self) -> tuple[int, int]:
        """Wait for the queue to answer, which it does a while after the broker, or once it was made."""
        told = wait_until(lambda: _PAIR.findall(self._broker.ask(STATE)), what="the queue answers")
        entries, held = told[0]
        return int(entries), int(held)


BROKERS: dict[str, Callable[[Path], Broker]] = {"redis": StreamOnValkey, "rabbitmq": QueueOnRabbitMQ}

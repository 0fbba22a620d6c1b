"""The queue of events on an AMQP broker: made by whoever comes first, used as it is by all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from amqp.exceptions import AccessRefused, NotFound, PreconditionFailed

from worker.errors import QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.adapters.queues.link import Link

log = structlog.get_logger(__name__)

# The first version of RabbitMQ that counts by itself how often a message came back.
COUNTING = 4


class Declaration:
    """Sees to it that the queue `name` exists; what differs from ours is said once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._compared = False

    def make(self, link: Link) -> None:
        """Make the queue if it is not there.

        Raises the errors of py-amqp, and QueueUnavailable if it is a stream, of which a reader that comes
        later is given nothing that was there before.
        """
        if waiting(link, self.name) is None:
            self._create(link)
        elif not self._compared:
            self._compare(link)
        self._compared = True

    def _create(self, link: Link) -> None:
        try:
            self._declare(link)
        except PreconditionFailed as error:
            # Somebody else was quicker.
            self._say(error)

    def _compare(self, link: Link) -> None:
        """Look whether it is as we would have made it; whoever may not declare may use it all the same."""
        try:
            self._declare(link)
        except PreconditionFailed as error:
            self._say(error)
        except AccessRefused:
            return

    def _declare(self, link: Link) -> None:
        arguments = arguments_for(link.server)
        with link.channel() as channel:
            channel.queue_declare(self.name, durable=True, auto_delete=False, arguments=arguments)

    def _say(self, error: PreconditionFailed) -> None:
        reason = error.reply_text or ""
        if "x-queue-type" in reason and "current is 'stream'" in reason:
            raise QueueUnavailable(
                f"{self.name} is a stream of RabbitMQ: delete it, or name a queue"
            ) from None
        log.warning("queue.declared_otherwise", queue=self.name, reason=reason)


def arguments_for(server: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to ask for of a broker that says so much of itself: that every copy keeps every message.

    Version 4 of RabbitMQ drops one at its 20th return, unless told not to. Version 3 does not, but takes
    the same word to mean the first.
    """
    major = str(server.get("version", "")).partition(".")[0]
    counts_returns = server.get("product") == "RabbitMQ" and major.isdecimal() and int(major) >= COUNTING
    return {"x-queue-type": "quorum"} | ({"x-delivery-limit": -1} if counts_returns else {})


def waiting(link: Link, name: str) -> int | None:
    """Count the messages that nobody holds; None if there is no such queue. Changes nothing."""
    with link.channel() as channel:
        try:
            found: int = channel.queue_declare(name, passive=True).message_count
        except NotFound:
            return None
    return found

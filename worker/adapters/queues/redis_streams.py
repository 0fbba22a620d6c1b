"""The event queue on Redis Streams, read by any number of consumers of one group (design.md section 6)."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import redis
import structlog

from worker.adapters.queues.held import Held
from worker.adapters.redis_connection import connect
from worker.errors import QueueUnavailable
from worker.ports import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

log = structlog.get_logger(__name__)

STREAM = "badge-events"
GROUP = "badge-worker"
FIELD = b"event"

MIN_IDLE = 15.0
REFRESH_EVERY = 5.0
STALE_AFTER = 60.0
# Less than the client's time-out, which would take a longer block for a frozen server.
LONGEST_BLOCK = 5.0
CHUNK = 500
# It can be lost while we wait for a message, too.
GROUP_ATTEMPTS = 3
# Long enough ago for anybody to claim it.
ABANDONED_MS = 24 * 3600 * 1000

# One script: between a look at a consumer and its removal it could read, and that would be gone with it.
# KEYS: stream. ARGV: group, name of one that leaves, milliseconds after which any without messages is stale.
REMOVE_EMPTY = """
local removed = 0
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers['err'] then return removed end
for _, entry in ipairs(consumers) do
  local consumer = {}
  for i = 1, #entry, 2 do consumer[entry[i]] = entry[i + 1] end
  local leaves = consumer['name'] == ARGV[2] or consumer['idle'] > tonumber(ARGV[3])
  if consumer['pending'] == 0 and leaves then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
    removed = removed + 1
  end
end
return removed
"""

T = TypeVar("T")


class RedisStreamQueue:
    """One consumer of the group. Nothing is connected before the first call, and again after an outage.

    Who reads must acknowledge in the end, or close: what is held is kept from the others while we live. Only
    a call that fails lets go of it: then it comes again, unless it is acknowledged after all before that.
    Times are in seconds: others may take what was not touched for `min_idle`; what we hold is touched every
    `refresh_every`; the name of a consumer that holds nothing is removed after a silence of `stale_after`.
    """

    def __init__(
        self,
        url: str,
        stream: str = STREAM,
        group: str = GROUP,
        *,
        min_idle: float = MIN_IDLE,
        refresh_every: float = REFRESH_EVERY,
        stale_after: float = STALE_AFTER,
    ) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._redis = connect(url)
        self._redis.set_response_callback("XREADGROUP", _entries)
        self._stream, self._group = stream, group
        self._min_idle, self._stale_after = min_idle, stale_after
        self._held = Held(self._touch, refresh_every)
        self._next_tidying = 0.0
        self._reads = False
        self._next_look = time.monotonic() + self._min_idle

    def read(self, limit: int, wait: float) -> Sequence[Message]:
        """Return up to `limit` messages; empty-handed, wait up to `wait` seconds for the first."""
        deadline = time.monotonic() + wait
        self._reads = True
        with self._letting_go_on_failure():
            messages = self._take(limit, wait)
            while not messages and (left := deadline - time.monotonic()) > 0:
                messages = self._take(limit, left)
        self._held.add(message.handle for message in messages)
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Say that these are done for good; all of them at once, or none."""
        if not messages:
            return
        ids = [message.handle for message in messages]
        with self._letting_go_on_failure(), self._redis.pipeline(transaction=True) as pipeline:
            # In one: an entry with one of the two done would count for ever, or be claimed without its body.
            pipeline.xack(self._stream, self._group, *ids)
            pipeline.xdel(self._stream, *ids)
            pipeline.execute()
        self._held.remove(ids)

    def publish(self, bodies: Sequence[bytes]) -> int:
        """Add events to the stream and return how many: all of them.

        After QueueUnavailable some may be there: publish all again, since events may come twice.
        """
        with _reaching_redis():
            for chunk in _chunks(bodies):
                with self._redis.pipeline(transaction=True) as pipeline:
                    for body in chunk:
                        pipeline.xadd(self._stream, {FIELD: body})
                    pipeline.execute()
        return len(bodies)

    def backlog(self) -> int:
        """Count what is unread or unacknowledged, over all consumers."""
        with _reaching_redis(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xlen(self._stream)
            pipeline.xrevrange(self._stream, count=1)
            pipeline.xinfo_groups(self._stream)
            length, newest, groups = pipeline.execute(raise_on_error=False)
            if isinstance(length, redis.RedisError):
                raise length
        if not length and isinstance(groups, redis.ResponseError):
            return 0  # there is no stream
        group = next((each for each in groups if each["name"] == self._group.encode()), None)
        if group is None:
            return int(length)
        all_read = not newest or _order(newest[0][0]) <= _order(group["last-delivered-id"])
        # Done entries are deleted, so the length counts both, unless somebody else meddled with the stream.
        return int(group["pending"]) if all_read else max(int(length), int(group["pending"]))

    def close(self) -> None:
        """Leave the queue; what is unacknowledged can be had by others at once.

        Never raises: if the queue cannot be reached, they get it after `min_idle`.
        """
        self._held.stop()
        if not self._reads:
            self._redis.close()
            return
        self._reads = False
        try:
            self._touch(self._held.ids(), idle_ms=ABANDONED_MS)
            self._remove_empty_consumers(self.name)
        except redis.RedisError as error:
            log.warning("queue.close_failed", error=str(error))
        finally:
            self._redis.close()

    @contextmanager
    def _letting_go_on_failure(self) -> Iterator[None]:
        """Keep nothing from the others that the caller may have dropped with the error; twice is harmless."""
        try:
            with _reaching_redis():
                yield
        except QueueUnavailable:
            self._held.clear()
            raise

    def _take(self, limit: int, wait: float) -> list[Message]:
        """Read what is new, or take over what a dead consumer left: only while our own hands are empty.

        Now and then we look for that first: under steady traffic there is always something new.
        """
        entries: list[Any] = []
        if not self._held and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self._min_idle
            entries = self._with_group(lambda: self._claim_abandoned(limit))
        entries = entries or self._with_group(lambda: self._read_new(limit, wait))
        if not entries and not self._held:
            entries = self._with_group(lambda: self._claim_abandoned(limit))
        return [Message(_body(fields), entry_id.decode()) for entry_id, fields in entries]

    def _read_new(self, limit: int, wait: float) -> list[Any]:
        # 0 would block for ever.
        block = max(1, round(min(wait, LONGEST_BLOCK, self._min_idle) * 1000)) if wait > 0 else None
        words: list[Any] = ["GROUP", self._group, self.name, "COUNT", limit]
        if block is not None:
            words += ["BLOCK", block]
        # Not by the client's own method: it makes dictionaries of all entries, and goes through them again.
        ask: Callable[..., list[Any]] = self._redis.execute_command
        return ask("XREADGROUP", *words, "STREAMS", self._stream, ">")

    def _claim_abandoned(self, limit: int) -> list[Any]:
        """Go through what all consumers hold, as far as needed to find some that nobody has touched."""
        cursor = b"0-0"
        while True:
            reply: Any = self._redis.xautoclaim(
                self._stream, self._group, self.name, round(self._min_idle * 1000), cursor, count=limit
            )
            cursor, claimed = reply[:2]
            entries = [entry for entry in claimed if entry[1] is not None]
            if len(entries) != len(claimed):
                self._forget_trimmed(len(claimed))
            if entries:
                return entries
            if cursor == b"0-0":
                self._tidy()
                return []

    def _forget_trimmed(self, number: int) -> None:
        """Strike off what was trimmed from the stream: Redis before version 7 gives it to us without id."""
        held: Any = self._redis.xpending_range(
            self._stream, self._group, "-", "+", number, consumername=self.name
        )
        ids = [each["message_id"] for each in held]
        gone = [each for each in ids if not self._redis.xrange(self._stream, each, each)]
        if gone:
            self._redis.xack(self._stream, self._group, *gone)

    def _tidy(self) -> None:
        """Now and then remove the names of dead consumers; those that were killed never said farewell."""
        if time.monotonic() >= self._next_tidying:
            self._remove_empty_consumers()
            self._next_tidying = time.monotonic() + self._stale_after / 2

    def _remove_empty_consumers(self, leaving: str = "") -> None:
        stale = round(self._stale_after * 1000)
        self._redis.eval(REMOVE_EMPTY, 1, self._stream, self._group, leaving, stale)

    def _with_group(self, call: Callable[[], T]) -> T:
        """Make the group, from the stream's first entry on, if it is not there (or not any more)."""
        for _ in range(GROUP_ATTEMPTS):
            try:
                return call()
            except redis.ResponseError as error:
                if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
                    raise
            self._create_group()
        return call()

    def _create_group(self) -> None:
        try:
            self._redis.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _touch(self, ids: Sequence[str], idle_ms: int = 0) -> None:
        """Set how long ago these were touched. What was acknowledged in the meantime stays done."""
        for chunk in _chunks(ids):
            self._redis.xclaim(
                self._stream, self._group, self.name, 0, list(chunk), idle=idle_ms, justid=True
            )


@contextmanager
def _reaching_redis() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise QueueUnavailable(_said(error)) from None


def _said(error: redis.RedisError) -> str:
    """Return the server's words alone: the client quotes the command too, which holds a part of the event."""
    return str(error).rsplit(" of pipeline caused error: ", 1)[-1]


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


def _order(entry_id: bytes) -> tuple[int, ...]:
    """Ids are two numbers; as text they would not sort."""
    return tuple(map(int, entry_id.split(b"-")))


def _entries(reply: Any, **_options: object) -> list[Any]:
    """Return the entries of the one stream that was asked for, as the server sent them."""
    if not reply:
        return []
    ((_, entries),) = reply.items() if isinstance(reply, dict) else reply
    return list(entries)


def _body(fields: dict[bytes, bytes] | list[bytes]) -> bytes:
    """Return the event; an entry without one becomes JSON of what it has, to be refused with its content."""
    if isinstance(fields, list):
        if len(fields) == 2 and fields[0] == FIELD:  # noqa: PLR2004 - a name and its value
            return fields[1]
        fields = dict(zip(fields[::2], fields[1::2], strict=True))
    if FIELD in fields:
        return fields[FIELD]
    return json.dumps({_text(name): _value(value) for name, value in fields.items()}).encode()


def _value(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")

"""Streams that are full before anybody reads: no publisher competes with what is measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import redis
from sqlalchemy import make_url

from worker.adapters.queues.redis_streams import FIELD, GROUP, STREAM
from worker.adapters.redis_connection import connect

_STAGED = "staged"
_CHUNK = 1000
POLL = 0.02  # seconds between two looks whether all is done


class Streams:
    """The consumers' stream, and prepared ones that take its place at once."""

    def __init__(self, redis_url: str) -> None:
        self.client = connect(redis_url)
        self._shelf = connect(make_url(redis_url).set(database="1").render_as_string(hide_password=False))

    def keep(self, name: str, bodies: Sequence[bytes]) -> None:
        """Prepare a stream, with its group, from which any number of copies can be made."""
        if self._shelf.exists(name):
            return
        fill(self._shelf, name, bodies)
        self._shelf.xgroup_create(name, GROUP, id="0")

    def empty(self) -> None:
        """Forget everything but what is kept."""
        self.client.flushdb()

    def stage(self, name: str) -> None:
        """Lay a copy of a prepared stream ready."""
        self._shelf.copy(name, _STAGED, destination_db="0", replace=True)

    def swap_in(self) -> None:
        """Put the staged stream in the place of the consumers' empty one."""
        self.client.rename(_STAGED, STREAM)

    def await_readers(self, consumers: int, alive: Any) -> None:
        """Wait until that many consumers have asked for events; `alive` raises if one of them has ended."""
        while len(self._consumers()) < consumers:
            alive()
            time.sleep(POLL)

    def _consumers(self) -> list[Any]:
        try:
            found: list[Any] = self.client.xinfo_consumers(STREAM, GROUP)
        except redis.ResponseError:  # the first consumer makes stream and group
            return []
        return found

    def await_done(self, alive: Any) -> None:
        """Wait until everything was read, committed and acknowledged."""
        looks = 0
        while not self._is_done():
            looks += 1
            if looks % 50 == 0:
                alive()
            time.sleep(POLL)

    def _is_done(self) -> bool:
        if self.client.xlen(STREAM):
            return False
        pending: Any = self.client.xpending(STREAM, GROUP)
        return not pending["pending"]


def fill(client: redis.Redis, name: str, bodies: Sequence[bytes]) -> None:
    """Append the bodies to a stream."""
    for start in range(0, len(bodies), _CHUNK):
        with client.pipeline(transaction=False) as pipeline:
            for body in bodies[start : start + _CHUNK]:
                pipeline.xadd(name, {FIELD: body})
            pipeline.execute()

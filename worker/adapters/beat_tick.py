"""When beat ticked last, kept where others can see it once beat is dead."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import redis
import structlog

from worker.adapters.shared_state import shared_state

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger(__name__)

_KEY = "badge-worker:beat:ticked"
_EVERY = 5.0  # seconds between two notes
_AFTER_FAILURE = 60.0  # seconds without one after it failed: a frozen server must not hold up beat


class BeatTick:
    """The note of beat's last tick in Redis, by Redis's clock."""

    def __init__(self, client: redis.Redis, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._monotonic = monotonic
        self._next = float("-inf")
        self._failing = False

    def note(self) -> None:
        """Note a tick, now and then. Never raises: a tick that nobody sees is one all the same."""
        if self._monotonic() < self._next:
            return
        self._next = self._monotonic() + _EVERY
        try:
            seconds: Any = self._client.time()
            self._client.set(_KEY, seconds[0])
        except redis.RedisError as error:
            if not self._failing:
                log.warning("beat.tick_not_noted", error=type(error).__name__)
            self._failing = True
            self._next = self._monotonic() + _AFTER_FAILURE
        else:
            self._failing = False

    def last(self) -> float | None:
        """Return when the last tick was, in seconds since 1970; None if there was none.

        Raises LimiterUnavailable.
        """
        with shared_state():
            noted: Any = self._client.get(_KEY)
        return float(noted) if noted is not None else None

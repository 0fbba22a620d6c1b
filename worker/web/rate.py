"""How often one caller may come: a bucket of permits that fills up again. Each process keeps its own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_MOST_CALLERS = 10_000  # whose buckets are kept; a full one need not be


class CallerRate:
    """`calls` permits at once, and as many again in each `window` seconds. For one thread."""

    def __init__(self, calls: int, window: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls, self._window, self._clock = calls, window, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # what is left, and when it was

    def take(self, caller: str) -> float:
        """Take a permit and return 0, or return in how many seconds there will be one."""
        now = self._clock()
        left = self._left(caller, now)
        if left < 1:
            return (1 - left) * self._window / self._calls
        if caller not in self._buckets and len(self._buckets) >= _MOST_CALLERS:
            self._forget_full_ones(now)
        self._buckets[caller] = (left - 1, now)
        return 0.0

    def _left(self, caller: str, now: float) -> float:
        left, at = self._buckets.get(caller, (float(self._calls), now))
        return min(self._calls, left + (now - at) * self._calls / self._window)

    def _forget_full_ones(self, now: float) -> None:
        self._buckets = {
            name: kept for name, kept in self._buckets.items() if self._left(name, now) < self._calls
        }


def whole_seconds(seconds: float) -> str:
    """Return a time for `Retry-After`, which knows whole seconds alone."""
    return str(max(1, math.ceil(seconds)))

"""The two ways the service holds callers back: the rate limit, and the wait after wrong sign-ins."""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.sandbox.options import RateLimit

_LONGEST_WAIT = 3600


class MovingWindow:
    """Exactly so many calls in any span of so many seconds, for each connection on its own."""

    def __init__(self, limit: RateLimit | None) -> None:
        self._limit = limit
        self._calls: dict[str, list[float]] = {}

    def restore(self, calls: Iterable[tuple[str, float]]) -> None:
        """Count calls that an earlier process let through."""
        for account, moment in calls:
            insort(self._calls.setdefault(account, []), moment)

    def arrive(self, account: str, moment: float) -> int | None:
        """Count a call that arrived at `moment`; if it is one too many, the whole seconds to wait instead.

        A refused call is not counted: it makes nobody wait longer.
        """
        if self._limit is None:
            return None
        calls = self._calls.setdefault(account, [])
        del calls[: bisect_right(calls, moment - self._limit.seconds)]
        if len(calls) < self._limit.calls:
            insort(calls, moment)
            return None
        frees = calls[len(calls) - self._limit.calls] + self._limit.seconds
        return max(1, math.ceil(frees - moment))


class SignInThrottle:
    """Each sign-in that fails doubles a wait of 2, 4, 8… s; one that succeeds clears it (section 10)."""

    def __init__(self) -> None:
        self._failures: dict[str, tuple[int, float]] = {}

    def wait(self, key: str, moment: float) -> int | None:
        """Return the whole length of the wait that is on, not what is left of it; None if none is."""
        failures, since = self._failures.get(key, (0, 0.0))
        length = min(2**failures, _LONGEST_WAIT)
        return length if failures and moment < since + length else None

    def failed(self, key: str, moment: float) -> None:
        """Note a sign-in that was not answered 2xx."""
        failures, _ = self._failures.get(key, (0, 0.0))
        self._failures[key] = (min(failures + 1, 12), moment)

    def succeeded(self, key: str) -> None:
        """Forget the failures."""
        self._failures.pop(key, None)

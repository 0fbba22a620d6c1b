"""The rate limit inside one process: the twin of the shared one, for tests and for a single process."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.adapters.permits.limits import RateLimit, limit_of
from worker.errors import NoPermit
from worker.ports import Leeway

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(slots=True)
class _Issuer:
    ends: dict[int, float] = field(default_factory=dict)
    resumes: float = 0.0
    failures: int = 0


class MemoryPermits:
    """Permits for every issuer in `limits`; `clock` gives monotonic seconds, `sleep` waits for room."""

    def __init__(
        self,
        limits: Mapping[str, RateLimit],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._guard = threading.Lock()
        self._issuers: dict[str, _Issuer] = {}
        self._last_id = 0

    def acquire(self, issuer: str, wait: float) -> MemoryPermit:
        """Take a permit, waiting up to `wait` seconds; raises NoPermit as soon as that cannot be enough."""
        limit = limit_of(self._limits, issuer)
        give_up = self._clock() + wait
        while True:
            call_by = time.monotonic() + limit.deadline
            permit_id, blocked = self._ask(issuer, limit)
            if blocked <= 0:
                return MemoryPermit(self, issuer, permit_id, call_by)
            if self._clock() + blocked > give_up:
                raise NoPermit(issuer, blocked)
            self._sleep(blocked)

    def room(self, issuer: str, within: float) -> int:
        """Count the permits that can be had within so many seconds; 0 while the issuer is paused."""
        limit = limit_of(self._limits, issuer)
        with self._guard:
            state, now = self._state(issuer), self._clock()
            if state.resumes > now:
                return 0
            kept = sum(end >= now + within for end in state.ends.values())
            return max(0, limit.calls - kept)

    def leeway(self, issuer: str) -> Leeway:
        """Look how the issuer's limit stands, and change nothing by it."""
        limit = limit_of(self._limits, issuer)
        with self._guard:
            state, now = self._state(issuer), self._clock()
            kept = sum(end >= now for end in state.ends.values())
            return Leeway(max(0, limit.calls - kept), max(0.0, state.resumes - now), state.failures)

    def pause(self, issuer: str, seconds: float) -> None:
        """Let nobody call this issuer for so long; a longer pause is never shortened."""
        with self._guard:
            state = self._state(issuer)
            state.resumes = max(state.resumes, self._clock() + seconds)

    def failed(self, issuer: str) -> int:
        """Note one more call in a row that failed, and return how many it are."""
        with self._guard:
            state = self._state(issuer)
            state.failures += 1
            return state.failures

    def succeeded(self, issuer: str) -> None:
        """Note that a call went well: the row of failures ends."""
        with self._guard:
            self._state(issuer).failures = 0

    def answered(self, permit: MemoryPermit) -> None:
        """Let the permit end one window after now."""
        with self._guard:
            ends = self._state(permit.issuer).ends
            if permit.id in ends:
                ends[permit.id] = self._clock() + limit_of(self._limits, permit.issuer).kept

    def unused(self, permit: MemoryPermit) -> None:
        """Forget the permit."""
        with self._guard:
            self._state(permit.issuer).ends.pop(permit.id, None)

    def _ask(self, issuer: str, limit: RateLimit) -> tuple[int, float]:
        """Return a new permit's id and 0, or the seconds until asking again can succeed at the earliest."""
        with self._guard:
            state, now = self._state(issuer), self._clock()
            if state.resumes > now:
                return 0, state.resumes - now
            state.ends = {each: end for each, end in state.ends.items() if end >= now}
            too_many = len(state.ends) - limit.calls
            if too_many >= 0:
                return 0, min(sorted(state.ends.values())[too_many] - now, limit.kept) + _TICK
            self._last_id += 1
            state.ends[self._last_id] = now + limit.held
            return self._last_id, 0.0

    def _state(self, issuer: str) -> _Issuer:
        return self._issuers.setdefault(issuer, _Issuer())


# A permit is free strictly after its end.
_TICK = 0.001


@dataclass(frozen=True, slots=True)
class MemoryPermit:
    """Leave to make one call to `issuer`, over by `call_by` on this process's monotonic clock."""

    permits: MemoryPermits
    issuer: str
    id: int
    call_by: float

    def answered(self) -> None:
        """Say that the call is over: the permit ends one window after now."""
        self.permits.answered(self)

    def unused(self) -> None:
        """Give the permit back: nothing was sent."""
        self.permits.unused(self)

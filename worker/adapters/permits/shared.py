"""The rate limit as every process shares it: a moving window in Redis, on Redis's own clock.

A permit is a member of a sorted set, scored by the millisecond in which it ends. The provider counts a
call when it arrives, which is at some time between the permit and the answer: so the window of a call
begins with its answer, and until that is known the permit is kept for the call's whole deadline on top.
"""

from __future__ import annotations

import math
import random
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.adapters.permits.limits import RateLimit, limit_of
from worker.adapters.shared_state import shared_state
from worker.errors import NoPermit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import redis

# A client's clock may be wrong by any amount; Redis's is the same for all.
_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""

# Answers 0 with the permit taken, else the milliseconds until asking again can succeed at the earliest:
# a call that is still under way cannot free its place sooner than one window from now.
_ACQUIRE = (
    _NOW
    + """
local permits, pause = KEYS[1], KEYS[2]
local id, calls, kept, held = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local resumes = tonumber(redis.call('GET', pause) or 0)
if resumes > now then return resumes - now end
redis.call('ZREMRANGEBYSCORE', permits, '-inf', '(' .. now)
local taken = redis.call('ZCARD', permits)
if taken < calls then
  redis.call('ZADD', permits, now + held, id)
  redis.call('PEXPIRE', permits, held + 1000)
  return 0
end
local next = redis.call('ZRANGE', permits, taken - calls, taken - calls, 'WITHSCORES')
return math.min(tonumber(next[2]) - now, kept) + 1
"""
)

_ANSWERED = (
    _NOW
    + """
return redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[2]), ARGV[1])
"""
)

_ROOM = (
    _NOW
    + """
if tonumber(redis.call('GET', KEYS[2]) or 0) > now then return 0 end
return tonumber(ARGV[1]) - redis.call('ZCOUNT', KEYS[1], now + tonumber(ARGV[2]), '+inf')
"""
)

_PAUSE = (
    _NOW
    + """
local resumes = now + tonumber(ARGV[1])
if resumes <= tonumber(redis.call('GET', KEYS[1]) or 0) then return 0 end
return redis.call('SET', KEYS[1], resumes, 'PX', ARGV[1])
"""
)

_FAILED = """
local row = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return row
"""

# A row of failures that nobody has added to for so long says nothing about the provider any more.
_FAILURES_FORGOTTEN = 24 * 3600.0

# Tasks that wait for the same moment should not all ask in the same millisecond.
_JITTER = 0.003


class RedisPermits:
    """Permits for every issuer in `limits`, counted in Redis under keys that expire by themselves.

    `prefix` parts installations that share one Redis. `sleep` waits for room, in seconds.
    """

    def __init__(
        self,
        client: redis.Redis,
        limits: Mapping[str, RateLimit],
        prefix: str = "badge-worker:",
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limits = limits
        self._prefix = prefix
        self._client = client
        self._sleep = sleep
        self._scripts: dict[str, Any] = {
            text: client.register_script(text) for text in (_ACQUIRE, _ANSWERED, _ROOM, _PAUSE, _FAILED)
        }

    def __repr__(self) -> str:
        return f"RedisPermits(prefix={self._prefix!r})"

    def acquire(self, issuer: str, wait: float) -> RedisPermit:
        """Take a permit, waiting up to `wait` seconds; raises NoPermit as soon as that cannot be enough."""
        limit = limit_of(self._limits, issuer)
        give_up = time.monotonic() + wait
        while True:
            asked = time.monotonic()
            permit = RedisPermit(self, issuer, secrets.token_hex(8), asked + limit.deadline)
            blocked = self._ask(permit.id, issuer, limit)
            if blocked <= 0:
                return permit
            if time.monotonic() + blocked > give_up:
                raise NoPermit(issuer, blocked)
            self._sleep(blocked + random.uniform(0, _JITTER))  # noqa: S311 - spreads load, guards nothing

    def room(self, issuer: str, within: float) -> int:
        """Count the permits that can be had within so many seconds; 0 while the issuer is paused."""
        limit = limit_of(self._limits, issuer)
        keys = [self._key(issuer, "permits"), self._key(issuer, "pause")]
        return max(0, self._run(_ROOM, keys, [limit.calls, _ms(within)]))

    def pause(self, issuer: str, seconds: float) -> None:
        """Let nobody call this issuer for so long; a longer pause is never shortened."""
        if seconds > 0:
            self._run(_PAUSE, [self._key(issuer, "pause")], [_ms(seconds)])

    def failed(self, issuer: str) -> int:
        """Note one more call in a row that failed, and return how many it are."""
        return self._run(_FAILED, [self._key(issuer, "failures")], [_ms(_FAILURES_FORGOTTEN)])

    def succeeded(self, issuer: str) -> None:
        """Note that a call went well: the row of failures ends."""
        with shared_state():
            self._client.delete(self._key(issuer, "failures"))

    def answered(self, permit: RedisPermit) -> None:
        """Let the permit end one window after now."""
        kept = _ms(limit_of(self._limits, permit.issuer).kept)
        self._run(_ANSWERED, [self._key(permit.issuer, "permits")], [permit.id, kept])

    def unused(self, permit: RedisPermit) -> None:
        """Forget the permit."""
        with shared_state():
            self._client.zrem(self._key(permit.issuer, "permits"), permit.id)

    def _ask(self, permit_id: str, issuer: str, limit: RateLimit) -> float:
        keys = [self._key(issuer, "permits"), self._key(issuer, "pause")]
        arguments: list[str | int] = [permit_id, limit.calls, _ms(limit.kept), _ms(limit.held)]
        return self._run(_ACQUIRE, keys, arguments) / 1000

    def _run(self, script: str, keys: list[str], arguments: list[str | int]) -> int:
        with shared_state():
            answer = self._scripts[script](keys=keys, args=arguments)
        return answer if isinstance(answer, int) else 0

    def _key(self, issuer: str, what: str) -> str:
        # The braces keep an issuer's keys on one node of a cluster: a script needs them together.
        return f"{self._prefix}{{{issuer}}}:{what}"


@dataclass(frozen=True, slots=True)
class RedisPermit:
    """Leave to make one call to `issuer`, over by `call_by` on this process's monotonic clock."""

    permits: RedisPermits
    issuer: str
    id: str
    call_by: float

    def answered(self) -> None:
        """Say that the call is over: the permit ends one window after now."""
        self.permits.answered(self)

    def unused(self) -> None:
        """Give the permit back: nothing was sent."""
        self.permits.unused(self)


def _ms(seconds: float) -> int:
    """Return whole milliseconds, rounded up: a permit never ends early."""
    return math.ceil(seconds * 1000)

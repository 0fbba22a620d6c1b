"""The rate limit as every process shares it: a moving window in Redis, on Redis's own clock.

A permit is a member of a sorted set, scored by the millisecond in which it ends. The provider counts a
call when it arrives, which is at some time between the permit and the answer: so the window of a call
begins with its answer, and until that is known the permit is kept for the call's whole deadline on top.

A server that has lost its memory would let a whole limit out once more. So the set has one more member, which
never ends: the run that it was counted in. Where that is missing, or another one, and the issuer may have
been called, nobody calls it before every call that was forgotten must have left the provider's window.
"""

from __future__ import annotations

import math
import random
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from worker.adapters.permits.limits import RateLimit, limit_of
from worker.adapters.shared_state import shared_state
from worker.errors import NoPermit
from worker.ports import Leeway

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import redis

log = structlog.get_logger(__name__)

# A client's clock may be wrong by any amount; Redis's is the same for all.
_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""

# What stands before every script that counts permits. Answers -1 if nothing is remembered and the caller has
# not said whether the issuer was ever called, -2 once it has paused an issuer of which calls were forgotten.
# A server that writes down each command before it answers remembers everything after a restart.
_REMEMBERED = (
    _NOW
    + """
local permits, pause, before, held = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
local function told(section)
  local answer = redis.pcall('INFO', section)
  return type(answer) == 'string' and answer or ''
end
local run = string.match(told('server'), 'run_id:(%w+)') or 'a run without a name'
local remembered = redis.call('ZRANGEBYSCORE', permits, '+inf', '+inf')[1]
if remembered ~= run then
  local forgotten = before == 'called'
  if remembered then
    forgotten = not string.find(told('persistence'), 'aof_enabled:1', 1, true)
    redis.call('ZREM', permits, remembered)
  elseif before == 'unknown' then
    return -1
  end
  redis.call('ZADD', permits, '+inf', run)
  redis.call('PEXPIRE', permits, ARGV[3])
  if forgotten then
    local resumes = math.max(tonumber(redis.call('GET', pause) or 0), now + held)
    redis.call('SET', pause, resumes, 'PX', resumes - now)
    return -2
  end
end
"""
)
_ASK, _FORGOTTEN = -1, -2

# Answers 0 with the permit taken, else the milliseconds until asking again can succeed at the earliest:
# a call that is still under way cannot free its place sooner than one window from now.
_ACQUIRE = (
    _REMEMBERED
    + """
local calls, id, kept = tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local resumes = tonumber(redis.call('GET', pause) or 0)
if resumes > now then return resumes - now end
redis.call('ZREMRANGEBYSCORE', permits, '-inf', '(' .. now)
local taken = redis.call('ZCARD', permits) - 1
if taken < calls then
  redis.call('ZADD', permits, now + held, id)
  redis.call('PEXPIRE', permits, ARGV[3])
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
    _REMEMBERED
    + """
if tonumber(redis.call('GET', pause) or 0) > now then return 0 end
redis.call('PEXPIRE', permits, ARGV[3])
return math.max(0, tonumber(ARGV[4]) - redis.call('ZCOUNT', permits, now + tonumber(ARGV[5]), '(+inf'))
"""
)

# Only looks: what was forgotten is not made good by it, and an issuer that nobody knows stays unknown.
_LEEWAY = (
    _NOW
    + """
local taken = redis.call('ZCOUNT', KEYS[1], now, '(+inf')
local resumes = tonumber(redis.call('GET', KEYS[2]) or 0)
return {taken, math.max(0, resumes - now), tonumber(redis.call('GET', KEYS[3]) or 0)}
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

# An issuer that nobody has asked about for so long was called by nobody either.
_REMEMBERED_FOR = 30 * 24 * 3600.0

# Tasks that wait for the same moment should not all ask in the same millisecond.
_JITTER = 0.003


class RedisPermits:
    """Permits for every issuer in `limits`, counted in Redis under keys that expire by themselves.

    `prefix` parts installations that share one Redis. `called_before` says whether an issuer was ever called:
    it is asked where Redis remembers nothing of the issuer, at the very first call or after it was emptied.
    `sleep` waits for room, in seconds.
    """

    def __init__(
        self,
        client: redis.Redis,
        limits: Mapping[str, RateLimit],
        prefix: str = "badge-worker:",
        *,
        called_before: Callable[[str], bool] = lambda _: False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limits = limits
        self._prefix = prefix
        self._client = client
        self._called_before = called_before
        self._sleep = sleep
        self._scripts: dict[str, Any] = {
            text: client.register_script(text)
            for text in (_ACQUIRE, _ANSWERED, _ROOM, _LEEWAY, _PAUSE, _FAILED)
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
            blocked = self._count(_ACQUIRE, issuer, limit, [permit.id, _ms(limit.kept)]) / 1000
            if blocked <= 0:
                return permit
            if time.monotonic() + blocked > give_up:
                raise NoPermit(issuer, blocked)
            self._sleep(blocked + random.uniform(0, _JITTER))  # noqa: S311 - spreads load, guards nothing

    def room(self, issuer: str, within: float) -> int:
        """Count the permits that can be had within so many seconds; 0 while the issuer is paused."""
        limit = limit_of(self._limits, issuer)
        return self._count(_ROOM, issuer, limit, [_ms(within)])

    def leeway(self, issuer: str) -> Leeway:
        """Look how the issuer's limit stands, and change nothing by it."""
        limit = limit_of(self._limits, issuer)
        with shared_state():
            keys = [self._key(issuer, what) for what in ("permits", "pause", "failures")]
            taken, paused, failures = self._scripts[_LEEWAY](keys=keys)
        return Leeway(max(0, limit.calls - taken), paused / 1000, failures)

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

    def _count(self, script: str, issuer: str, limit: RateLimit, arguments: list[str | int]) -> int:
        """Run a script that counts permits, on a memory that is whole."""
        keys = [self._key(issuer, "permits"), self._key(issuer, "pause")]
        before = "unknown"
        while True:
            remembering: list[str | int] = [before, _ms(limit.held), _ms(_REMEMBERED_FOR), limit.calls]
            answer = self._run(script, keys, remembering + arguments)
            if answer == _ASK:
                before = "called" if self._called_before(issuer) else "never"
            elif answer == _FORGOTTEN:
                log.warning("limiter.forgot_calls", issuer=issuer, wait=round(limit.held))
            else:
                return answer

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

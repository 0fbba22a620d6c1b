"""The tokens that processes share: one sign-in serves them all, and one of them renews it.

A refresh kills the old token at once and its refresh token for good (facts/badgr-api.md section 1, point
12): two processes that renewed at the same time would lock each other out. So whoever renews holds a lock,
and writes under the lock's number: a process that was stopped in the middle and wakes up late overwrites
nothing newer.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from worker.adapters.shared_state import shared_state

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in brought: `lasts` is seconds for which the access token may be used from now."""

    access: str = field(repr=False)
    lasts: float
    refresh: str | None = field(default=None, repr=False)


class TokenStore(Protocol):
    """Where processes find each other's tokens, by `account`: an issuer with one set of credentials.

    Every method raises LimiterUnavailable when the shared state cannot be reached.
    """

    def access(self, account: str) -> str | None:
        """Return the access token that is good for now."""

    def refresh(self, account: str) -> str | None:
        """Return the latest refresh token."""

    def begin(self, account: str, seconds: float) -> int | None:
        """Take the renewal for at most so long and return its number, or None while another has it."""

    def finish(self, account: str, number: int, tokens: Tokens | None) -> None:
        """End the renewal `number`; its tokens are kept unless a later renewal has brought some."""

    def refuse(self, account: str, what: str, seconds: float) -> None:
        """Note for so long what the provider has refused, by a name that gives nothing away."""

    def refused(self, account: str) -> str | None:
        """Return what the provider has refused last."""


# Numbers grow with the time: if Redis is emptied while a renewal is under way, its end must not look newer
# than all that come after it.
_BEGIN = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local clock = redis.call('TIME')
local number = math.max(redis.call('INCR', KEYS[2]), clock[1] * 1000000 + clock[2])
redis.call('SET', KEYS[2], string.format('%.0f', number))
redis.call('SET', KEYS[1], string.format('%.0f', number), 'PX', ARGV[1])
return number
"""

_FINISH = """
local number, access, lasts, refresh = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local function newer(key) return number > tonumber(redis.call('HGET', key, 'number') or 0) end
if access ~= '' and newer(KEYS[3]) then
  redis.call('HSET', KEYS[3], 'token', access, 'number', number)
  redis.call('PEXPIRE', KEYS[3], lasts)
end
if refresh ~= '' and newer(KEYS[4]) then
  redis.call('HSET', KEYS[4], 'token', refresh, 'number', number)
end
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""


class RedisTokens:
    """Tokens in Redis. `prefix` parts installations that share one Redis."""

    def __init__(self, client: redis.Redis, prefix: str = "badge-worker:") -> None:
        self._client = client
        self._prefix = prefix
        self._begin: Any = client.register_script(_BEGIN)
        self._finish: Any = client.register_script(_FINISH)

    def __repr__(self) -> str:
        return f"RedisTokens(prefix={self._prefix!r})"

    def access(self, account: str) -> str | None:
        """Return the access token that is good for now; its key expires with it."""
        return self._token(account, "access-token")

    def refresh(self, account: str) -> str | None:
        """Return the latest refresh token; the provider lets it live for ever, and so do we."""
        return self._token(account, "refresh-token")

    def begin(self, account: str, seconds: float) -> int | None:
        """Take the renewal for at most so long and return its number, or None while another has it."""
        with shared_state():
            number = self._begin(keys=self._keys(account)[:2], args=[_ms(seconds)])
        return int(number) or None

    def finish(self, account: str, number: int, tokens: Tokens | None) -> None:
        """End the renewal `number`; its tokens are kept unless a later renewal has brought some."""
        found = tokens or Tokens("", 0)
        arguments = [number, found.access, _ms(found.lasts), found.refresh or ""]
        with shared_state():
            self._finish(keys=self._keys(account), args=arguments)

    def refuse(self, account: str, what: str, seconds: float) -> None:
        """Note for so long what the provider has refused."""
        with shared_state():
            self._client.set(self._key(account, "refused"), what, px=_ms(seconds))

    def refused(self, account: str) -> str | None:
        """Return what the provider has refused last."""
        with shared_state():
            return _text(self._client.get(self._key(account, "refused")))

    def _token(self, account: str, what: str) -> str | None:
        with shared_state():
            return _text(self._client.hget(self._key(account, what), "token"))

    def _keys(self, account: str) -> list[str]:
        names = ("renewal", "renewals", "access-token", "refresh-token")
        return [self._key(account, name) for name in names]

    def _key(self, account: str, what: str) -> str:
        # The braces keep an account's keys on one node of a cluster: a script needs them together.
        return f"{self._prefix}{{{account}}}:{what}"


@dataclass(slots=True)
class _Account:
    number: int = 0
    held_until: float = 0.0
    holder: int = 0
    access: tuple[int, str, float] | None = None
    refresh: tuple[int, str] | None = None
    refused: tuple[str, float] | None = None


class MemoryTokens:
    """Tokens within one process: the twin of the shared ones. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._accounts: dict[str, _Account] = {}

    def access(self, account: str) -> str | None:
        """Return the access token that is good for now."""
        with self._guard:
            found = self._account(account).access
            return found[1] if found and found[2] > self._clock() else None

    def refresh(self, account: str) -> str | None:
        """Return the latest refresh token."""
        with self._guard:
            found = self._account(account).refresh
            return found[1] if found else None

    def begin(self, account: str, seconds: float) -> int | None:
        """Take the renewal for at most so long and return its number, or None while another has it."""
        with self._guard:
            state = self._account(account)
            if state.holder and self._clock() < state.held_until:
                return None
            state.number += 1
            state.holder, state.held_until = state.number, self._clock() + seconds
            return state.number

    def finish(self, account: str, number: int, tokens: Tokens | None) -> None:
        """End the renewal `number`; its tokens are kept unless a later renewal has brought some."""
        with self._guard:
            state = self._account(account)
            if tokens and (state.access is None or number > state.access[0]):
                state.access = (number, tokens.access, self._clock() + tokens.lasts)
            if tokens and tokens.refresh and (state.refresh is None or number > state.refresh[0]):
                state.refresh = (number, tokens.refresh)
            if state.holder == number:
                state.holder = 0

    def refuse(self, account: str, what: str, seconds: float) -> None:
        """Note for so long what the provider has refused."""
        with self._guard:
            self._account(account).refused = (what, self._clock() + seconds)

    def refused(self, account: str) -> str | None:
        """Return what the provider has refused last."""
        with self._guard:
            found = self._account(account).refused
            return found[0] if found and found[1] > self._clock() else None

    def _account(self, account: str) -> _Account:
        return self._accounts.setdefault(account, _Account())


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes) else value


def _ms(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))

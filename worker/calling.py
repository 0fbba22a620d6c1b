"""What stands around every call to a provider: the fence, the row of failures, the wait for another try."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog

from worker.awards import MOST_PER_CALL, Ending
from worker.errors import CallFailed, LimiterUnavailable
from worker.ports import Permits, Senders

log = structlog.get_logger(__name__)

PATIENCE = 5  # failed calls in a row before an issuer is paused; also look-ups that contradict a refusal
LONGEST_PAUSE = 300.0  # seconds
LONGEST_WAIT = 600.0  # seconds between two attempts
TOGETHER = 2  # attempts after which fewer and fewer share a call


def backoff(attempts: int) -> float:
    """Return seconds until the next attempt: doubled each time, ten minutes at most, never in lockstep."""
    longest = min(2.0 ** min(attempts, 16), LONGEST_WAIT)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 # jitter, not a secret


def company(attempts: int, most: int) -> int:
    """Return how many awards at most share a call with one that was tried so often, itself included.

    The more often it was tried in vain, the fewer, down to itself alone: one that makes the provider fail
    must not keep the others from being done for ever.
    """
    return min(most, max(MOST_PER_CALL >> max(attempts - TOGETHER, 0), 1))


Told = dict[str, int]

# What of an award becomes nothing by this call, in the words of its history.
_IN_VAIN = frozenset(
    {
        "not sent",
        "not signed in",
        "throttled",
        "uncertain",
        "refused",
        "refused together",
        "given up",
        "revocation refused",
    }
)


def told(endings: Iterable[Ending]) -> Told:
    """Return how many awards ended how, in the words of their history: never the provider's."""
    return dict(Counter(each.what for each in endings))


def in_words(what: Told) -> str:
    """Return what became of a call's awards; raises CallFailed if the call was in vain for all of them."""
    words = ", ".join(f"{awards} {ending}" for ending, awards in what.items()) or "nothing is left to do"
    if what and _IN_VAIN.issuperset(what):
        raise CallFailed(words)
    return words


@dataclass(slots=True)
class Fence:
    """Stands between permit and call: commits that the lease goes out now, or raises LeaseLost."""

    outbox: Senders
    lease_id: str
    awards: int
    deadline: float
    settling: bool = False
    sent_at: datetime | None = None

    def mark(self) -> None:
        """Commit that the call goes out now; again, before a repeat."""
        self.sent_at = self.outbox.mark_sent(self.lease_id, self.awards, self.deadline, self.sent_at)


class Patience:
    """How an issuer's calls go, and when it is left alone for a while so that it is not hammered.

    That the limiter cannot be told of it takes nothing away from what a call led to.
    """

    def __init__(self, issuer_id: str, permits: Permits) -> None:
        self._issuer_id = issuer_id
        self._permits = permits
        self._log = log.bind(issuer=issuer_id)

    def note_success(self) -> None:
        """Note that a call went well."""
        with self._limiter_may_be_gone():
            self._permits.succeeded(self._issuer_id)

    def pause(self, seconds: float | None) -> None:
        """Let nobody call for so long; no time, or None, counts a failure: the pause grows with their row."""
        with self._limiter_may_be_gone():
            wait = seconds or backoff(self._permits.failed(self._issuer_id))
            self._permits.pause(self._issuer_id, wait)
            self._log.warning("issuer.paused", seconds=round(wait, 1))

    def count_failure(self) -> None:
        """Note a call that failed; pause an issuer that keeps failing, longer each time."""
        with self._limiter_may_be_gone():
            row = self._permits.failed(self._issuer_id)
            if row >= PATIENCE:
                self.pause(min(backoff(row), LONGEST_PAUSE))

    @contextmanager
    def _limiter_may_be_gone(self) -> Iterator[None]:
        try:
            yield
        except LimiterUnavailable as error:
            self._log.warning("limiter.not_told", reason=str(error))

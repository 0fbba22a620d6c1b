"""What the use cases need from the outside, as small Protocols named by the caller's need.

Each port has a real adapter and an in-memory twin under ``worker/adapters/``; one contract suite in
``tests/contract/`` holds both to the same promises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from dataclasses import dataclass
    from datetime import datetime

    from worker.awards import Assertion, Call, Grant, Outcome
else:
    from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the event queue: `body` as it came, `handle` for the queue that gave it."""

    body: bytes
    handle: str


class EventQueue(Protocol):
    """The queue that upstream publishes events to; at least once, in any order.

    Every method raises QueueUnavailable when the queue cannot be reached.
    """

    def read(self, limit: int, wait: float) -> Sequence[Message]:
        """Return up to `limit` messages; empty-handed, wait up to `wait` seconds for the first.

        What was read stays ours until acknowledged; a dead consumer's messages come to the others.
        """

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Say that these are done for good; all of them at once, or none."""

    def publish(self, bodies: Sequence[bytes]) -> int:
        """Put events on the queue and return how many are durably there: all of them."""

    def backlog(self) -> int:
        """Count what is unread or unacknowledged, over all consumers."""

    def close(self) -> None:
        """Leave the queue; what is unacknowledged goes to others."""


class Permit(Protocol):
    """Leave to make one call, taken from the issuer's rate limit."""

    @property
    def call_by(self) -> float:
        """The `time.monotonic()` by which the call must be over: nothing is sent after it."""

    def answered(self) -> None:
        """Say that the answer has arrived: the permit ends one window after now."""

    def unused(self) -> None:
        """Give the permit back: nothing was sent."""


class Permits(Protocol):
    """An issuer's rate limit, shared by every process (design.md section 3).

    Every method raises LimiterUnavailable when the shared state cannot be reached: then no call is made.
    """

    def acquire(self, issuer: str, wait: float) -> Permit:
        """Take a permit, waiting up to `wait` seconds for one; raises NoPermit."""

    def room(self, issuer: str, within: float) -> int:
        """Count the permits that can be had within so many seconds; 0 while the issuer is paused."""

    def pause(self, issuer: str, seconds: float) -> None:
        """Let nobody call this issuer for so long (``Retry-After``, circuit breaker)."""

    def failed(self, issuer: str) -> int:
        """Note one more call in a row that failed, and return how many it are."""

    def succeeded(self, issuer: str) -> None:
        """Note that a call went well: the row of failures ends."""


class Provider(Protocol):
    """One issuer's connection to its provider.

    Methods take their own permits, sign in when they must, and raise the errors of `worker.errors`:
    the class (Permanent, Transient, Uncertain) decides what follows.
    """

    def issue(
        self, badgeclass: str, grants: Sequence[Grant], before_send: Callable[[], None]
    ) -> Sequence[Outcome]:
        """Ask for one assertion for each grant, in one call; one outcome for each, in order.

        `before_send` runs between permit and call (again before a repeat after a 401); what it raises
        ends the call unsent and passes through.
        """

    def find(self, badgeclass: str, recipients: Sequence[str]) -> Sequence[Assertion]:
        """List the assertions of these addresses, revoked and expired ones included, in one call."""

    def check(self) -> None:
        """Sign in; raises SignInRefused, TransientError or UncertainError."""

    def badgeclass_exists(self, badgeclass: str) -> bool:
        """Say whether the provider knows the badge class and lets us see it."""


class Dispatch(Protocol):
    """How work is handed to the task workers."""

    def nudge(self) -> None:
        """Ask for a dispatcher run soon. Never raises: beat asks every second anyway."""

    def send(self, call: Call) -> None:
        """Send the task for one call; raises QueueUnavailable. The message expires with the lease."""


class Clock(Protocol):
    """The one place where time is read."""

    def __call__(self) -> datetime:
        """Return now, in UTC."""

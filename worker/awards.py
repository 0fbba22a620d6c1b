"""The vocabulary of awards: their states and the plain values that pass between parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class AwardState(StrEnum):
    """Where an award stands on its way to the provider (design.md section 3)."""

    WAITING = "waiting"  # no address yet, or (at Credly) no names
    PENDING = "pending"  # due, or to be tried again at `due_at`
    ISSUING = "issuing"  # leased to one call
    ISSUED = "issued"  # the provider's assertion is recorded
    FAILED = "failed"  # a person must mend something, then `awards retry`
    EARNED = "earned"  # the end for a badge without an issuer
    REVOKING = "revoking"  # to be revoked at the provider
    REVOKED = "revoked"  # for good: a revoked badge is not earned again by itself


OPERATOR = "operator"  # who did it, in an award's history, where nobody signed in by name
MOST_PER_CALL = 50  # awards of one badge in one call (facts/badgr-api.md section 13)


class NewAward(NamedTuple):
    """A decision that `user_id` has `badge_id`.

    `earned_at` is the instant that made the criterion hold; `because` are the activities that counted,
    each as ``{"kind", "object", "source", "event"}``; `backfilled` ones go out after fresh ones; `waits` says
    that something which the issuer needs of the user is not known yet.
    """

    user_id: str
    badge_id: str
    definition_version: int
    issuer: str | None
    earned_at: datetime
    because: list[dict[str, str]]
    backfilled: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """What the provider is asked for: one assertion of one badge class for one address (lower case).

    `user_id` and the names are for providers that want them.
    """

    recipient: str
    issued_on: datetime
    narrative: str | None = None
    evidence: tuple[dict[str, str], ...] = ()
    expires: datetime | None = None
    notify: bool = False
    user_id: str | None = None
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Assertion:
    """The provider's record of an award. `recipient` is the plain address, lower case."""

    assertion_id: str
    url: str
    recipient: str
    issued_on: datetime | None
    expires: datetime | None = None
    revoked: bool = False
    revocation_reason: str | None = None


class RefusalKind(StrEnum):
    """What follows from the provider's refusal of one grant."""

    DUPLICATE = "duplicate"  # an assertion is there already: look it up and adopt it
    TOO_EARLY = "too_early"  # `issued_on` lies ahead of the provider's clock: try later
    PERMANENT = "permanent"  # a person must mend it


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one grant was not made, in the provider's words; nothing was saved for it.

    `found` is the assertion that a duplicate would be one of, if the provider was asked for it already.
    """

    kind: RefusalKind
    words: str
    found: Assertion | None = None


@dataclass(frozen=True, slots=True)
class NotMade:
    """A good grant in a call that was refused because of others; nothing was saved for it."""


Outcome = Assertion | Refusal | NotMade


@dataclass(frozen=True, slots=True)
class Call:
    """One call's worth of leased awards of one badge: what a Celery task is sent for.

    `settle` says that the awards ended uncertainly and are to be looked up, not issued; `revoke` that they
    are to be revoked: those may be of several badges, and `badge_id` is empty.
    """

    issuer: str
    badge_id: str
    lease_id: str
    awards: int
    settle: bool
    lease_until: datetime
    revoke: bool = False


@dataclass(frozen=True, slots=True)
class LeasedAward:
    """One award as a call works on it: `recipient` and `badgeclass` are frozen from the first sending on."""

    user_id: str
    badge_id: str
    earned_at: datetime
    recipient: str
    badgeclass: str
    attempts: int
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Ending:
    """How one award leaves a call: its next state, and what is to be kept of it.

    `wait` is seconds until it is due again; `tried` counts an attempt; `uncertain` says that it is to be
    looked up before anything else; `reroute` that it belongs to `issuer` from now on.
    """

    state: AwardState
    what: str
    words: str | None = None
    wait: float = 0.0
    tried: bool = False
    uncertain: bool = False
    assertion: Assertion | None = None
    reroute: bool = False
    issuer: str | None = None

    @property
    def keep_address(self) -> bool:
        """Return whether the address stays this award's own: something is or may be issued to it."""
        return self.uncertain or (self.assertion is not None and self.state is not AwardState.REVOKED)


@dataclass(frozen=True, slots=True)
class AwardRow:
    """An award as lists show it (contract.md section 1)."""

    user_id: str
    badge_id: str
    state: str
    earned_at: datetime
    decided_at: datetime
    issuer: str | None
    assertion_id: str | None
    assertion_url: str | None
    attempts: int
    last_error: str | None
    due_at: datetime | None = None
    issued_at: datetime | None = None
    backfilled: bool = False
    uncertain: bool = False
    revoke_reason: str | None = None
    definition_version: int = 0
    because: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Which:
    """Awards that an operator means: of this badge, of these users; None means any."""

    badge_id: str | None = None
    user_ids: tuple[str, ...] | None = None


class RevocationAnswer(StrEnum):
    """What follows when an award is asked to be revoked."""

    REVOKED = "revoked"  # nothing was ever sent of it: done at once
    QUEUED = "queued"  # the task workers revoke it at the provider
    REMEMBERED = "remembered"  # it may be on its way there: done once that is settled
    REVOKED_ALREADY = "revoked already"
    UNDER_WAY = "under way already"


@dataclass(frozen=True, slots=True)
class Asked:
    """One award that was asked to be revoked, and what follows."""

    user_id: str
    badge_id: str
    answer: RevocationAnswer


@dataclass(frozen=True, slots=True)
class LeasedRevocation:
    """One award as a call revokes it."""

    user_id: str
    badge_id: str
    assertion_id: str
    reason: str
    attempts: int

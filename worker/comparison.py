"""The vocabulary of comparing our awards with what a provider holds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from worker.awards import Assertion, AwardState

SAME_INSTANT = timedelta(seconds=1)  # a provider may keep `issuedOn` less exactly than we do


@dataclass(frozen=True, slots=True)
class Held:
    """One assertion as the provider holds it, and of which badge class."""

    badgeclass: str
    assertion: Assertion


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a user of ours stands with a badge; without an award there is no `state`."""

    user_id: str
    badge_id: str
    state: AwardState | None
    earned_at: datetime | None = None
    assertion_id: str | None = None
    recipient: str | None = field(default=None, repr=False)
    badgeclass: str | None = None
    uncertain: bool = False

    def is_of_its_instant(self, assertion: Assertion) -> bool:
        """Say whether an assertion was issued for the instant at which the award was earned."""
        if assertion.issued_on is None or self.earned_at is None:
            return False
        return abs(assertion.issued_on - self.earned_at) < SAME_INSTANT


class DifferenceKind(StrEnum):
    """How our awards and what the provider holds can differ."""

    UNKNOWN = "unknown"  # an assertion for an address that no user of ours has
    NO_AWARD = "no_award"  # an assertion of a user of ours for whom no award stands
    UNLINKED = "unlinked"  # an award that was not sent has an assertion already
    LOST = "lost"  # an award's assertion is not there any more
    REVOKED_THERE = "revoked_there"  # an award's assertion was revoked by somebody else
    NOT_REVOKED = "not_revoked"  # a revoked award's assertion is still good
    DUPLICATE = "duplicate"  # a second live assertion beside the one of the award


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `detail` says more; `mended` whether it is one no longer."""

    issuer: str
    kind: DifferenceKind
    badge_id: str
    user_id: str | None
    assertion_id: str | None
    detail: str
    mended: bool = False

    def mend(self, done: bool | str) -> Self:
        """Return it mended, or with what stood in the way."""
        if isinstance(done, str):
            return replace(self, detail=f"{self.detail}; {done}")
        return replace(self, mended=done)


@dataclass(slots=True)
class Comparison:
    """What came of comparing one issuer's awards.

    `read` is ``changes`` (since `since`; None: from the beginning) or ``lists``; `problems` are what could
    not be read.
    """

    issuer: str
    read: str = "changes"
    since: datetime | None = None
    compared: int = 0
    differences: list[Difference] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def remaining(self) -> int:
        """Return how many differences are left, and what could not be read."""
        return sum(not each.mended for each in self.differences) + len(self.problems)

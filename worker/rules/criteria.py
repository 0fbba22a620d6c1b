"""The six criteria (contract.md section 4): frozen values with one pure method each.

`judge` answers with a value that carries its reason: `Holds` says since when and because of what,
`NotYet` what is wanted and what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from worker.activities import Kind
from worker.rules.facts import Counted, Facts

# 1,900 years: from 1970 on, that is still within the calendar, backwards as well as forwards.
_LONGEST = 1900 * 365 * 86400


@dataclass(frozen=True, slots=True)
class Holds:
    """The criterion holds since `at`, because of these activities (none where only time decides)."""

    at: datetime
    because: tuple[Counted, ...] = ()


@dataclass(frozen=True, slots=True)
class NotYet:
    """The criterion does not hold: `present` of `wanted` (objects, or seconds for an account's age)."""

    wanted: int
    present: int

    @property
    def missing(self) -> int:
        """Return how much is missing."""
        return max(self.wanted - self.present, 0)


Judgement = Holds | NotYet


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ObjectId = Annotated[
    str,
    BeforeValidator(_text),
    StringConstraints(strict=True, min_length=1, max_length=255, pattern=r"^[^\x00]+$"),
]
Threshold = Annotated[int, Field(strict=True, gt=0, lt=2**31)]
Seconds = Annotated[int, Field(strict=True, gt=0, lt=_LONGEST)]


class _Criterion(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _LearningPath(_Criterion):
    """About one learning path: one activity of one kind decides."""

    kind: ClassVar[Kind]
    learning_path_id: ObjectId

    def judge(self, facts: Facts) -> Judgement:
        """Return whether there is such an activity: it counts from its first time on (Q-18, Q-23)."""
        fact = facts.about(self.kind, self.learning_path_id)
        return Holds(fact.counted_at, (fact,)) if fact else NotYet(wanted=1, present=0)


class LpEnroll(_LearningPath):
    """The user was ever enrolled in the learning path; leaving it changes nothing (S0-11, Q-23)."""

    kind = Kind.ENROLLED


class LpComplete(_LearningPath):
    """A completion was recorded, passed or not (S0-09, Q-18)."""

    kind = Kind.COMPLETED


class LpPassed(_LearningPath):
    """A completion that passed was recorded (S0-10, Q-19)."""

    kind = Kind.PASSED


class SocialConnection(_Criterion):
    """Live connections to `threshold` distinct people; with `period`, made within so many seconds.

    The window slides over event time, both ends included (S0-12, S0-14, Q-09, Q-10).
    """

    kind: ClassVar[Kind] = Kind.CONNECTED
    threshold: Threshold
    period: Seconds | None = None

    def judge(self, facts: Facts) -> Judgement:
        """Return the earliest instant at which enough connections had been made, if there is one."""
        connections = facts.of(self.kind)
        if self.period is None:
            return _nth(connections, self.threshold)
        return _within(connections, self.threshold, timedelta(seconds=self.period))


class SocialEngagement(_Criterion):
    """`threshold` posts and comments that were created and not deleted (S0-15, X-11, Q-07)."""

    kind: ClassVar[Kind] = Kind.POST
    threshold: Threshold

    def judge(self, facts: Facts) -> Judgement:
        """Return when the post that made it enough was written, if it is enough."""
        return _nth(facts.of(self.kind), self.threshold)


class RegisteredFor(_Criterion):
    """The account is at least `threshold` seconds old (S0-17, Q-25); the clock decides, no event does."""

    threshold: Seconds

    def judge(self, facts: Facts) -> Judgement:
        """Return the instant when the age was reached, if it lies behind the clock given."""
        if facts.registered_at is None:
            return NotYet(wanted=self.threshold, present=0)
        due = facts.registered_at + timedelta(seconds=self.threshold)
        if due <= facts.clock:
            return Holds(due)
        age = int((facts.clock - facts.registered_at).total_seconds())
        return NotYet(wanted=self.threshold, present=max(age, 0))


Criterion = LpEnroll | LpComplete | LpPassed | SocialConnection | SocialEngagement | RegisteredFor

CRITERIA: dict[str, type[Criterion]] = {
    "lp_enroll": LpEnroll,
    "lp_complete": LpComplete,
    "lp_passed": LpPassed,
    "social_connection": SocialConnection,
    "social_engagement": SocialEngagement,
    "registered_for": RegisteredFor,
}


def _nth(facts: Sequence[Counted], threshold: int) -> Judgement:
    if len(facts) < threshold:
        return NotYet(wanted=threshold, present=len(facts))
    return Holds(facts[threshold - 1].counted_at, tuple(facts[:threshold]))


def _within(facts: Sequence[Counted], threshold: int, period: timedelta) -> Judgement:
    most = 0
    start = 0
    for end, fact in enumerate(facts):
        while fact.counted_at - facts[start].counted_at > period:
            start += 1
        most = max(most, end - start + 1)
        if most >= threshold:
            return Holds(fact.counted_at, tuple(facts[start : end + 1]))
    return NotYet(wanted=threshold, present=most)

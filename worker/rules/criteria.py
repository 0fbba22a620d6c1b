"""The criteria (contract.md section 4): frozen values with one pure method each.

`judge` answers with a value that carries its reason: `Holds` says since when and because of what,
`NotYet` what is wanted and what is there. Six are leaves; `all_of` and `any_of` put others together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from worker.activities import Kind
from worker.rules.facts import Counted, Facts

# 1,900 years: from 1970 on, that is still within the calendar, backwards as well as forwards.
_LONGEST = 1900 * 365 * 86400

MOST_LEAVES = 64  # in one badge
MOST_DEEP = 8  # of `all_of` and `any_of` inside each other


class Reason(NamedTuple):
    """An activity that made a criterion hold, with its kind: a badge may ask for several kinds."""

    kind: Kind
    fact: Counted


class Holds(NamedTuple):
    """The criterion holds since `at`, because of these activities (none where only time decides)."""

    at: datetime
    because: tuple[Reason, ...] = ()


class NotYet(NamedTuple):
    """The criterion does not hold: `present` of `wanted`.

    Those are objects, seconds for an account's age, or criteria for `all_of` (and one for `any_of`).
    """

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
        if fact is None:
            return NotYet(wanted=1, present=0)
        return Holds(fact.counted_at, _reasons(self.kind, (fact,)))


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
            return _nth(self.kind, connections, self.threshold)
        return _within(self.kind, connections, self.threshold, timedelta(seconds=self.period))


class SocialEngagement(_Criterion):
    """`threshold` posts and comments that were created and not deleted (S0-15, X-11, Q-07)."""

    kind: ClassVar[Kind] = Kind.POST
    threshold: Threshold

    def judge(self, facts: Facts) -> Judgement:
        """Return when the post that made it enough was written, if it is enough."""
        return _nth(self.kind, facts.of(self.kind), self.threshold)


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


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds when all of its criteria hold: since the latest of them, because of what made each hold."""

    criteria: tuple[Criterion, ...]

    def judge(self, facts: Facts) -> Judgement:
        """Return the latest instant of theirs if all hold, else how many do."""
        judgements = [each.judge(facts) for each in self.criteria]
        held = _held(judgements)
        if len(held) < len(judgements):
            return NotYet(wanted=len(judgements), present=len(held))
        # An activity that counts for two of them is one reason.
        reasons = dict.fromkeys(reason for each in held for reason in each.because)
        return Holds(max(each.at for each in held), tuple(reasons))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds when one of its criteria holds: since the earliest of those that do, and because of that one."""

    criteria: tuple[Criterion, ...]

    def judge(self, facts: Facts) -> Judgement:
        """Return what holds earliest; of several at one instant the one written first."""
        held = _held(each.judge(facts) for each in self.criteria)
        return min(held, key=lambda each: each.at, default=NotYet(wanted=1, present=0))


Leaf = LpEnroll | LpComplete | LpPassed | SocialConnection | SocialEngagement | RegisteredFor
Criterion = Leaf | AllOf | AnyOf

CRITERIA: dict[str, type[Leaf]] = {
    "lp_enroll": LpEnroll,
    "lp_complete": LpComplete,
    "lp_passed": LpPassed,
    "social_connection": SocialConnection,
    "social_engagement": SocialEngagement,
    "registered_for": RegisteredFor,
}
GROUPS: dict[str, type[AllOf | AnyOf]] = {"all_of": AllOf, "any_of": AnyOf}


def criterion_of(written: Mapping[str, Any]) -> Criterion:
    """Return the one criterion that is written as ``{name: fields}``, or ``{name: [criteria]}`` for a group.

    It must have been checked before: worker.rules.definitions says what is wrong with one, and where.
    """
    ((name, fields),) = written.items()
    if name in GROUPS:
        return GROUPS[name](tuple(criterion_of(each) for each in fields))
    return CRITERIA[name].model_validate(fields)


def leaves(criterion: Criterion) -> Iterator[Leaf]:
    """Yield the criteria that are put together in this one, in the order written; itself if it is a leaf."""
    if isinstance(criterion, AllOf | AnyOf):
        for each in criterion.criteria:
            yield from leaves(each)
    else:
        yield criterion


def _held(judgements: Iterable[Judgement]) -> list[Holds]:
    return [each for each in judgements if isinstance(each, Holds)]


def _reasons(kind: Kind, facts: Sequence[Counted]) -> tuple[Reason, ...]:
    return tuple([Reason(kind, fact) for fact in facts])


def _nth(kind: Kind, facts: Sequence[Counted], threshold: int) -> Judgement:
    if len(facts) < threshold:
        return NotYet(wanted=threshold, present=len(facts))
    return Holds(facts[threshold - 1].counted_at, _reasons(kind, facts[:threshold]))


def _within(kind: Kind, facts: Sequence[Counted], threshold: int, period: timedelta) -> Judgement:
    pairs = zip(facts, facts[threshold - 1 :], strict=False)  # what a window would begin and end with
    for start, (first, last) in enumerate(pairs):
        if last.counted_at - first.counted_at <= period:
            return Holds(last.counted_at, _reasons(kind, facts[start : start + threshold]))
    return NotYet(wanted=threshold, present=_most_within(facts, period))


def _most_within(facts: Sequence[Counted], period: timedelta) -> int:
    most, start = 0, 0
    for end, fact in enumerate(facts):
        while fact.counted_at - facts[start].counted_at > period:
            start += 1
        most = max(most, end - start + 1)
    return most

"""Findings: how far a user is with a criterion, with what counts towards it, for whoever asks why (not)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.activities import Kind
from worker.rules.criteria import (
    AllOf,
    AnyOf,
    Criterion,
    Holds,
    Judgement,
    LpComplete,
    LpEnroll,
    LpPassed,
    Reason,
    RegisteredFor,
    SocialConnection,
)
from worker.rules.facts import Counted, Facts


@dataclass(frozen=True, slots=True)
class Span:
    """The span in which most of what a window asks for happened; it may be shorter than the period."""

    start: datetime
    end: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Finding:
    """How far a user is with one criterion.

    `wanted` and `present` are objects, seconds for an account's age, criteria for a group. `counting` are the
    activities that count towards it (for a window: within its best span), `due_at` is when the account is old
    enough, `parts` are the criteria of a group.
    """

    criterion: Criterion
    judgement: Judgement
    wanted: int
    present: int
    counting: tuple[Reason, ...] = ()
    span: Span | None = None
    due_at: datetime | None = None
    parts: tuple[Finding, ...] = ()

    @property
    def holds(self) -> bool:
        """Return whether the criterion holds."""
        return isinstance(self.judgement, Holds)

    @property
    def missing(self) -> int:
        """Return how much is missing."""
        return 0 if self.holds else max(self.wanted - self.present, 0)


def find(criterion: Criterion, facts: Facts) -> Finding:
    """Return how far the user is whom these facts are about, by the judgement that awards are made by."""
    judgement = criterion.judge(facts)
    match criterion:
        case AllOf() | AnyOf() as group:
            return _of_group(group, judgement, facts)
        case LpEnroll() | LpComplete() | LpPassed() as path:
            fact = facts.about(path.kind, path.learning_path_id)
            return Finding(criterion, judgement, 1, int(fact is not None), _reasons(path.kind, fact))
        case RegisteredFor() as age:
            return _of_age(age, judgement, facts)
        case SocialConnection() as social if social.period is not None:
            return _of_window(social, timedelta(seconds=social.period), judgement, facts)
        case counted:
            live = facts.of(counted.kind)
            return Finding(criterion, judgement, counted.threshold, len(live), _reasons(counted.kind, *live))


def _of_group(group: AllOf | AnyOf, judgement: Judgement, facts: Facts) -> Finding:
    parts = tuple(find(each, facts) for each in group.criteria)
    wanted = len(parts) if isinstance(group, AllOf) else 1
    return Finding(group, judgement, wanted, sum(part.holds for part in parts), parts=parts)


def _of_age(age: RegisteredFor, judgement: Judgement, facts: Facts) -> Finding:
    if facts.registered_at is None:
        return Finding(age, judgement, age.threshold, 0)
    present = int((facts.clock - facts.registered_at).total_seconds())
    due_at = facts.registered_at + timedelta(seconds=age.threshold)
    return Finding(age, judgement, age.threshold, max(present, 0), due_at=due_at)


def _of_window(social: SocialConnection, period: timedelta, judgement: Judgement, facts: Facts) -> Finding:
    best = _best(facts.of(social.kind), period)
    span = Span(best[0].counted_at, best[-1].counted_at, len(best)) if best else None
    return Finding(social, judgement, social.threshold, len(best), _reasons(social.kind, *best), span)


def _reasons(kind: Kind, *facts: Counted | None) -> tuple[Reason, ...]:
    return tuple(Reason(kind, fact) for fact in facts if fact is not None)


def _best(facts: Sequence[Counted], period: timedelta) -> Sequence[Counted]:
    """Return what lies in the span that holds most; of several the latest: that one may still grow."""
    best = facts[:0]
    start = 0
    for end, fact in enumerate(facts):
        while fact.counted_at - facts[start].counted_at > period:
            start += 1
        if end - start + 1 >= len(best):
            best = facts[start : end + 1]
    return best

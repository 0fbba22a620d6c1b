"""Wording: what a criterion asks for and what a user lacks, in plain words."""

from __future__ import annotations

from datetime import UTC, datetime

from worker.rules.criteria import (
    AllOf,
    AnyOf,
    Criterion,
    LpComplete,
    LpEnroll,
    LpPassed,
    RegisteredFor,
    SocialConnection,
    SocialEngagement,
)
from worker.rules.findings import Finding

_VERBS: dict[type[Criterion], str] = {LpEnroll: "enrolled in", LpComplete: "completed", LpPassed: "passed"}
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def asked(criterion: Criterion) -> str:
    """Return what a criterion asks for, as in `10 connections within 7 days`."""
    match criterion:
        case LpEnroll() | LpComplete() | LpPassed():
            return f"{_VERBS[type(criterion)]} learning path {criterion.learning_path_id}"
        case RegisteredFor():
            return f"an account at least {span(criterion.threshold)} old"
        case AllOf() | AnyOf():
            return _group_asked(criterion)
        case SocialConnection() if criterion.period is not None:
            return f"{_objects(criterion)} within {span(criterion.period)}"
        case _:
            return _objects(criterion)


def _group_asked(group: AllOf | AnyOf) -> str:
    inside = (
        f"({asked(each)})" if isinstance(each, AllOf | AnyOf) else asked(each) for each in group.criteria
    )
    return (" and " if isinstance(group, AllOf) else " or ").join(inside)


def lacking(finding: Finding) -> str:
    """Return what a user lacks for a criterion that does not hold: `3 of 10 connections are missing`."""
    match finding.criterion:
        case LpEnroll() | LpComplete() | LpPassed() as path:
            return f"not {asked(path)}"
        case RegisteredFor() as age:
            return _too_young(age, finding)
        case AllOf():
            return "; ".join(lacking(part) for part in finding.parts if not part.holds)
        case AnyOf():
            return "none of these holds: " + " or ".join(f"({lacking(part)})" for part in finding.parts)
        case counted:
            missing = (
                f"{finding.missing} of {asked(counted)} {'is' if finding.missing == 1 else 'are'} missing"
            )
            return f"{missing} ({finding.present} at most so far)" if finding.span else missing


def _too_young(age: RegisteredFor, finding: Finding) -> str:
    if finding.due_at is None:
        return f"nothing is known of a registration, and the badge asks for {asked(age)}"
    due = f"{span(age.threshold)} old at {instant(finding.due_at)}"
    return f"the account is {span(finding.present)} old, and will be {due}"


def _objects(criterion: SocialConnection | SocialEngagement) -> str:
    if isinstance(criterion, SocialConnection):
        return count(criterion.threshold, "connection")
    return "1 post or comment" if criterion.threshold == 1 else f"{criterion.threshold} posts and comments"


def span(seconds: int) -> str:
    """Return so many seconds in the largest units that say it exactly, at most two of them."""
    parts: list[str] = []
    for name, size in _UNITS:
        if seconds >= size and len(parts) < 2:  # noqa: PLR2004 # hours of a day matter, seconds of a year do not
            parts.append(count(seconds // size, name))
            seconds %= size
    return " ".join(parts) or "0 seconds"


def count(number: int, what: str) -> str:
    """Return a number of things, as in `1 day` and `2 days`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def instant(at: datetime) -> str:
    """Return an instant as people read it, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")

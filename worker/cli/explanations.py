"""Explanations as people read them and as programs do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from worker.answering import answer, held_up_by, progress
from worker.awards import AwardState
from worker.cli.output import fields_of, print_fields, print_json, print_table
from worker.explaining import Explanation, OnItsWay
from worker.rules.criteria import CRITERIA, GROUPS, AllOf, AnyOf, Criterion, Holds, Reason, RegisteredFor
from worker.rules.findings import Finding
from worker.rules.wording import asked, span

MOST_ROWS = 50  # of activities in a table for people; --json has them all

_NAMES: dict[type[Criterion], str] = {model: name for name, model in (CRITERIA | GROUPS).items()}
_TRIED_AGAIN = {AwardState.PENDING, AwardState.REVOKING}


def show_one(found: Explanation, *, as_json: bool) -> None:
    """Print all there is to say of one badge."""
    if as_json:
        print_json(_as_json(found) | {"history": found.history})
        return
    print(f"{answer(found)}\n")
    columns = ("criterion", "holds", "wanted", "there", "missing", "since, or when")
    print_table(f"{found.badge.title} asks for", columns, _rows(found.finding))
    _show_activities(found.finding)
    for each in held_up_by(found):
        print(f"held up: {each}")
    if found.award is not None:
        print_fields(_award(found.award) | {"because": _because(found.award)})
        rows = ((each.at, each.what, each.actor, _detail(each.detail)) for each in found.history)
        print_table("History", ("at", "what", "by", "detail"), rows)


def show_all(user_id: str, found: Sequence[Explanation], *, as_json: bool) -> None:
    """Print how far a user is with every badge."""
    if as_json:
        print_json([_as_json(each) for each in found])
        return
    rows = ((each.badge_id, _state(each), progress(each), answer(each)) for each in found)
    print_table(f"User {user_id}, badges: {len(found)}", ("badge", "state", "there", "why"), rows)


def _state(found: Explanation) -> str:
    return found.award.row.state if found.award else "not earned"


def _as_json(found: Explanation) -> dict[str, Any]:
    return {
        "user_id": found.user.user_id,
        "badge_id": found.badge_id,
        "title": found.badge.title,
        "status": found.badge.status,
        "state": found.award.row.state if found.award else None,
        "answer": answer(found),
        "held_up_by": held_up_by(found),
        "criterion": _finding(found.finding),
        "award": _award(found.award) if found.award else None,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "criterion": _NAMES[type(finding.criterion)],
        "asks_for": asked(finding.criterion),
        "holds": finding.holds,
        "since": finding.judgement.at if isinstance(finding.judgement, Holds) else None,
        "wanted": finding.wanted,
        "present": finding.present,
        "missing": finding.missing,
        "due_at": finding.due_at,
        "best_span": fields_of(finding.span) if finding.span else None,
        "activities": [_activity(each) for each in finding.counting],
        "criteria": [_finding(part) for part in finding.parts],
    }


def _activity(reason: Reason) -> dict[str, Any]:
    fact = reason.fact
    return {
        "kind": reason.kind.value,
        "object": fact.object_id,
        "counted_at": fact.counted_at,
        "source": fact.source,
        "event": fact.event_id,
    }


def _award(award: OnItsWay) -> dict[str, Any]:
    again = award.row.due_at if award.row.state in _TRIED_AGAIN else None
    call = {"lease_until": award.lease_until, "sent_at": award.sent_at, "next_try_at": again}
    return fields_of(award.row) | call


def _because(award: OnItsWay) -> str:
    lines = (f"{each['kind']} {each['object']} (event {each['event']})" for each in award.row.because)
    return "\n".join(lines) or "-"


def _rows(finding: Finding, depth: int = 0) -> Iterator[tuple[object, ...]]:
    """Yield a line for a criterion and for each one inside it, moved to the right."""
    group = {AllOf: "all of these", AnyOf: "one of these"}.get(type(finding.criterion))
    said = "  " * depth + (group or asked(finding.criterion))
    holds = "yes" if finding.holds else "no"
    numbers: tuple[object, ...] = (finding.wanted, finding.present, finding.missing)
    if isinstance(finding.criterion, RegisteredFor):
        numbers = tuple(map(span, (finding.wanted, finding.present, finding.missing)))
    yield said, holds, *numbers, _when(finding)
    for part in finding.parts:
        yield from _rows(part, depth + 1)


def _when(finding: Finding) -> object:
    if finding.span is not None:
        start, end = (at.strftime("%Y-%m-%d %H:%M:%SZ") for at in (finding.span.start, finding.span.end))
        return f"best span: {finding.span.count} from {start} to {end}"
    if isinstance(finding.judgement, Holds):
        return finding.judgement.at
    return finding.due_at


def _show_activities(finding: Finding) -> None:
    counting = list(dict.fromkeys(_counting(finding)))
    if not counting:
        return
    shown = counting[:MOST_ROWS]
    title = f"Activities that count: {len(counting)}"
    if len(shown) < len(counting):
        title += f", the first {len(shown)} of them (--json has all)"
    rows = (
        (each.kind.value, each.fact.object_id, each.fact.counted_at, each.fact.source, each.fact.event_id)
        for each in shown
    )
    print_table(title, ("kind", "object", "since", "event source", "event id"), rows)


def _counting(finding: Finding) -> Iterator[Reason]:
    yield from finding.counting
    for part in finding.parts:
        yield from _counting(part)


def _detail(detail: dict[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in detail.items())
